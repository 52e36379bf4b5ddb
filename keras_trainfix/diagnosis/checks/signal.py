"""Is there anything to learn, and is a net needed? KTF131 and KTF132."""

import keras
import numpy as np

from keras_trainfix.diagnosis.registry import check, found

TRAINED = 200  # steps after which a model has had its chance
NO_SKILL = 0.05
BY_HEART = 0.9  # skill
SOLVED = 0.9  # coefficient of determination
ALMOST_PERFECT = 0.98  # accuracy
WORTHWHILE = 0.3  # skill of a linear model that is no worse than a trained net


@check("KTF131", "no-signal", severity="warning")
def no_signal(probe):
    """The inputs seem to say nothing about the targets.

    ## What you see
    The loss stays at that of the best constant answer whatever you change; or it falls
    on the training samples alone, and the validation loss rises.

    ## Why it happens
    Inputs and targets do not belong together: one of the two was shuffled, sorted or
    shifted alone, or the wrong column is used. Or what decides the targets is not among
    the inputs. A large net then learns its samples by heart, a small one answers with
    the mean or the commonest class, and both do what they should.

    ## How to check
    A linear model, one of squares and products, and nearest neighbours answer held-out
    samples. What they get is compared with 200 random orders of the same targets, and
    with planted signals that explain 40 % of the targets: the finding appears where
    chance does as well, and the planted ones were seen.

    ```python
    import keras
    import numpy as np

    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 8)).astype("float32")
    y = x[:, :1] + x[:, 1:2]
    y = rng.permutation(y)  # shuffled, without x
    model = keras.Sequential([
        keras.Input((8,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(1),
    ])
    model.compile("adam", "mse")
    ```

    ## Fix
    Look at a few samples with their targets, and shuffle both by one order.

    ```python
    import keras
    import numpy as np

    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 8)).astype("float32")
    y = x[:, :1] + x[:, 1:2]
    order = rng.permutation(len(x))
    x, y = x[order], y[order]
    model = keras.Sequential([
        keras.Input((8,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(1),
    ])
    model.compile("adam", "mse")
    ```

    ## When this is not the cause
    A net can see what simple learners do not: the order of events in a long series,
    shapes wherever they are in an image. So it is a note until the model itself is no
    better than a constant after 200 steps, and a note where it knows its samples by
    heart: then look at the validation loss. Too few samples, or too many features for
    them, give no finding.

    ## References
    [Zhang et al., 2017](https://arxiv.org/abs/1611.03530)
    """
    seen = probe.signal
    if seen is None or not seen.is_absent:
        return None
    steps, own = probe.iterations, probe.skill
    evidence = _evidence(seen) | {
        "strength": seen.strength,
        "power": seen.power,
        "iterations": steps,
    }
    chance = "chance"
    if seen.majority is not None:
        chance += f" (the commonest class has {seen.majority:.1%})"
    what = (
        f"On held-out ones of {seen.samples} samples neither a linear model "
        f"({_result(seen, seen.linear)}) nor nearest neighbours "
        f"({_result(seen, seen.neighbours)}) do better than {chance}. Of signals of "
        f"moderate strength they would have seen {seen.power:.0%}."
    )
    severity = "note"
    if steps >= TRAINED and own is not None and np.isfinite(own.skill):
        evidence["skill"] = float(own.skill)
        of_model = f" After {steps} steps the model"
        if own.skill >= BY_HEART:
            what += f"{of_model} knows these samples by heart (skill {own.skill:.2f})."
        elif own.skill < NO_SKILL and not own.ranks and _is_judged(probe):
            severity = "warning"
            what += (
                f"{of_model} is no better than a constant either "
                f"(skill {own.skill:.2g})."
            )
    return found(
        what,
        "order = np.random.permutation(len(x))\n"
        "x, y = x[order], y[order]  # never one of the two alone\n"
        "print(x[:5], y[:5])        # do these belong together?",
        severity=severity,
        **evidence,
    )


@check("KTF132", "linear-is-enough", severity="note")
def linear_is_enough(probe):
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
    shape = probe.predictions.shape
    if probe.task == "unknown" or len(shape) > 2 or _repeats_an_input(probe):
        return None
    if not _is_net_of_numbers(probe):
        return None
    seen = probe.signal
    if seen is None or not seen.is_seen:
        return None
    linear, steps = seen.linear, probe.iterations
    own = probe.skill if steps >= TRAINED else None
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
    units = shape[-1] if len(shape) > 1 else 1
    activation = probe.head.activation
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


def _is_judged(probe):
    """Whether targets are what the model is to answer: not so in every own loss."""
    return probe.loss.kind not in ("custom", "none", "similarity")


def _is_net_of_numbers(probe):
    """Whether there is one input, no ids, and more than one layer of weights."""
    is_ids = any(isinstance(o.layer, keras.layers.Embedding) for o in probe.layers)
    if is_ids or len(probe.inputs) > 1:
        return False
    layers = {
        id(output.layer)
        for output in probe.layers
        if any(len(weight.shape) > 1 for weight in output.layer.weights)
    }
    return len(layers) > 1


def _repeats_an_input(probe):
    """Whether the model is an autoencoder: linear models repeat inputs, too."""
    targets = probe.targets
    return targets is not None and any(
        array.size == targets.size and np.array_equal(array.ravel(), targets.ravel())
        for array in probe.inputs.values()
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
