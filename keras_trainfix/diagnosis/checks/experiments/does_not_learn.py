"""KTF602 does-not-learn: no rate and no change makes a model learn what others do."""

from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.thresholds import LEARNS, STILL_BLANK, SURELY_LEARNABLE
from keras_trainfix.messages import count


@check(
    "KTF602",
    "does-not-learn",
    "warning",
    action="simplify the model until it learns",
    scope="model",
    overrules=("KTF410",),
    by_experiment=True,
    before_training=False,
)
def does_not_learn(snapshot: Snapshot) -> Found | None:
    """At no learning rate, and with nothing that was replaced, does the model learn.

    ## What you see
    A simple learner reads the answer from the inputs, and the model does not come near.
    No rule names the reason.

    ## Why it happens
    What is wrong lies where the experiments do not reach: in code between the layers,
    in a reshape that mixes axes, in an own layer or loss.

    ## How to check
    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(0).normal(size=(512, 8)).astype("float32")
    y = x[:, :1] - x[:, 1:2]
    keras.utils.set_random_seed(1)
    inputs = keras.Input((8,))
    first = keras.ops.sign(keras.ops.sin(1e3 * inputs))  # tears the inputs apart
    hidden = keras.layers.Dense(16, activation="tanh")(first)
    model = keras.Model(inputs, keras.layers.Dense(1)(hidden))
    model.compile("adam", "mse")
    ```

    ## Fix
    Replace own code by layers of Keras, one part at a time, until it learns 8 samples.

    ```python
    model = keras.Sequential([
        keras.Input((8,)),
        keras.layers.Dense(16, activation="tanh"),
        keras.layers.Dense(1),
    ])
    model.compile("adam", "mse")
    ```

    ## When this is not the cause
    Where any other finding names a cause, that comes first, and this is not given. It
    is silent while the model still improves, however slowly.

    ## References
    [Karpathy, 2019](https://karpathy.github.io/2019/04/25/recipe/)
    """
    experiments = snapshot.experiments
    if experiments is None or experiments.learns:
        return None
    cure = experiments.cure
    if cure is not None and cure.outcome.value >= LEARNS:
        return None  # KTF601
    if any(one.loss_skill >= LEARNS for one in experiments.controls.values()):
        return None  # it learns what its loss asks for, and that is not all targets
    best, climb = experiments.control.value, experiments.control.climb
    if not (best <= STILL_BLANK and climb <= STILL_BLANK):
        return None
    reachable = [
        learned.reachable
        for view in snapshot.views()
        if (learned := view.learnability) is not None and learned.is_seen
    ]
    if not reachable or len(reachable) < len(snapshot.views()):
        return None
    if min(reachable) < SURELY_LEARNABLE:
        return None
    tried = list(dict.fromkeys(one.treatment.name for one in experiments.tried))
    return found(
        f"Simple learners on the same inputs reach R2 {min(reachable):.2f} on held-out "
        f"samples; {experiments.steps} steps of this model reach {max(best, 0):.2f} at "
        f"the best of {count(len(experiments.controls), 'learning rate')}. None of "
        f"{count(len(tried), 'change')} that were tried helps.",
        "# replace own layers, reshapes and losses one at a time, until this learns:\n"
        "model.fit(x[:8], y[:8], epochs=300, verbose=0)",
        skill=best,
        reachable=min(reachable),
        steps=experiments.steps,
        tried=tried,
    )
