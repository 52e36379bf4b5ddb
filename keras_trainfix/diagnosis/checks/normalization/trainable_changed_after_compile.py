"""KTF304 trainable-changed-after-compile: `trainable` set too late."""

import keras

from keras_trainfix.backend import effect_of_trainable, is_traced
from keras_trainfix.diagnosis.change import Change
from keras_trainfix.diagnosis.fix_code import recompiled
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.keras_internals import optimized_variables
from keras_trainfix.models.optimizers import inner_of

EFFECTS = {
    "ignored": ("`fit` continues with the step as it was compiled", "error"),
    "raises": ("`fit` will raise an error", "error"),
    "counts": ("it takes effect here, but other backends ignore it or fail", "warning"),
    None: (None, None),
}


def _compile(case):
    return Change(compiled=True)


@check(
    "KTF304",
    "trainable-changed-after-compile",
    "error",
    action="compile the model again",
    scope="model",
    explains=ONE_ANSWER,
    repair=_compile,
)
def trainable_changed_after_compile(snapshot: Snapshot) -> Found | None:
    """`trainable` was changed after training began, without compiling again.

    ## What you see
    An error in `fit` about optimizer variables or an unknown variable; or no error, but
    frozen layers continue to learn, or unfrozen layers do not learn.

    ## Why it happens
    The optimizer keeps a state for each variable that was trainable when it was built,
    and the compiled training step keeps the layers as they were then. TensorFlow
    continues with that step, whatever `trainable` says now; JAX raises an error; torch
    respects what was frozen, and raises an error for what was unfrozen.

    ## How to check
    Compare the variables of the optimizer with those of the model.

    ```python
    import keras
    import numpy as np

    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1)]
    )
    model.layers[0].trainable = False
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x[:, :1]
    model.fit(x, y, verbose=0)
    model.layers[0].trainable = True  # too late
    print(len(model.optimizer.variables), len(model.trainable_variables))
    ```

    ## Fix
    Compile after each change of `trainable`, with a new optimizer.

    ```python
    model.compile("adam", "mse")
    ```

    ## When this is not the cause
    Between `compile` and the first `fit` the change is in time. A custom `train_step`
    may train only some of the variables on purpose: it is not judged.

    ## References
    - [Transfer learning and fine-tuning](https://keras.io/guides/transfer_learning/)
    """
    model = snapshot.model
    optimizer = inner_of(getattr(model, "optimizer", None))
    kept = optimized_variables(optimizer)
    began = getattr(optimizer, "built", False) or is_traced(
        getattr(model, "train_function", None)
    )
    if not began or not model.trainable_variables:
        return None
    if type(model).train_step is not keras.Model.train_step:
        return None
    now = {id(variable): variable for variable in model.trainable_variables}
    before = {id(variable): variable for variable in kept}
    frozen = [v for key, v in before.items() if key not in now]
    unfrozen = [v for key, v in now.items() if key not in before]
    effect, severity = _effect(model, frozen, unfrozen)
    if effect is None:
        return None
    changed = (unfrozen or frozen)[0].path
    return found(
        f"{_changes(frozen, unfrozen)}, such as '{changed}', after the optimizer was "
        f"built for {len(before)}, without another `compile`: {effect}.",
        recompiled(model, ""),
        severity=severity,
        frozen=len(frozen),
        unfrozen=len(unfrozen),
        in_optimizer=len(before),
        trainable=len(now),
    )


def _changes(frozen, unfrozen):
    """How many variables were frozen, and how many unfrozen, in words."""
    kinds = ((frozen, "frozen"), (unfrozen, "unfrozen"))
    counts = [f"{len(some)} {kind}" for some, kind in kinds if some]
    first, _, rest = " and ".join(counts).partition(" ")
    return f"{first} variable{'s were' if first != '1' else ' was'} {rest}"


def _effect(model, frozen, unfrozen):
    """What `fit` will do, and the severity; `(None, None)` if nothing has changed."""
    if not frozen and not unfrozen:
        return None, None
    is_made = getattr(model, "train_function", None) is not None
    traced = is_made and not model.run_eagerly
    return EFFECTS[effect_of_trainable(is_made, traced, bool(unfrozen))]
