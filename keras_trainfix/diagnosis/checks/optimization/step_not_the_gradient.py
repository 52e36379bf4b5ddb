"""KTF417: a training step of the user's own that does not lower its loss."""

from keras_trainfix.diagnosis.experiments.instruments.optimizer_step import (
    TIMES,
    optimizer_step,
)
from keras_trainfix.diagnosis.experiments.instruments.step import MANY, repeated_step
from keras_trainfix.diagnosis.fix_code import in_own_step
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.thresholds import UPHILL


@check(
    "KTF417",
    "step-not-the-gradient",
    "error",
    action="correct the training step",
    scope="model",
    exact=True,
    at_start=True,
    explains=ONE_ANSWER,
    persistent=True,
    before_training=False,
)
def step_not_the_gradient(snapshot: Snapshot) -> Found | None:
    """A step moves no weight, goes uphill, or ignores the batch.

    ## What you see
    The loss stays where it is, or rises from the first step on, although the learning
    rate is small. The same model learns with the `train_step` of Keras.

    ## Why it happens
    The gradients are not applied, or are taken of something that the weights have no
    part in, such as detached or rounded answers. Or their sign is wrong, or the loss is
    computed from another batch than the one that came in. An own `train_step` can be at
    fault, or an own optimizer.

    ## How to check
    Call `train_step` once with plain gradient descent, and compare the weights.

    ```python
    import keras
    import numpy as np

    class Model(keras.Sequential):
        def train_step(self, *arguments):
            *state, (x, y) = arguments
            logs = {"loss": keras.ops.mean(y**2)}  # and no weight is ever changed
            return (logs, *state) if state else logs  # JAX hands over a state

    model = Model([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x[:, :1]
    ```

    ## Fix
    Compute the gradients of the loss and hand them to the optimizer, or leave that to
    the `train_step` of Keras.

    ```python
    Model.train_step = keras.Sequential.train_step
    ```

    ## When this is not the cause
    A step may follow more than the compiled loss. It is reported only if it moves
    nothing in many calls, goes against the gradient, or is the same for two batches.

    ## References
    [Customizing fit](https://keras.io/guides/custom_train_step_in_tensorflow/)
    """
    steps = repeated_step(snapshot)
    if steps is None:
        return _of_optimizer(snapshot)
    name = f"`{type(snapshot.model).__name__}.train_step`"
    if not steps.moves:
        what = f"{name} moves no weight, in {MANY} calls with plain gradient descent"
        fix = "apply the gradients: self.optimizer.apply(gradients, variables)"
    elif steps.slope < UPHILL:
        what = (
            f"{name} goes uphill: the cosine of its step and the direction in which "
            f"the compiled loss falls is {steps.slope:.2f}"
        )
        fix = "give the optimizer the gradient of the loss, with its sign"
    elif steps.depends is False:
        what = f"{name} makes the same step for two different batches"
        fix = "compute the loss from the `data` that came in"
    else:
        return None
    return found(
        f"{what}.",
        in_own_step(snapshot.model, f"# in train_step, {fix}"),
        sizes=steps.sizes,
        slope=steps.slope,
        depends_on_batch=steps.depends,
    )


def _of_optimizer(snapshot: Snapshot) -> Found | None:
    step = optimizer_step(snapshot)
    if step is None or (step.moves and not step.slope < UPHILL):
        return None
    what = (
        "goes uphill: the cosine of its step and the direction in which the loss "
        f"falls is {step.slope:.2f}"
        if step.moves
        else f"moves no weight in {TIMES} steps"
    )
    return found(
        f"The optimizer `{step.name}` {what}.",
        "# in `update_step`: variable = variable - learning_rate * gradient",
        slope=step.slope,
    )
