"""KTF601 learns-with-a-change: one replaced part makes the model learn."""

from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.thresholds import LEARNS, STILL_BLANK

STEADY = 0.1  # skill that the control may gain in half of its steps, or in more
SURE = 0.5  # skill with the change at which the finding is an error


@check(
    "KTF601",
    "learns-with-a-change",
    "error",
    action="train with {words}",
    scope="model",
    by_experiment=True,
    before_training=False,
)
def learns_with_a_change(snapshot: Snapshot) -> Found | None:
    """The model learns as soon as one part of it is replaced.

    ## What you see
    The loss falls a little, or not at all, and no rule names the reason.

    ## Why it happens
    Equal steps from the same weights on the same batches were tried at four learning
    rates, and then again with one part replaced by the textbook choice: data, a layer,
    a term of the loss, the initial weights. Only with that part replaced does the model
    answer better than a constant on samples that it was not trained on.

    ## How to check
    ```python
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    x = np.random.default_rng(0).normal(size=(512, 4)).astype("float32")
    y = x[:, :1] - x[:, 1:2]
    small = keras.constraints.MaxNorm(0.01)  # no weight can become large enough
    model = keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(16, activation="tanh", kernel_constraint=small),
        keras.layers.Dense(1, kernel_constraint=small),
    ])
    model.compile("adam", "mse")
    ```

    ## Fix
    Replace the part that the finding names.

    ```python
    for weight in model.trainable_variables:
        weight.constraint = None
    ```

    ## When this is not the cause
    A large change cures much that is not its fault: another loss, all layers trainable,
    new weights. So the finding names the smallest change that does about as well as the
    best, and it is silent if the model learns by itself at any of the rates or in more
    steps, still improves at the end of the steps, or learns the samples at hand and
    does not yet carry that over to all others.

    ## References
    [Karpathy, 2019](https://karpathy.github.io/2019/04/25/recipe/)
    """
    experiments = snapshot.experiments
    if experiments is None or experiments.learns:
        return None
    if max(experiments.control.climb, experiments.climb_of_longer) > STEADY:
        return None  # slow is not wrong
    if experiments.memorizes and experiments.control.value > STILL_BLANK:
        return None  # it learns; more samples would do the rest
    cure = experiments.cure
    if cure is None or cure.outcome.value < LEARNS:
        return None
    without, skill = experiments.control.value, cure.outcome.value
    rates = len(experiments.controls)
    return found(
        f"With {cure.words}, {experiments.steps} steps reach a skill of {skill:.2f}. "
        f"Without, the best of {rates} learning rates reaches {max(without, 0):.2f} "
        "(0 is a constant answer, 1 is perfect).",
        cure.code,
        severity=None if skill >= SURE else "warning",
        treatment=cure.treatment.name,
        words=cure.words,
        skill_without=without,
        skill_with=skill,
        steps=experiments.steps,
    )
