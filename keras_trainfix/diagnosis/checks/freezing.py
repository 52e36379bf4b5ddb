"""Checks of what is trainable, and of when that was said."""

import keras
import numpy as np

from keras_trainfix.backend import effect_of_trainable, is_traced
from keras_trainfix.diagnosis.layer_kinds import DENSE_OR_CONV
from keras_trainfix.diagnosis.registry import check, found
from keras_trainfix.diagnosis.variation import inputs_vary, varies


@check("KTF303", "nothing-trainable", severity="error", per_output=False)
def nothing_trainable(probe):
    """No weight that could learn is trainable, so that no step changes the answers.

    ## What you see
    The loss of every epoch is the same number, up to the order of the batches.
    `model.summary()` says `Trainable params: 0`; or all that is trainable is a head
    behind a frozen body that gives the same features for every sample.

    ## Why it happens
    `model.trainable = False` was meant for the body, and set on the whole; or the body
    was frozen before it had learned anything: its features say nothing, and a head can
    learn no more from them than one constant.

    ## How to check
    ```python
    import keras
    import numpy as np

    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1)]
    )
    model.trainable = False
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x[:, :1]
    print(len(model.trainable_weights))
    ```

    ## Fix
    Freeze the body alone, and compile afterwards.

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
    ```

    ## When this is not the cause
    A model that only predicts needs nothing trainable. A frozen body whose features
    differ between samples is usual in transfer learning, and no finding.

    ## References
    [Transfer learning and fine-tuning](https://keras.io/guides/transfer_learning/)
    """
    model = probe.model
    if not model.weights:
        return None
    trainable = _numbers(model.trainable_weights)
    if not trainable:
        return found(
            f"None of the {_numbers(model.weights)} weights of the model is trainable: "
            "training changes nothing.",
            "model.trainable = True  # then False for single layers, if they shall stay"
            "\nmodel.compile(...)    # again, after each change of `trainable`",
            trainable=0,
            weights=_numbers(model.weights),
        )
    outputs = probe.layers
    learns = [i for i, output in enumerate(outputs) if output.layer.trainable_weights]
    first = learns[0] if learns else 0
    if not _is_learned_body(outputs[:first]) or not inputs_vary(probe.look):
        return None
    after = [outputs[first - 1].values, *(output.values for output in outputs[first:])]
    if any(map(varies, [*after, *probe.look.predictions])):
        return None
    body = outputs[first - 1].layer.name
    return found(
        f"Only {trainable} weights are trainable, from layer "
        f"'{outputs[first].layer.name}' on, and the frozen layers before it, up to "
        f"'{body}', give the same features for all {len(probe.predictions)} samples.",
        "for layer in model.layers:  # train the body, or load trained weights\n"
        "    layer.trainable = True\nmodel.compile(...)",
        trainable=trainable,
        weights=_numbers(model.weights),
    )


@check("KTF304", "trainable-changed-after-compile", severity="error", per_output=False)
def trainable_changed_after_compile(probe):
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
    model = probe.model
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


def _numbers(weights):
    return int(sum(np.prod(weight.shape) for weight in weights))


def _is_learned_body(outputs):
    """Whether frozen layers that could have learned are among the outputs."""
    return any(isinstance(output.layer, DENSE_OR_CONV) for output in outputs)
