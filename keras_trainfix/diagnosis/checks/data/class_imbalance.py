"""KTF125 class-imbalance: nearly all labels belong to one class."""

import numpy as np

from keras_trainfix.diagnosis.fix_code import our_loss
from keras_trainfix.diagnosis.measure.learned import has_learned_classes
from keras_trainfix.diagnosis.observe.sample_weights import weights_of
from keras_trainfix.diagnosis.observe.targets import FEWEST
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView


@check(
    "KTF125",
    "class-imbalance",
    "warning",
    action="compensate for the class imbalance",
    scope="output",
    explains=("KTF502", "KTF503", "KTF504"),
    of_degree=True,
)
def class_imbalance(view: OutputView) -> Found | None:
    """Nearly all labels belong to one class, and the loss does not compensate for it.

    ## What you see
    The accuracy is high from the first epoch on and equals the share of the largest
    class, which is the only one predicted. In segmentation, masks are empty.

    ## Why it happens
    A cross-entropy is a mean over labels. With 97 % background, always answering
    "background" leaves little loss, and the few other labels pull too weakly on the
    shared weights.

    ## How to check
    `np.unique(y, return_counts=True)`. The best constant answer has the accuracy of the
    largest class.

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
    print(np.unique(y, return_counts=True))
    ```

    ## Fix
    Weight the classes in the loss, or with `class_weight` or `sample_weight` in `fit`.
    In segmentation, add a Dice term (`WeightedSum`).

    ```python
    from keras_trainfix import MaskedCrossentropy

    model.compile("adam", MaskedCrossentropy(class_weight=[0.5, 15.0]))
    ```

    ## When this is not the cause
    It is a note once the model predicts the rare classes too: then they are easy to
    tell apart, or weights were given to `fit`, which cannot be seen here. If you only
    need a ranking, no weights are needed.

    ## References
    [Lin et al., Focal Loss, 2017](https://arxiv.org/abs/1708.02002);
    [Cui et al., 2019](https://arxiv.org/abs/1901.05555).
    """
    task = view.task
    is_classes = "classification" in task or task == "segmentation"
    if not is_classes or _compensates(view.loss) or weights_of(view) is not None:
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
        message = f"All {ids.size} labels examined are {classes[0]}."
        fix = "print(np.unique(y, return_counts=True))  # where are the other classes?"
    else:
        message = (
            f"{share:.1%} of the labels are of class {classes[largest]}: a model that "
            "always gives that answer has that accuracy, and the loss does not weight "
            "classes."
        )
        balanced = np.round(1 / (len(classes) * shares), 3)
        weights = dict(zip(classes.tolist(), balanced.tolist(), strict=True))
        fix = (
            f"model.fit(x, y, class_weight={weights})"
            if task != "segmentation"
            else our_loss(view, "MaskedCrossentropy", f"class_weight={weights}")
        )
    order = np.argsort(-shares)[:10]
    return found(
        message,
        fix,
        severity="note" if has_learned_classes(view) else None,
        largest_class=int(classes[largest]),
        largest_share=share,
        classes=classes[order].tolist(),
        shares=shares[order].tolist(),
        labels=int(ids.size),
    )


def _compensates(loss):
    """Whether a loss compensates for imbalance, or may: custom losses are unknown."""
    if loss.kind in ("region", "sum", "custom", "none") or "focal" in loss.name:
        return True
    settings = ("class_weight", "focal_gamma", "top_k")
    return any(
        value is not None and np.size(value) and np.any(np.asarray(value) != 0)
        for value in (getattr(loss.loss, key, None) for key in settings)
    )
