"""KTF111 targets-unscaled: targets far from what a new head predicts."""

from typing import Any

import numpy as np

from keras_trainfix import backend
from keras_trainfix.diagnosis.fix_code import STANDARDIZED
from keras_trainfix.diagnosis.observe.targets import real_targets
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView
from keras_trainfix.messages import about

# Optimizers whose steps are as long as their learning rate, whatever the gradient.
SIGN_LIKE = ("Adam", "AdamW", "Nadam", "Adamax", "RMSprop", "Lion")
TINY = 1e-3  # root mean square of tiny targets
TOO_COARSE = 30  # standard deviation of predictions, of that of tiny targets
MANY_STEPS = 1000  # a third of them if the mean is far off and the spread small


@check(
    "KTF111",
    "targets-unscaled",
    "warning",
    action="scale the targets",
    scope="output",
    explains=("KTF501", "KTF505"),
    sets_rate=True,
    of_degree=True,
)
def targets_unscaled(view: OutputView) -> Found | None:
    """The targets are on a scale that a new head needs very many steps to reach.

    ## What you see
    The loss is huge and falls slowly, or is NaN after a few steps of SGD. Predictions
    are nearly equal, and far below the targets or at their mean.

    ## Why it happens
    A new head predicts values of order 1. Adam changes each weight by about the
    learning rate in each step, so the prediction moves by about `lr * (1 +
    sum|features|)`, and somewhat faster as the features grow. For prices of 200,000
    that takes thousands of steps for the mean alone. With SGD the gradient is as large
    as the error, and training diverges. For targets of a millionth each step is far too
    coarse.

    ## How to check
    Compare `y.mean()` and `y.std()` with the first predictions.

    ```python
    import keras, numpy as np

    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 4)).astype("float32")
    y = (200_000 + 50_000 * x[:, :1]).astype("float32")
    model = keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(1),
    ])
    model.compile("adam", "mse")
    print(y.mean(), y.std(), model.predict(x, verbose=0).mean())
    ```

    ## Fix
    Train on standardized targets, and convert the output of `predict` back.

    ```python
    mean, std = y.mean(0), y.std(0)
    y = (y - mean) / std  # later: model.predict(x) * std + mean
    ```

    ## When this is not the cause
    There is no finding if the learning rate is large enough, or if the last bias starts
    at the mean of the targets and their spread is small. For prices and counts over
    several powers of ten, a logarithm is better than a division.

    ## References
    [sklearn.compose.TransformedTargetRegressor](https://scikit-learn.org/stable/modules/generated/sklearn.compose.TransformedTargetRegressor.html).
    """
    y = real_targets(view)
    kind = view.loss.kind
    if y is None or kind == "similarity" or not _starts_near_zero(view):
        return None
    predictions = view.predictions.astype("float64").reshape(-1, y.shape[1])
    with np.errstate(all="ignore"):
        offset = np.abs(y.mean(0) - predictions.mean(0))
        missing = np.maximum(y.std(0) - predictions.std(0), 0)
    way = offset + missing
    if not np.isfinite(way).all():
        return None
    column = int(way.argmax())
    distance = float(way[column])
    mean, spread = float(y[:, column].mean()), float(y[:, column].std())
    size = np.sqrt(np.mean(y**2))
    if size < TINY and predictions.std() > TOO_COARSE * y.std() > 0:
        return _tiny(y, predictions)
    if distance < 100:
        return None
    steps, rate = _steps(view, distance)
    far = MANY_STEPS if offset[column] < 5 * y[:, column].std() else MANY_STEPS / 3
    if steps is not None and steps < far:
        return None
    what = f"The targets have mean {mean:.4g} and standard deviation {spread:.4g}"
    if y.shape[1] > 1:
        what += f" in column {column}"
    evidence: dict[str, Any] = {
        "mean": mean,
        "std": spread,
        "column": column,
        "prediction_mean": float(predictions[:, column].mean()),
        "prediction_std": float(predictions[:, column].std()),
    }
    if steps is not None:
        evidence |= {"steps": steps, "learning_rate": rate}
        what += (
            f", the predictions {evidence['prediction_mean']:.4g} and "
            f"{evidence['prediction_std']:.4g}: with a learning rate of {rate:.2g} it "
            f"takes about {about(steps)} steps to get there."
        )
    else:
        what += ", far from the values of order 1 that a new head predicts."
    return found(
        what,
        STANDARDIZED,
        **evidence,
    )


def _tiny(y, predictions):
    mean, spread = float(y.mean()), float(y.std())
    varying = float(predictions.std())
    return found(
        f"The targets have mean {mean:.3g} and standard deviation {spread:.3g}, and "
        f"that of the predictions is {varying:.3g}: the loss is tiny before anything "
        "is learned, and each step is far too coarse.",
        STANDARDIZED,
        mean=mean,
        std=spread,
        prediction_std=varying,
    )


def _starts_near_zero(view):
    """Whether the head has a kernel, and a range without an upper limit."""
    head = view.head
    layer = _head_layer(view)
    unbounded = head.range[1] == np.inf and head.activation not in (
        "unknown",
        "exponential",  # reaches any scale in a few steps
    )
    return unbounded and getattr(layer, "kernel", None) is not None


def _head_layer(view):
    found_layers = [o.layer for o in view.layers if o.layer.name == view.head.layer]
    return found_layers[-1] if found_layers else None


def _steps(view, distance):
    """`(steps, learning rate)`: how long an optimizer takes to move the outputs.

    In t steps the bias and the weights of the head move by `lr * t`, and so do those of
    the layer before it, whose outputs are the features: the prediction moves by
    `lr * t * (1 + S) + H * (lr * t) ** 2 * (1 + S0) / 2`, with `S` and `S0` the sums of
    the absolute inputs of both and `H` the features.
    """
    optimizer = getattr(view.model, "optimizer", None)
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if optimizer is None or type(optimizer).__name__ not in SIGN_LIKE:
        return None, None
    rate = float(backend.to_numpy(optimizer.learning_rate))
    layers = [o for o in view.layers if getattr(o.layer, "kernel", None) is not None]
    names = [o.layer.name for o in layers]
    at = names.index(view.head.layer)
    linear = 1 + _sum_of_inputs(view, layers[at])
    square = 0.0
    if at:
        features = int(np.prod(layers[at].layer.kernel.shape[:-1]))
        square = features * (1 + _sum_of_inputs(view, layers[at - 1])) / 2
    if rate <= 0:
        return None, None
    if not square:
        return int(distance / (rate * linear)), rate
    moved = (np.sqrt(linear**2 + 4 * square * distance) - linear) / (2 * square)
    return int(moved / rate), rate


def _sum_of_inputs(view, output):
    """The mean sum of absolute inputs of one unit; its fan-in if they are unknown."""
    *places, width, _ = output.layer.kernel.shape
    before = [o.values for o in view.layers[: view.layers.index(output)]]
    known = [a for a in before if a.shape[-1] == width]
    known = known or [
        a
        for a in view.inputs.values()
        if a.dtype.kind in "iuf" and a.shape[-1] == width
    ]
    size = float(np.prod(places))
    if not known:
        return size * width
    sums = np.abs(known[-1].reshape(-1, width).astype("float64")).sum(1)
    return size * float(np.nan_to_num(sums).mean())
