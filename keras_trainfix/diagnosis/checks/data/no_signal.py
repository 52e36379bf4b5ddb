"""Is there anything to learn, and is a net needed? KTF131 and KTF132."""

import numpy as np

from keras_trainfix.diagnosis.registry import ONE_ANSWER, check, found

TRAINED = 200  # steps after which a model has had its chance


NO_SKILL = 0.05


BY_HEART = 0.9  # skill


@check(
    "KTF131",
    "no-signal",
    "warning",
    scope="output",
    explains=(*ONE_ANSWER, "KTF504"),
    before_training=False,
    counts_as_note=True,
)
def no_signal(view):
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
    seen = view.learnability
    if seen is None or not seen.is_absent:
        return None
    steps, own = view.iterations, view.skill
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
    if steps >= TRAINED and own is not None and np.isfinite(own.value):
        evidence["skill"] = float(own.value)
        of_model = f" After {steps} steps the model"
        if own.value >= BY_HEART:
            what += f"{of_model} knows these samples by heart (skill {own.value:.2f})."
        elif own.value < NO_SKILL and not own.is_informative and _is_judged(view):
            severity = "warning"
            what += (
                f"{of_model} is no better than a constant either "
                f"(skill {own.value:.2g})."
            )
    return found(
        what,
        "order = np.random.permutation(len(x))\n"
        "x, y = x[order], y[order]  # never one of the two alone\n"
        "print(x[:5], y[:5])        # do these belong together?",
        severity=severity,
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


def _is_judged(view):
    """Whether targets are what the model is to answer: not so in every own loss."""
    return view.loss.kind not in ("custom", "none", "similarity")
