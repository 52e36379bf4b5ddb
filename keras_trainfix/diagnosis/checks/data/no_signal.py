"""KTF131 no-signal: inputs that carry no information about the targets."""

import numpy as np

from keras_trainfix.diagnosis.checks.data.simple_learners import (
    TRAINED,
    described,
    evidence_of,
)
from keras_trainfix.diagnosis.measure.aim import has_fixed_targets
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView
from keras_trainfix.diagnosis.thresholds import NO_SKILL
from keras_trainfix.messages import skill_in_words

MEMORIZED = 0.9  # skill


@check(
    "KTF131",
    "no-signal",
    "warning",
    action="check that inputs and targets belong together",
    scope="output",
    explains=(*ONE_ANSWER, "KTF504"),
    before_training=False,
    counts_as_note=True,
)
def no_signal(view: OutputView) -> Found | None:
    """The inputs seem to carry no information about the targets.

    ## What you see
    The loss stays at that of the best constant answer whatever you change; or it falls
    on the training samples only, and the validation loss rises.

    ## Why it happens
    Inputs and targets do not belong together: one of the two was shuffled, sorted or
    shifted without the other, or the wrong column is used. Or the inputs lack what
    determines the targets. Then a large model memorizes its samples, a small one
    predicts the mean or the most frequent class, and both do what they should.

    ## How to check
    `diagnose` lets a linear model, one of squares and products, and nearest neighbors
    predict held-out samples. It compares the results with 200 random orders of the same
    targets, and with planted signals that explain 40 % of the targets. The finding
    appears if chance does as well and the planted signals were detected.

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
    print([np.corrcoef(column, y[:, 0])[0, 1] for column in x.T])
    ```

    ## Fix
    Look at a few samples with their targets, and shuffle both in the same order.

    ```python
    y = x[:, :1] + x[:, 1:2]
    order = rng.permutation(len(x))
    x, y = x[order], y[order]
    ```

    ## When this is not the cause
    A net can detect what simple learners cannot: the order of events in a long series,
    shapes anywhere in an image. So it is a note until the model itself is no better
    than a constant after 200 steps, and a note if the model has memorized its samples:
    then look at the validation loss. Too few samples, or too many features for them,
    give no finding.

    ## References
    [Zhang et al., 2017](https://arxiv.org/abs/1611.03530)
    """
    seen = view.learnability
    if seen is None or not seen.is_absent:
        return None
    steps, own = view.iterations, view.skill
    evidence = evidence_of(seen) | {
        "strength": seen.strength,
        "power": seen.power,
        "iterations": steps,
    }
    chance = "chance"
    if seen.majority is not None:
        chance += f" (the most frequent class has {seen.majority:.1%})"
    what = (
        f"On held-out ones of {seen.samples} samples neither a linear model "
        f"({described(seen, seen.linear)}) nor nearest neighbors "
        f"({described(seen, seen.neighbours)}) do better than {chance}. They would "
        f"have detected {seen.power:.0%} of signals of moderate strength."
    )
    severity = "note"
    if steps >= TRAINED and own is not None and np.isfinite(own.value):
        evidence["skill"] = float(own.value)
        of_model = f" After {steps} steps the model"
        if own.value >= MEMORIZED:
            what += f"{of_model} has memorized these samples (skill {own.value:.2f})."
        elif own.value < NO_SKILL and not own.is_informative and _is_judged(view):
            severity = "warning"
            what += (
                f"{of_model} is no better than a constant either "
                f"(skill {skill_in_words(own.value)})."
            )
    return found(
        what,
        "order = np.random.permutation(len(x))\n"
        "x, y = x[order], y[order]  # never only one of the two\n"
        "print(x[:5], y[:5])        # do these belong together?",
        severity=severity,
        **evidence,
    )


def _is_judged(view):
    """Whether the targets are what the model should predict: unknown for own losses."""
    is_known = view.loss.kind not in ("custom", "none", "similarity")
    return is_known and has_fixed_targets(view)
