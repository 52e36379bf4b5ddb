"""KTF132 linear-is-enough: tasks that a linear model solves as well."""

import keras

from keras_trainfix.diagnosis.checks.data.simple_learners import (
    TRAINED,
    described,
    evidence_of,
)
from keras_trainfix.diagnosis.fix_code import recompiled
from keras_trainfix.diagnosis.measure.aim import repeats_an_input
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView

SOLVED = 0.9  # coefficient of determination
ALMOST_PERFECT = 0.98  # accuracy
WORTHWHILE = 0.3  # skill of a linear model that a trained net does not exceed


@check(
    "KTF132",
    "linear-is-enough",
    "note",
    action="compare with a linear model",
    scope="output",
    before_training=False,
)
def linear_is_enough(view: OutputView) -> Found | None:
    """A linear model solves the task just as well.

    ## What you see
    A net of several layers, and no gain from adding more.

    ## Why it happens
    The targets are a weighted sum of the inputs, or a plane separates the classes. A
    linear model then trains faster, has no dead units and no dependence on a seed, and
    its weights can be interpreted. It is also the baseline for the net.

    ## How to check
    `diagnose` fits a linear model to up to 256 samples, each of them held out in turn.
    The note appears if it explains 90 % of the variance of the targets or gets 98 % of
    the classes right, so that a net has next to nothing to add. After 200 steps it also
    appears if the net, on these samples, is worse than the linear model on held-out
    ones.

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(0).normal(size=(256, 8)).astype("float32")
    y = x @ np.arange(8, dtype="float32")[:, None] + 3
    model = keras.Sequential([
        keras.Input((8,)),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(1),
    ])
    model.compile("adam", "mse")
    print(np.linalg.lstsq(np.c_[x, np.ones(256)], y)[1])  # error of a linear model
    ```

    ## Fix
    Use a single layer, or keep the net and compare it with one.

    ```python
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    ```

    ## When this is not the cause
    It never causes a failure, and a net does no harm. On data that vary more than these
    samples, the net may be better.

    ## References
    [Hastie et al., The Elements of Statistical Learning, chapters 3 and 4](
    https://hastie.su.domains/ElemStatLearn/)
    """
    shape = view.predictions.shape
    if view.task == "unknown" or len(shape) > 2 or repeats_an_input(view):
        return None
    if not _is_net_of_numbers(view):
        return None
    seen = view.learnability
    if seen is None or not seen.is_seen:
        return None
    linear, steps = seen.linear, view.iterations
    own = view.skill if steps >= TRAINED else None
    is_solved = _is_solved(seen)
    if not is_solved and not _beats(seen, own):
        return None
    what = (
        f"A linear model on the same inputs gets {described(seen, linear)} on held-out "
        f"ones of {seen.samples} samples"
    )
    evidence = evidence_of(seen) | {"iterations": steps}
    if own is not None:
        evidence["model_r2" if own.accuracy is None else "model_accuracy"] = (
            own.r2 if own.accuracy is None else own.accuracy
        )
        model = (
            f"R2 {own.r2:.2f}"
            if own.accuracy is None
            else f"{own.accuracy:.1%} correct"
        )
        what += f"; the model, after {steps} steps, {model} on these samples"
    return found(
        what + ".",
        recompiled(
            view.model,
            "model = keras.Sequential([\n"
            "    keras.Input(x.shape[1:]),\n"
            "    keras.layers.Flatten(),\n"
            "    keras.layers.BatchNormalization(),  # scales the inputs\n"
            f"    {_head(view, seen)},\n"
            "])",
        ),
        **evidence,
    )


def _head(view, seen):
    """The code of a head that fits the task, even where that of the model does not."""
    units, activation = view.head.units, view.head.activation
    if units == 1 and activation == "softmax":
        activation = "linear" if seen.kind == "regression" else "sigmoid"
    of_classes = f', "{activation}"' if activation in ("sigmoid", "softmax") else ""
    return f"keras.layers.Dense({units}{of_classes})"


def _is_net_of_numbers(view):
    """Whether there is one input, no ids, and more than one layer with weights."""
    is_ids = any(isinstance(o.layer, keras.layers.Embedding) for o in view.layers)
    if is_ids or len(view.inputs) > 1:
        return False
    layers = {
        id(output.layer)
        for output in view.layers
        if any(len(weight.shape) > 1 for weight in output.layer.weights)
    }
    return len(layers) > 1


def _is_solved(seen):
    linear = seen.linear
    if seen.kind == "regression":
        return linear.skill - 2 * linear.error >= SOLVED
    return linear.accuracy >= ALMOST_PERFECT and linear.skill >= WORTHWHILE


def _beats(seen, own):
    """Whether a trained model is no better, even on its training samples."""
    linear = seen.linear
    if own is None or linear.skill - 2 * linear.error < WORTHWHILE:
        return False
    if seen.kind == "regression":
        return linear.skill - 2 * linear.error >= own.r2
    return linear.accuracy - own.accuracy >= 0.02
