"""KTF125: the balance of the classes."""

import numpy as np

from keras_trainfix.diagnosis.observe.sample_weights import weights_of
from keras_trainfix.diagnosis.observe.targets import FEWEST
from keras_trainfix.diagnosis.registry import check, found


@check(
    "KTF125",
    "class-imbalance",
    "warning",
    scope="output",
    explains=("KTF502", "KTF503", "KTF504"),
)
def class_imbalance(view):
    """Nearly all labels are of one class, and the loss does not make up for it.

    ## What you see
    The accuracy is high from the first epoch on and equals the share of the largest
    class, which is all that is predicted. In segmentation, masks are empty.

    ## Why it happens
    A cross-entropy is a mean over labels: with 97 % background, answering "background"
    leaves little loss, and the few others pull too weakly on the shared weights.

    ## How to check
    `np.unique(y, return_counts=True)`; the best constant answer has that accuracy.

    ```python
    import keras, numpy as np

    x = np.random.default_rng(0).normal(size=(100, 4)).astype("float32")
    y = (x[:, 0] >= np.sort(x[:, 0])[-3]).astype("int32")  # 3 of 100
    model = keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(2, activation="softmax"),
    ])
    model.compile("adam", "sparse_categorical_crossentropy")
    ```

    ## Fix
    Weigh the classes in the loss, or with `class_weight` or `sample_weight` in `fit`;
    in segmentation, add a Dice part (`WeightedSum`).

    ```python
    import keras, numpy as np
    from keras_trainfix import MaskedCrossentropy

    x = np.random.default_rng(0).normal(size=(100, 4)).astype("float32")
    y = (x[:, 0] >= np.sort(x[:, 0])[-3]).astype("int32")  # 3 of 100
    model = keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(2, activation="softmax"),
    ])
    model.compile("adam", MaskedCrossentropy(class_weight=[0.5, 15.0]))
    ```

    ## When this is not the cause
    A `class_weight` that is given to `fit` cannot be seen here. Where the classes are
    easy to tell apart, or a ranking is all that is wanted, no weights are needed.

    ## References
    [Lin et al., Focal Loss, 2017](https://arxiv.org/abs/1708.02002);
    [Cui et al., 2019](https://arxiv.org/abs/1901.05555).
    """
    task = view.task
    is_classes = "classification" in task or task == "segmentation"
    if not is_classes or _makes_up(view.loss) or weights_of(view) is not None:
        return None
    ids = None if view.labels is None else view.labels.ids
    if ids is None or ids.size < FEWEST:
        return None
    classes, counts = np.unique(ids, return_counts=True)
    shares = counts / counts.sum()
    largest = int(shares.argmax())
    if shares[largest] <= (0.97 if task == "segmentation" else 0.95):
        return None
    share = float(shares[largest])
    if len(classes) == 1:
        message = f"All {ids.size} labels that were looked at are {classes[0]}."
        fix = "print(np.unique(y, return_counts=True))  # where are the other classes?"
    else:
        message = (
            f"{share:.1%} of the labels are of class {classes[largest]}: a model that "
            "always answers so has that accuracy, and the loss does not weigh classes."
        )
        balanced = np.round(1 / (len(classes) * shares), 3)
        weights = dict(zip(classes.tolist(), balanced.tolist(), strict=True))
        fix = (
            f"model.fit(x, y, class_weight={weights})"
            if task != "segmentation"
            else "loss = keras_trainfix.MaskedCrossentropy(class_weight="
            f"{weights})  # or a WeightedSum with Dice"
        )
    order = np.argsort(-shares)[:10]
    return found(
        message,
        fix,
        largest_class=int(classes[largest]),
        largest_share=share,
        classes=classes[order].tolist(),
        shares=shares[order].tolist(),
        labels=int(ids.size),
    )


def _makes_up(loss):
    """Whether a loss counters imbalance, or may: of others' losses nothing is known."""
    if loss.kind in ("region", "sum", "custom", "none") or "focal" in loss.name:
        return True
    settings = ("class_weight", "focal_gamma", "top_k")
    return any(
        value is not None and np.size(value) and np.any(np.asarray(value) != 0)
        for value in (getattr(loss.loss, key, None) for key in settings)
    )
