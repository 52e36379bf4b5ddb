"""KTF211: whether a training step raises on these data."""

from keras_trainfix.diagnosis.fix_code import compiled_with
from keras_trainfix.diagnosis.observe.refusal import refused_by_metric
from keras_trainfix.diagnosis.observe.variation import is_finite
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.messages import count

OUT_OF_RANGE = {"KTF121", "KTF122", "KTF123", "KTF124", "KTF205"}
PARTS = {
    "call": "The model, called in training mode,",
    "loss": "The loss",
    "metrics": "A metric",
}


@check(
    "KTF211",
    "step-raises",
    "error",
    action="correct what raises an error in a training step",
    scope="model",
    follows=lambda other: other.severity == "error" and other.code != "KTF211",
    before_training=False,  # `fit` itself raises
)
def step_raises(snapshot: Snapshot) -> Found | None:
    """A training step raises an error on these data.

    ## What you see
    `fit` ends in its first step with an exception, often a long one about shapes from
    inside the backend.

    ## Why it happens
    The model can be called on the inputs, but the call in training mode, the loss or a
    metric cannot handle what it gets. Most often a loss expects an output of another
    shape: more units than the head has, probabilities that sum to 1, or a last axis
    that the model has squeezed away.

    ## How to check
    Compare the shapes that the loss gets, `model.predict(x[:8]).shape` and
    `y[:8].shape`, with those that it was written for. This loss reads a mean and a
    spread from two units, and the head has one:

    ```python
    import keras
    import numpy as np

    def gaussian_nll(y_true, y_pred):
        mean, log_std = keras.ops.split(y_pred, 2, axis=-1)
        error = (y_true - mean) * keras.ops.exp(-log_std)
        return keras.ops.mean(log_std + error**2 / 2, axis=-1)

    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    y = x[:, :1] + 1
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("adam", gaussian_nll)
    ```

    ## Fix
    Give the head the shape that the loss expects, or take the loss that fits the head.

    ```python
    import keras
    import numpy as np

    def gaussian_nll(y_true, y_pred):
        mean, log_std = keras.ops.split(y_pred, 2, axis=-1)
        error = (y_true - mean) * keras.ops.exp(-log_std)
        return keras.ops.mean(log_std + error**2 / 2, axis=-1)

    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    y = x[:, :1] + 1
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile("adam", gaussian_nll)
    ```

    ## When this is not the cause
    If another error is listed before it, such as labels that do not fit the loss,
    repair that first: the exception may be its consequence. A step that raises for
    some sizes of batches only is not reported, and neither is a `train_step` of your
    own.

    ## References
    - [Custom losses](https://keras.io/api/losses/#creating-custom-losses)
    """
    failure = snapshot.step_failure
    if failure is None:
        return None
    if failure.part == "loss" and not all(map(is_finite, snapshot.predictions)):
        return None  # KTF409: some losses raise on NaN
    # Labels out of range raise on some backends, in the batches that hold one.
    if any(OUT_OF_RANGE & view.label_faults.keys() for view in snapshot.views()):
        return None
    if failure.part == "metrics" and any(map(refused_by_metric, snapshot.views())):
        return None  # KTF215
    return found(
        f"{PARTS[failure.part]} raises on a batch of {count(failure.batch, 'sample')}: "
        f"{failure.error}",
        _fix(snapshot, failure.part),
        part=failure.part,
        error=failure.error,
        batch=failure.batch,
    )


def _fix(snapshot, part):
    shapes = (
        "# targets and predictions, as the loss and the metrics get them\n"
        "print(keras.tree.map_structure(np.shape, (y, model.predict(x, verbose=0))))"
    )
    model, views = snapshot.model, snapshot.views()
    if part == "call":
        return "print(model(x[:8], training=True))  # where it raises"
    if part == "metrics":
        return f"{shapes}\n{compiled_with(model, 'model.loss, metrics=[]')}"
    loss = _simple_loss(views[0]) if len(views) == 1 else None
    if loss is None:
        return shapes
    return f"{shapes}\n{compiled_with(model, loss)}  # a loss for these shapes"


def _simple_loss(view):
    """The expression of a loss of Keras for outputs and targets of one shape."""
    if view.targets is None or view.targets.shape != view.predictions.shape:
        return None
    if view.task == "regression":
        return '"mse"'
    return '"binary_crossentropy"' if view.head.is_probability else None
