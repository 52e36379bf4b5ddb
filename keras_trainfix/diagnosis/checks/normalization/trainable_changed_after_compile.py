"""Checks of what is trainable, and of when that was said."""

import keras

from keras_trainfix.backend import effect_of_trainable, is_traced
from keras_trainfix.diagnosis.change import Change
from keras_trainfix.diagnosis.registry import ONE_ANSWER, check, found


def _compile(case):
    return Change(compiled=True)


@check(
    "KTF304",
    "trainable-changed-after-compile",
    "error",
    scope="model",
    explains=ONE_ANSWER,
    repair=_compile,
)
def trainable_changed_after_compile(snapshot):
    """`trainable` was changed after training began, without compiling again.

    ## What you see
    An error in `fit` about optimizer variables or an unknown variable; or no error, and
    layers that were frozen go on learning, or layers that were unfrozen do not.

    ## Why it happens
    The optimizer keeps a state for each variable that was trainable when it was built,
    and the compiled training step holds the layers as they were then. TensorFlow goes
    on with that step, whatever `trainable` says by now; JAX raises an error; torch
    honours what was frozen, and raises an error for what was unfrozen.

    ## How to check
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
    model.layers[0].trainable = True
    model.compile("adam", "mse")
    ```

    ## When this is not the cause
    Between `compile` and the first `fit` the change is in time. A `train_step` of your
    own may train some of the variables on purpose: it is not judged.

    ## References
    - [Transfer learning and fine-tuning](https://keras.io/guides/transfer_learning/)
    """
    model = snapshot.model
    optimizer = getattr(model, "optimizer", None)
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # of a scaled loss
    kept = getattr(optimizer, "_trainable_variables", None)
    began = getattr(optimizer, "built", False) or is_traced(
        getattr(model, "train_function", None)
    )
    if not began or not model.trainable_variables:
        return None
    if type(model).train_step is not keras.Model.train_step:
        return None
    now = {id(variable): variable for variable in model.trainable_variables}
    before = {id(variable): variable for variable in kept or ()}
    frozen = [v for key, v in before.items() if key not in now]
    unfrozen = [v for key, v in now.items() if key not in before]
    effect, severity = _effect(model, frozen, unfrozen)
    if effect is None:
        return None
    changed = (unfrozen or frozen)[0].path
    return found(
        f"{len(frozen)} variables were frozen and {len(unfrozen)} unfrozen after the "
        f"optimizer was built for {len(before)}, '{changed}' among them, without "
        f"`compile`: {effect}.",
        "model.compile(keras.optimizers.Adam(1e-4), ...)  # after `trainable` changed",
        severity=severity,
        frozen=len(frozen),
        unfrozen=len(unfrozen),
        in_optimizer=len(before),
        trainable=len(now),
    )


def _effect(model, frozen, unfrozen):
    """What `fit` will do, and how bad that is; `(None, None)` where all is well."""
    if not frozen and not unfrozen:
        return None, None
    is_made = getattr(model, "train_function", None) is not None
    traced = is_made and not model.run_eagerly
    return EFFECTS[effect_of_trainable(is_made, traced, bool(unfrozen))]


EFFECTS = {
    "ignored": ("`fit` goes on with the step as it was compiled", "error"),
    "raises": ("`fit` will raise an error", "error"),
    "counts": ("it counts here, and other backends ignore it or fail", "warning"),
    None: (None, None),
}
