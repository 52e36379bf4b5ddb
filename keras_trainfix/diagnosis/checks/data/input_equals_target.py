"""KTF134 input-equals-target: the answer is among the inputs."""

import keras

from keras_trainfix.diagnosis.experiments.answers import Input, inputs_of
from keras_trainfix.diagnosis.experiments.instruments.copied_target import (
    Copy,
    copied_targets,
)
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView, Snapshot
from keras_trainfix.diagnosis.thresholds import (
    LEAST_CAUSAL,
    MOST_BEFORE_OF_COPY,
)
from keras_trainfix.diagnosis.trial.user_step import has_own_step

RELATIONS = {
    "equal": "is the target",
    "affine": "is the target, scaled and shifted",
    "round": "is the target, scaled and shifted",
    "monotone": "rises or falls exactly with the target",
    "one-to-one": "names the class of every sample",
}

FORMULAS = ("round", "monotone")  # how toy targets are made, more often than leaks


@check(
    "KTF134",
    "input-equals-target",
    "error",
    action="remove the target from the inputs",
    scope="model",
    exact=True,
)
def input_equals_target(snapshot: Snapshot) -> Found | None:
    """The target is among the inputs, so the model only has to copy it.

    ## What you see
    The loss falls to almost nothing within an epoch, also on validation data. In use,
    where the answer is not known yet, the model fails: a decoder repeats one token, or
    a table that scored 100 % gives bad predictions.

    ## Why it happens
    With teacher forcing, the decoder gets the target sequence as an input, one step
    behind: at each step it sees the tokens before the one to predict. Without the
    shift, it sees the token itself. In tables, a column may have been computed from the
    target, or be another form of it. `timeseries_dataset_from_array` pairs a window
    with the target at its first step, unless the targets begin later.

    ## How to check
    Compare inputs and targets: `np.array_equal(decoder_input, y)`.

    ```python
    import keras, numpy as np

    rng = np.random.default_rng(0)
    source = rng.integers(1, 9, (64, 5))
    y = np.roll(source, 1, axis=1)
    x = [source, y]  # the decoder gets what it has to answer
    a, b = keras.Input((5,), name="source"), keras.Input((5,), name="decoder")
    h = keras.layers.GRU(8)(keras.layers.Embedding(9, 8)(a))
    d = keras.layers.Embedding(9, 8)(b)
    d = keras.layers.GRU(8, return_sequences=True)(d, initial_state=h)
    model = keras.Model([a, b], keras.layers.Dense(9, activation="softmax")(d))
    model.compile("adam", "sparse_categorical_crossentropy")
    print(np.array_equal(x[1], y))
    ```

    ## Fix
    Shift the decoder input by one step and begin with a start token. Remove a column
    that is not known when the model is used.

    ```python
    x[1] = np.concatenate([np.zeros((64, 1), "int64"), y[:, :-1]], axis=1)
    ```

    ## When this is not the cause
    An autoencoder has its input as target; with a single input, only a causal model of
    tokens is reported. A second input that reaches the answer through a bottleneck, as
    in a conditional autoencoder, is not reported either. Losses and training steps of
    your own may shift the targets themselves. A column from which a simple formula
    gives the target, such as `y = 3 * x[:, 0] + 1`, is a note.

    ## References
    [Williams and Zipser, 1989](https://doi.org/10.1162/neco.1989.1.2.270);
    [Kaufman et al., Leakage in Data Mining, 2012](https://doi.org/10.1145/2382577.2382579).
    """
    several, is_own = len(inputs_of(snapshot)) > 1, has_own_step(snapshot.model)
    views = {view.name: view for view in snapshot.views()}
    for copy in copied_targets(snapshot) or ():
        if copy.kind == "column":
            return _column(copy)
        if copy.kind == "in window":
            return _in_window(copy)
        if is_own:
            continue
        if copy.kind == "answer":
            if several and copy.follows:
                return _reported(
                    copy,
                    f"Input '{copy.input.name}' is the target in all "
                    f"{snapshot.samples} samples examined, and the answers depend on "
                    "it.",
                )
        elif _can_copy(copy) if several else _is_causal(copy, views[copy.output]):
            return _steps(copy)
    return None


def _can_copy(copy: Copy) -> bool:
    """Whether a step of the input reaches the answer that it gives away."""
    if copy.before is None or copy.after is None:
        return False
    if copy.kind == "ahead":
        return copy.before <= LEAST_CAUSAL < copy.after
    return copy.before < MOST_BEFORE_OF_COPY


def _is_causal(copy: Copy, view: OutputView) -> bool:
    """Whether a model of one input reads tokens from left to right."""
    if copy.before is None or copy.after is None:
        return False
    if view.loss.kind in ("custom", "none"):
        return False
    kinds = [type(output.layer) for output in view.layers]
    if keras.layers.Embedding not in kinds or view.task == "regression":
        return False
    return copy.before <= LEAST_CAUSAL < copy.after


def _steps(copy: Copy) -> Found:
    code = copy.input.code
    if copy.kind == "ahead":
        return _reported(
            copy,
            f"At each step, input '{copy.input.name}' is the target of the step after "
            "it: it runs 1 step ahead, and gives the answers away.",
            f"{code} = np.roll({code}, 2, axis=1)  # now 1 step behind",
            f"{code}[:, :2] = 0  # the start token",
        )
    return _reported(
        copy,
        f"Input '{copy.input.name}' is the target at each of its "
        f"{copy.input.values.shape[1]} steps: the model copies it, and cannot answer "
        "without it.",
        f"{code} = np.roll({code}, 1, axis=1)  # 1 step behind the target",
        f"{code}[:, 0] = 0  # the start token",
    )


def _in_window(copy: Copy) -> Found:
    steps = copy.input.values.shape[1]
    return _reported(
        copy,
        f"Step {copy.column} of the {steps} steps of '{copy.input.name}' is the target "
        f"in all {len(copy.input.values)} samples examined: the windows contain what "
        "the model is to forecast.",
        "# a target comes after its window, with timeseries_dataset_from_array as well:"
        f"\n# data=series[:-{steps}], targets=series[{steps}:]",
        severity="warning",
    )


def _column(copy: Copy) -> Found:
    code, column = copy.input.code, copy.column
    return _reported(
        copy,
        f"Column {column} of '{copy.input.name}' {RELATIONS[copy.relation]} in all "
        f"{len(copy.input.values)} samples examined: the answer is among the inputs.",
        f"{code} = np.array({code})",
        f"{code}[..., {column}] = 0  # or drop the column, if it is not known in use",
        severity="note" if copy.relation in FORMULAS else "warning",
    )


def _reported(copy: Copy, message: str, *fix: str, severity: str | None = None):
    lines = fix or (f"{copy.input.code} = np.zeros_like({copy.input.code})",)
    before = _structure(copy.input)
    return found(
        message,
        "\n".join([*before, *lines]),
        severity,
        input=copy.input.name,
        output=copy.output,
        kind=copy.kind,
        column=copy.column,
        relation=copy.relation,
        before=copy.before,
    )


def _structure(one: Input) -> list[str]:
    """Code that makes a part of `x` assignable."""
    if one.key is None:
        return []
    return ["x = dict(x)" if isinstance(one.key, str) else "x = list(x)"]
