"""Is there anything to learn, and is a net needed? KTF131 and KTF132."""

import keras
import numpy as np

from keras_trainfix.diagnosis.registry import check, found

TRAINED = 200  # steps after which a model has had its chance


SOLVED = 0.9  # coefficient of determination


ALMOST_PERFECT = 0.98  # accuracy


WORTHWHILE = 0.3  # skill of a linear model that is no worse than a trained net


@check(
    "KTF132",
    "linear-is-enough",
    "note",
    scope="output",
    before_training=False,
)
def linear_is_enough(view):
    """A linear model solves the task as well.

    ## What you see
    A net of several layers, and no gain from more of them.

    ## Why it happens
    The targets are a weighted sum of the inputs, or the classes lie on two sides of a
    plane. A linear model is then quicker to train, has no dead units and no seeds to
    try, and its weights can be read. It is also the yardstick for the net.

    ## How to check
    A linear model is fitted to up to 256 samples, each of them held out in turn. The
    note appears where it explains 90 % of the variance of the targets or gets 98 % of
    the classes right: there is next to nothing left for a net to add. After 200 steps
    it appears as well where the net, on these samples, is worse than the linear model
    on held-out ones.

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
    ```

    ## Fix
    Use a single layer, or keep the net and compare it with one.

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(0).normal(size=(256, 8)).astype("float32")
    y = x @ np.arange(8, dtype="float32")[:, None] + 3
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    ```

    ## When this is not the cause
    It never is the cause of a failure, and a net does no harm. On data that differ more
    from each other than these samples do, it may be better.

    ## References
    [Hastie et al., The Elements of Statistical Learning, chapters 3 and 4](
    https://hastie.su.domains/ElemStatLearn/)
    """
    shape = view.predictions.shape
    if view.task == "unknown" or len(shape) > 2 or _repeats_an_input(view):
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
        f"A linear model on the same inputs gets {_result(seen, linear)} on held-out "
        f"ones of {seen.samples} samples"
    )
    evidence = _evidence(seen) | {"iterations": steps}
    if own is not None:
        evidence["model_r2" if own.accuracy is None else "model_accuracy"] = (
            own.r2 if own.accuracy is None else own.accuracy
        )
        model = (
            f"R2 {own.r2:.2f}" if own.accuracy is None else f"{own.accuracy:.1%} right"
        )
        what += f"; the model, after {steps} steps, {model} on these samples"
    units = view.head.units
    activation = view.head.activation
    head = f"keras.layers.Dense({units}"
    head += f', "{activation}")' if activation in ("sigmoid", "softmax") else ")"
    return found(
        what + ".",
        "model = keras.Sequential([\n"
        "    keras.layers.Flatten(),\n"
        "    keras.layers.BatchNormalization(),  # scales the inputs\n"
        f"    {head},\n"
        "])",
        **evidence,
    )


def _result(seen, learner):
    if seen.kind == "classes":
        return f"{learner.accuracy:.1%} right"
    return f"R2 {learner.skill:.2f} +- {learner.error:.2f}"


def _evidence(seen):
    evidence = {
        "samples": seen.samples,
        "features": seen.features,
        "linear_skill": seen.linear.skill,
        "linear_error": seen.linear.error,
        "neighbours_skill": seen.neighbours.skill,
        "neighbours_error": seen.neighbours.error,
    }
    if seen.kind == "classes":
        evidence |= {
            "linear_accuracy": seen.linear.accuracy,
            "neighbours_accuracy": seen.neighbours.accuracy,
            "majority_accuracy": seen.majority,
        }
    return evidence


def _is_net_of_numbers(view):
    """Whether there is one input, no ids, and more than one layer of weights."""
    is_ids = any(isinstance(o.layer, keras.layers.Embedding) for o in view.layers)
    if is_ids or len(view.inputs) > 1:
        return False
    layers = {
        id(output.layer)
        for output in view.layers
        if any(len(weight.shape) > 1 for weight in output.layer.weights)
    }
    return len(layers) > 1


def _repeats_an_input(view):
    """Whether the model is an autoencoder: linear models repeat inputs, too."""
    targets = view.targets
    return targets is not None and any(
        array.size == targets.size and np.array_equal(array.ravel(), targets.ravel())
        for array in view.inputs.values()
    )


def _is_solved(seen):
    linear = seen.linear
    if seen.kind == "regression":
        return linear.skill - 2 * linear.error >= SOLVED
    return linear.accuracy >= ALMOST_PERFECT and linear.skill >= WORTHWHILE


def _beats(seen, own):
    """Whether a trained model is no better on samples that it may have seen."""
    linear = seen.linear
    if own is None or linear.skill - 2 * linear.error < WORTHWHILE:
        return False
    if seen.kind == "regression":
        return linear.skill - 2 * linear.error >= own.r2
    return linear.accuracy - own.accuracy >= 0.02
