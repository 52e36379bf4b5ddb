"""KTF148: targets of two outputs in the wrong order."""

import numpy as np

from keras_trainfix.diagnosis.experiments.instruments.exchanged_targets import (
    exchanged_targets,
)
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot

OF_HEADS = ("KTF203", "KTF205", "KTF206", "KTF207", "KTF208", "KTF210", "KTF211")


@check(
    "KTF148",
    "outputs-swapped",
    "error",
    action="exchange the targets of the two outputs",
    scope="model",
    exact=True,
    explains=(*ONE_ANSWER, "KTF504", "KTF508"),
    overrules=(*OF_HEADS, "KTF103", "KTF111", "KTF112", "KTF121", "KTF123"),
)
def outputs_swapped(snapshot: Snapshot) -> Found | None:
    """The targets of two outputs are exchanged.

    ## What you see
    Both losses fall a little and stop. A regression gets zeros and ones, a classifier
    gets real numbers; or one output predicts what the other one should.

    ## Why it happens
    A list of targets is matched with the outputs by position. The order of the list is
    that of a frame or a dict, not that of `model.output_names`.

    ## How to check
    Shapes and values of each target fit the head and loss of the other output, and not
    those of its own. Or, where each output sees other inputs, only the exchanged
    targets depend on them. Or the answers of a trained model fit the other targets.

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(0).normal(size=(256, 4)).astype("float32")
    age = 40 + 10 * x[:, :1]
    smokes = (x[:, 1:2] > 0).astype("float32")
    inputs = keras.Input((4,))
    hidden = keras.layers.Dense(16, "relu")(inputs)
    model = keras.Model(inputs, [
        keras.layers.Dense(1, name="age")(hidden),
        keras.layers.Dense(1, "sigmoid", name="smokes")(hidden),
    ])
    model.compile("adam", ["mse", "binary_crossentropy"])
    y = [smokes, age]
    print(model.output_names)
    ```

    ## Fix
    Name the targets: `y` may be a dict of the names of the outputs.

    ```python
    y = {"age": age, "smokes": smokes}
    ```

    ## When this is not the cause
    Two outputs of the same kind that see the same inputs can learn each other's
    targets: before training nothing tells which is meant.

    ## References
    [Keras issue 20346](https://github.com/keras-team/keras/issues/20346)
    """
    seen = exchanged_targets(snapshot)
    if seen is None:
        return None
    one, two = seen.first, seen.second
    messages = {
        "form": (
            f"The targets given to '{one}' ({_range(snapshot, one)}) fit only the head "
            f"and loss of '{two}', and those given to '{two}' "
            f"({_range(snapshot, two)}) fit '{one}'."
        ),
        "answers": (
            f"The answers of '{one}' fit the targets of '{two}', and the other way "
            f"round: skill {_pair(seen.skills[2:])}, and {_pair(seen.skills[:2])} with "
            "their own."
        ),
        "inputs": (
            f"What '{one}' sees of the inputs determines the targets of '{two}', and "
            f"the other way round: simple learners get R2 {_pair(seen.skills[2:])}, "
            f"and {_pair(seen.skills[:2])} with their own."
        ),
    }
    return found(
        messages[seen.how],
        _exchanged(snapshot, one, two),
        outputs=[one, two],
        how=seen.how,
        skills=seen.skills,
    )


def _range(snapshot, name):
    """The shape of the targets of an output, and what they are."""
    targets = np.asarray(snapshot.targets[snapshot.names.index(name)])
    shape = f"shape {targets.shape[1:]}, " if targets.ndim > 1 else ""
    values = np.unique(targets[np.isfinite(targets)])
    return f"{shape}{values[0]:.4g} to {values[-1]:.4g}"


def _pair(values):
    return " and ".join(f"{value:.2g}" for value in values)


def _exchanged(snapshot, one, two):
    """Code that exchanges the targets of two outputs."""
    if isinstance(snapshot.sample.y, dict):
        return f'y = {{**y, "{one}": y["{two}"], "{two}": y["{one}"]}}'
    i, j = snapshot.names.index(one), snapshot.names.index(two)
    return f"y = list(y)\ny[{i}], y[{j}] = y[{j}], y[{i}]  # or a dict by output names"
