"""KTF212: a loss whose gradient does not depend on which target a sample has."""

from keras_trainfix.diagnosis.experiments.instruments.gradients_by_answer import (
    answer_gradients,
)
from keras_trainfix.diagnosis.fix_code import compiled_with
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView
from keras_trainfix.diagnosis.thresholds import NO_CHANGE


@check(
    "KTF212",
    "loss-ignores-targets",
    "error",
    action="make the loss depend on the targets",
    scope="output",
    exact=True,
    at_start=True,
    explains=ONE_ANSWER,
    persistent=True,
)
def loss_ignores_targets(view: OutputView) -> Found | None:
    """Samples can exchange their targets, and the loss pulls at the answers as before.

    ## What you see
    The loss falls, and the predictions have the right mean but no relation to the
    target of the sample.

    ## Why it happens
    The loss averages over the batch before it compares: it takes the mean of the
    errors and then its square, or the mean of the targets. Then only the mean of a
    batch has to be right. An `axis=0` in a reduction, which is the axis of the
    samples, is the usual slip. Likewise, the columns can exchange their targets if the
    loss takes a sum over the columns before it compares, and one column can change its
    order if it is combined with the answers of all samples.

    ## How to check
    Exchange the targets of the samples in a batch. The gradient with respect to the
    answers must change.

    ```python
    import keras
    import numpy as np

    def loss(y, p):
        return keras.ops.mean(keras.ops.square(keras.ops.mean(y - p, axis=0)))

    model = keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(2),
    ])
    model.compile("adam", loss)
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x[:, :2]
    ```

    ## Fix
    Compare each answer with its own target, and average afterwards. A loss returns one
    number for each sample.

    ```python
    def loss(y, p):
        return keras.ops.mean(keras.ops.square(y - p), axis=-1)

    model.compile("adam", loss)
    ```

    ## When this is not the cause
    It is a note if the loss reads no target at all, as in a model that returns its own
    loss: then targets are placeholders.

    ## References
    [keras#10408](https://github.com/keras-team/keras/issues/10408)
    """
    seen = (answer_gradients(view.snapshot) or {}).get(view.name)
    if seen is None:
        return None
    name = view.loss.name if view.loss.kind != "none" else "compute_loss"
    if seen.change > NO_CHANGE and seen.by_column <= NO_CHANGE:
        return found(
            f"If the columns of the targets exchange their values, the gradient of the "
            f"loss '{name}' changes by {seen.by_column:.2g} of its size: it sees the "
            "sum of the columns, or only one. Compare each column with its own target "
            "before any sum over the columns.",
            _fix(view),
            by_column=seen.by_column,
            samples=seen.samples,
        )
    if seen.change > NO_CHANGE and seen.unpaired:
        column = seen.unpaired[0]
        return found(
            f"If {seen.samples} samples exchange their values in column {column} of "
            f"the targets, the gradient of the loss '{name}' stays the same: it "
            "combines each of these values with the answers of all samples. Are shapes "
            "such as (n, 1) and (n,) multiplied or subtracted, which makes (n, n)?",
            "# in the loss, give both the same shape before they are combined:\n"
            "# value = keras.ops.reshape(value, (-1,))",
            columns=list(seen.unpaired),
            samples=seen.samples,
        )
    if not seen.change <= NO_CHANGE:
        return None
    if seen.ignores:
        return found(
            f"The loss '{name}' does not read the targets of the {seen.samples} "
            "samples examined: any others give the same gradient.",
            "# right if the model computes its own loss and `y` is a placeholder",
            severity="note",
            change=seen.change,
            samples=seen.samples,
        )
    return found(
        f"If {seen.samples} samples exchange their targets, the gradient of the loss "
        f"'{name}' with respect to the answers changes by {seen.change:.2g} of its "
        "size: it does not matter which target belongs to which sample. Compare each "
        "answer with its own target before any mean over the batch.",
        _fix(view),
        change=seen.change,
        samples=seen.samples,
    )


def _fix(view: OutputView) -> str:
    lines = [
        "def loss(y, p):  # one number for each sample; never reduce axis 0",
        "    return keras.ops.mean(keras.ops.square(y - p), axis=-1)",
        "",
    ]
    if len(view.names) > 1:
        return "\n".join([*lines, f'# compile it for the output "{view.name}"'])
    return "\n".join([*lines, compiled_with(view.model, "loss")])
