"""KTF145 class-weights-inverted: frequent classes weigh more than rare ones."""

import numpy as np

from keras_trainfix.diagnosis.experiments.instruments.class_weights import (
    class_weights,
)
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView
from keras_trainfix.diagnosis.thresholds import CLASS_WEIGHT_SLOPE

APART = 2  # how far weights and counts must differ: less may be on purpose
CORRELATION = 0.9  # of weights and counts, over classes
DROWNED = 0.95  # share of the loss that one class has


@check(
    "KTF145",
    "class-weights-inverted",
    "error",
    action="turn the class weights around",
    scope="output",
    explains=("KTF502", "KTF503", "KTF504", "KTF505"),
    exact=True,
    mild=True,
)
def class_weights_inverted(view: OutputView) -> Found | None:
    """The class weights grow with the number of labels, so rare classes count less.

    ## What you see
    The most frequent class is the only one predicted, though `fit` has class weights;
    without the weights other classes appear.

    ## Why it happens
    A weight multiplies the loss of each label of its class. Weights proportional to
    the counts, or a dict with its classes the wrong way round, make the frequent class
    heavier still.

    ## How to check
    Multiply the share of each class by its weight. Balanced weights make all products
    equal.

    ```python
    import keras, numpy as np

    x = np.random.default_rng(0).normal(size=(200, 4)).astype("float32")
    y = (x[:, 0] > 1).astype("int32")
    counts = np.bincount(y)
    class_weight = {0: counts[0] / counts[1], 1: counts[1] / counts[0]}
    model = keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    model.compile("adam", "binary_crossentropy")
    print({k: w * counts[k] / len(y) for k, w in class_weight.items()})
    ```

    ## Fix
    Divide by the counts.

    ```python
    class_weight = {k: len(y) / (len(counts) * n) for k, n in enumerate(counts)}
    ```

    ## When this is not the cause
    If a false alarm costs more than a missed rare case, the frequent class may weigh
    more on purpose. Weights that are equal, or not fully balanced, are not reported.

    ## References
    [keras.Model.fit](https://keras.io/api/models/model_training_apis/#fit-method), on
    `class_weight`; [King and Zeng, 2001](https://doi.org/10.1093/oxfordjournals.pan.a004868).
    """
    answers = class_weights(view.snapshot)
    seen = None if answers is None else answers[view.index]
    if seen is None or seen.slope < CLASS_WEIGHT_SLOPE:
        return None
    weights, shares = np.array(seen.weights), np.array(seen.shares)
    rarest, largest = int(shares.argmin()), int(shares.argmax())
    apart = min(weights[largest] / weights[rarest], shares[largest] / shares[rarest])
    if apart < APART or seen.correlation < CORRELATION:
        return None
    weighted = seen.weighted_shares
    names = seen.classes
    return found(
        f"Class {names[rarest]} has {shares[rarest]:.1%} of the labels and the weight "
        f"{weights[rarest]:.3g}, class {names[largest]} has {shares[largest]:.1%} and "
        f"{weights[largest]:.3g}: the weights are the wrong way round, and leave class "
        f"{names[rarest]} {weighted[rarest]:.2%} of the loss.",
        f"class_weight = {seen.balanced}\nmodel.fit(x, y, class_weight=class_weight)",
        severity="error" if max(weighted) > DROWNED else "warning",
        classes=names[:10],
        shares=shares[:10].tolist(),
        weights=weights[:10].tolist(),
        weighted_shares=weighted[:10],
        slope=seen.slope,
    )
