"""KTF126 sample-weight-on-columns: weights of samples that reach another axis."""

import numpy as np

from keras_trainfix.diagnosis.observe.sample_weights import weights_of
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView
from keras_trainfix.losses.masked_loss import MaskedLoss


@check(
    "KTF126",
    "sample-weight-on-columns",
    "error",
    action="correct the shape of the sample weights",
    scope="output",
    explains=("KTF501", "KTF503", "KTF504", "KTF505"),
)
def sample_weight_on_columns(view: OutputView) -> Found | None:
    """The weights of samples are applied to columns or steps instead.

    ## What you see
    Nothing: the fit runs, and weights the wrong things. With another batch size it
    raises an error about shapes that do not match.

    ## Why it happens
    The losses of Keras give one value per pixel, `(N, H, W)`, and multiply it by the
    weights. Arrays broadcast from the right, so weights `(N,)` meet the columns `W`. If
    the batch size equals `W`, nothing fails.

    ## How to check
    Compare the shape of `sample_weight` with that of the targets: it needs all axes
    except the class axis, or to be `(N, 1, 1)`.

    ```python
    import keras, numpy as np

    rng = np.random.default_rng(0)
    x = rng.random((16, 16, 16, 1)).astype("float32")
    y = (x[..., 0] > 0.5).astype("int32")
    sample_weight = np.where(np.arange(16) < 8, 1.0, 2.0)
    model = keras.Sequential([
        keras.Input((16, 16, 1)),
        keras.layers.Conv2D(4, 3, padding="same", activation="relu"),
        keras.layers.Conv2D(2, 1),
    ])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    print(sample_weight.shape, y.shape)
    ```

    ## Fix
    Add the missing axes to the weights. The losses of keras_trainfix read `(N,)` as
    weights of samples without that.

    ```python
    sample_weight = sample_weight[:, None, None]
    ```

    ## When this is not the cause
    With batches of one sample, or with one target value per sample, `(N,)` is right.

    ## References
    [keras.Model.fit](https://keras.io/api/models/model_training_apis/#fit-method), on
    `sample_weight`.
    """
    weights = weights_of(view)
    values = _value_shape(view)
    if weights is None or values is None or np.ndim(weights) == 0:
        return None
    shape = np.shape(weights)
    if len(shape) >= len(values) or (len(values) == len(shape) + 1 and values[-1] == 1):
        return None
    met = values[len(values) - len(shape) :]  # what each axis of the weights meets
    rest = zip(shape[1:], met[1:], strict=True)
    if shape[0] < 2 or met[0] < 2 or any(a != b and 1 not in (a, b) for a, b in rest):
        return None
    axis = len(values) - len(shape)
    always = shape[0] == met[0]
    lacking = ", ".join(["None"] * axis)
    axes = ":, " * (len(shape) - 1)
    return found(
        f"`sample_weight` of shape {shape} meets losses of shape {tuple(values)} from "
        f"the right, so the weights of samples apply to axis {axis}, of size "
        f"{met[0]}: silently in batches of {met[0]}, and with an error in all other "
        "batches of more than one sample.",
        f"sample_weight = sample_weight[:, {axes}{lacking}]  # of shape "
        f"{(*shape, *[1] * axis)}",
        "error" if always or met[0] == 32 else "warning",  # 32: the default of `fit`
        samples=int(shape[0]),
        columns=int(met[0]),
        axis=axis,
        weights_shape=list(map(int, shape)),
        values_shape=list(map(int, values)),
    )


def _value_shape(view):
    """The shape of the values of a loss of Keras before weighting, or None."""
    loss, y = view.loss, view.targets
    kinds = ("custom", "none", "region", "sum", "masked")
    if y is None or loss.kind in kinds or isinstance(loss.loss, MaskedLoss):
        return None
    shape = view.predictions.shape
    if loss.kind != "sparse" and len(shape) == y.ndim + 1 and shape[-1] == 1:
        # Keras squeezes predictions to the shape of the targets.
        shape = shape[:-1] if y.ndim > 1 else shape
    return shape[:-1]
