"""KTF416: a training step of the user's own that grows from call to call."""

from keras_trainfix.diagnosis.experiments.instruments.step import repeated_step
from keras_trainfix.diagnosis.fix_code import in_own_step
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.thresholds import STEP_GROWS

AGREES = 0.9  # cosine


@check(
    "KTF416",
    "step-accumulates",
    "error",
    action="reset what the training step accumulates",
    scope="model",
    exact=True,
    at_start=True,
    explains=ONE_ANSWER,
    persistent=True,
    before_training=False,
)
def step_accumulates(snapshot: Snapshot) -> Found | None:
    """The model's own `train_step` adds to the steps before it, and grows.

    ## What you see
    The loss falls for some steps, then jumps about or rises, at any learning rate.

    ## Why it happens
    The step keeps something from call to call. On torch `backward()` adds to the
    gradients that are there: without `zero_grad()` each step is the sum of all
    gradients so far.

    ## How to check
    Call `train_step` again and again from the same weights on the same batch. Each
    step must be the same.

    ```python
    import keras
    import numpy as np

    class Model(keras.Sequential):
        sum_of_steps = 0.0  # keeps what must not be kept

        def train_step(self, *arguments):
            self.sum_of_steps += 1.0
            *state, data = arguments
            if state:  # JAX
                logs, (after, *rest) = super().train_step(*arguments)
                pairs = zip(state[0][0], after)
                return logs, ([self.grown(*pair) for pair in pairs], *rest)
            before = [keras.ops.copy(v.value) for v in self.trainable_variables]
            logs = super().train_step(data)
            for variable, value in zip(self.trainable_variables, before):
                variable.assign(self.grown(value, variable.value))
            return logs

        def grown(self, old, new):
            return old + self.sum_of_steps * (new - old)

    model = Model([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x[:, :1]
    ```

    ## Fix
    Begin each step from nothing. On torch: `self.zero_grad()` before `backward()`.

    ```python
    Model.train_step = keras.Sequential.train_step
    ```

    ## When this is not the cause
    Gradients that are collected on purpose and applied after some steps do not grow:
    such a step is not reported.

    ## References
    [deep-learning-with-python-notebooks#293](
    https://github.com/fchollet/deep-learning-with-python-notebooks/issues/293);
    [Writing a training loop in PyTorch](
    https://keras.io/guides/writing_a_custom_training_loop_in_torch/)
    """
    steps = repeated_step(snapshot)
    if steps is None or not (steps.growth > STEP_GROWS and steps.agreement > AGREES):
        return None
    name = type(snapshot.model).__name__
    sizes = ", ".join(f"{size / steps.sizes[0]:.3g}" for size in steps.sizes)
    return found(
        f"`{name}.train_step` grows: {len(steps.sizes)} calls from the same weights on "
        f"the same batch give steps of the sizes {sizes}. It adds to the gradients of "
        "earlier calls.",
        in_own_step(
            snapshot.model,
            "# in train_step, before the gradients are computed (on torch):\n"
            "# self.zero_grad()",
        ),
        growth=steps.growth,
        sizes=steps.sizes,
    )
