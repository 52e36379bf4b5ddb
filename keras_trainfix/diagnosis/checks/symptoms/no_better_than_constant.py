"""KTF505: a trained model that is no better than a constant."""

from typing import Any

import keras
import numpy as np

from keras_trainfix.diagnosis.checks.symptoms.collapse import (
    CONSTANT,
    FEW,
    LONG,
    is_one_class,
    steps_and_skill,
)
from keras_trainfix.diagnosis.fix_code import (
    has_one_input,
    recompiled,
    with_new_weights,
)
from keras_trainfix.diagnosis.measure.aim import has_other_aim
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView
from keras_trainfix.messages import as_much, skill_in_words

SOON = 50  # steps after which a classifier should not be confidently wrong
NO_SKILL = 0.01  # skill up to which a model is no better than the best constant
WORSE = -0.2  # skill that no weak signal explains
OPPOSITE = 0.4  # area under the curve


@check(
    "KTF505",
    "no-better-than-constant",
    "warning",
    action="check that inputs and targets belong together",
    scope="output",
    collapse=True,
    before_training=False,
)
def no_better_than_constant(view: OutputView) -> Found | None:
    """Predictions vary, but a constant would be as good.

    ## What you see
    Predictions look alive, but after hundreds of steps R2 is 0 or negative, or the
    accuracy is that of chance.

    ## Why it happens
    Inputs and labels do not belong together: one of the two was shuffled, sorted or
    shifted alone. Or inputs on an extreme scale hide the signal, or there is no signal.

    ## How to check
    ```python
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(7)
    x = rng.normal(size=(256, 8)).astype("float32")
    y = x[:, :1] + x[:, 1:2]
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.02), "mse")
    shuffled = rng.permutation(y)  # without x
    model.fit(x, shuffled, batch_size=32, epochs=40, verbose=0)
    print(((model.predict(x, verbose=0) - y) ** 2).mean(), y.var())
    ```

    ## Fix
    Shuffle both in the same order. A model must be able to overfit one batch of 8
    samples: if it can, look at the data.

    ```python
    order = rng.permutation(len(x))
    model.fit(x[order], y[order], batch_size=32, epochs=40, verbose=0)
    ```

    ## When this is not the cause
    Scores in the right order are not reported, even if their scale is off, as after
    class weights. On new data a model that memorized its training data also looks like
    this: check the training data as well.

    ## References
    [Zhang et al., 2017](https://arxiv.org/abs/1611.03530)
    """
    steps, seen = steps_and_skill(view, SOON)
    if seen is None or seen.samples < 4 * FEW or is_one_class(seen, steps):
        return None
    if steps < LONG and not _is_lost(view, seen):
        return None
    if view.loss.kind in ("similarity", "hinge") or not np.isfinite(seen.value):
        return None
    if seen.kind != "classes" and not seen.std_ratio >= CONSTANT:
        return None  # a constant: KTF501
    informs = seen.may_rank or (seen.is_informative and not _is_opposite(seen))
    if seen.value > NO_SKILL or informs or has_other_aim(view):
        return None
    learned = view.learnability
    if seen.value > WORSE and learned is not None and learned.is_absent:
        return None  # there may be no more: KTF131
    if seen.kind == "classes":
        chance = 1 / seen.classes_present
        if chance == 1 or seen.balanced_accuracy > 1.3 * chance:
            return None
    evidence: dict[str, Any] = {"std_ratio": seen.std_ratio, "iterations": steps}
    if seen.correlation is not None:
        evidence |= {"r2": seen.r2, "correlation": seen.correlation}
    else:
        evidence |= {
            "accuracy": seen.accuracy,
            "majority_accuracy": seen.majority_accuracy,
        }
    measure = "mean squared error" if seen.kind == "regression" else "cross-entropy"
    return found(
        f"After {steps} steps the {measure} is {seen.loss:.4g}, and the best constant "
        f"gets {seen.constant_loss:.4g} (skill {skill_in_words(seen.value)}), although "
        f"predictions vary {as_much(seen.std_ratio)} as targets.",
        _look_at_the_data(view),
        loss=seen.loss,
        constant_loss=seen.constant_loss,
        skill=float(seen.value),
        **evidence,
    )


def _is_opposite(seen):
    """Whether the order of predictions is the reverse of that of the targets."""
    if seen.correlation is not None:
        return seen.correlation < 0
    areas = [area for area in seen.auc if np.isfinite(area)]
    return bool(areas) and np.mean(areas) < OPPOSITE and max(areas) < 0.5


def _is_lost(view, seen):
    """Whether a classifier is confidently wrong, far more than early in training.

    With batch normalization, lagging statistics may cause this without any fault.
    """
    kind = keras.layers.BatchNormalization
    by_batch = any(isinstance(output.layer, kind) for output in view.layers)
    is_sure = seen.kind == "classes" and len(seen.classes_predicted) > 1
    return is_sure and seen.is_lost and not by_batch


def _look_at_the_data(view):
    """Code that shows whether inputs and targets belong together."""
    if not has_one_input(view.snapshot) or len(view.names) > 1:
        return "# do inputs and targets belong together? look at the first few of both"
    lines = "print(x[:5], y[:5])  # do x and y belong together? if so:\n"
    again = recompiled(view.model, lines + with_new_weights(view.model))
    return f"{again}\nmodel.fit(x[:8], y[:8], epochs=300)  # must learn 8 samples"
