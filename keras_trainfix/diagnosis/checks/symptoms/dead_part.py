"""KTF508: a column, an output or a class that was not learned, beside others."""

import numpy as np

from keras_trainfix.diagnosis.checks.symptoms.class_never_predicted import TELLS_APART
from keras_trainfix.diagnosis.checks.symptoms.collapse import is_improving, is_trained
from keras_trainfix.diagnosis.fix_code import recompiled, with_new_weights
from keras_trainfix.diagnosis.measure.aim import aims_at_targets, repeats_an_input
from keras_trainfix.diagnosis.measure.eval_pairs import read
from keras_trainfix.diagnosis.measure.linear_and_knn import column_skills, recalls
from keras_trainfix.diagnosis.measure.shortfall import has_no_skill, shortfall
from keras_trainfix.diagnosis.measure.skill import rank_correlation
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView
from keras_trainfix.diagnosis.thresholds import DEAD_PART, LIVING_PART, POSSIBLE_PART
from keras_trainfix.messages import skill_in_words

MOST = 16  # columns
ORDERS = 0.25  # rank correlation
FEWEST = 8  # rows of a class
FEWEST_ROWS = 32


@check(
    "KTF508",
    "dead-part",
    "error",
    action="check the targets of the part that is not learned",
    scope="output",
    order=800,
    overrules=("KTF507",),
    before_training=False,
)
def dead_part(view: OutputView) -> Found | None:
    """One column, output or class is not learned, although the rest is.

    ## What you see
    The mean score is fair. Column by column, or class by class, one of them has no
    skill at all: a box whose height is right and whose left edge is the mean.

    ## Why it happens
    Something breaks the tie between the inputs and this part of the targets: images
    that are mirrored without their boxes, a column that was shuffled or shifted, labels
    of one class that mean something else, class weights that are the wrong way round,
    or an output that does not reach the loss.

    ## How to check
    `diagnose` measures each column of a regression, each output and each class of a
    trained model, and lets simple learners predict it from the same inputs.

    ```python
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(0)
    x = np.tile(rng.normal(size=(128, 4)).astype("float32"), (2, 1))
    y = np.stack([x[:, 0] + x[:, 1], x[:, 2] - x[:, 3]], 1)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile(keras.optimizers.Adam(0.05), "mse")
    mirrored = y.copy()
    mirrored[128:, 0] *= -1
    model.fit(x, mirrored, batch_size=256, epochs=250, verbose=0)
    print(((model.predict(x, verbose=0) - y) ** 2).mean(0) / y.var(0))
    ```

    ## Fix
    Look at what happens to this part of the targets on its way to `fit`.

    ```python
    model.fit(x, y, batch_size=256, epochs=250, verbose=0)
    ```

    ## When this is not the cause
    If the inputs do not determine this part, it cannot be learned. It is a warning
    where simple learners cannot tell, and not reported where they find the other parts
    and not this one.

    ## References
    [Karpathy, A recipe for training neural networks, 2019](
    https://karpathy.github.io/2019/04/25/recipe/)
    """
    if not is_trained(view) or repeats_an_input(view):
        return None
    dead = _dead_output(view) or _dead_columns(view) or _dead_classes(view)
    if dead is None:
        return None
    message, severity, evidence = dead
    if not aims_at_targets(view):
        return None
    if severity == "error" and is_improving(view):
        severity = "warning"
    again = recompiled(view.model, with_new_weights(view.model))
    return found(
        f"After {view.iterations} steps {message}",
        f"print(y[:5])  # does this part belong to the inputs?\n{again}",
        severity=severity,
        iterations=view.iterations,
        **evidence,
    )


def _dead_output(view):
    """An output without skill beside others that have some."""
    others = [one.skill for one in view.snapshot.views() if one is not view]
    best = max(
        (o.value for o in others if o is not None and np.isfinite(o.value)),
        default=-np.inf,
    )
    if best < LIVING_PART:
        return None
    seen = shortfall(view)
    if seen is None or seen.kind != "constant":
        return None
    message = (
        "this output is no better than the best constant (skill "
        f"{skill_in_words(seen.skill)}); another has skill {best:.2f}."
    )
    evidence = {"part": "output", "skill": seen.skill, "best": float(best)}
    return message, None, evidence


def _dead_columns(view):
    pairs = read(view)
    if pairs is None or pairs.kind != "regression":
        return None
    _, answers, targets = pairs
    if not 2 <= targets.shape[1] <= MOST or len(targets) < FEWEST_ROWS:
        return None
    base = np.broadcast_to(targets.mean(0), targets.shape)
    skills = column_skills(answers, targets, base)
    ranks = [
        abs(rank_correlation(a, t)) for a, t in zip(answers.T, targets.T, strict=True)
    ]
    is_still = answers.std(0) < DEAD_PART * targets.std(0)
    is_dead = (skills < DEAD_PART) & ((np.array(ranks) < ORDERS) | is_still)
    is_alive = skills > LIVING_PART
    if not is_dead.any() or not is_alive.any():
        return None
    parts = _parts_of_columns(view, skills.shape)
    is_possible = is_dead & (parts > POSSIBLE_PART)
    is_certain = bool(is_possible.any())
    if not is_certain and (parts[is_alive] > POSSIBLE_PART).any():
        return None  # simple learners find the others, and not these
    chosen = np.flatnonzero(is_possible if is_certain else is_dead)
    worst, best = int(chosen[0]), int(np.nanargmax(skills))
    simple = ""
    if is_certain:
        simple = (
            f" Simple learners get R2 {parts[worst]:.2f} there, on held-out samples."
        )
    message = (
        f"column {worst} of the answers has no skill ({skills[worst]:.2g}), although "
        f"column {best} has {skills[best]:.2f}.{simple}"
    )
    evidence = {"part": "column", "columns": chosen[:20].tolist()}
    evidence["skills"] = skills[:20].tolist()
    return message, "error" if is_certain else "warning", evidence


def _parts_of_columns(view, shape):
    """What simple learners get in each column; NaN where they cannot judge."""
    learned = view.learnability
    is_known = learned is not None and learned.parts.shape == shape
    return learned.parts if is_known else np.full(shape, np.nan)


def _dead_classes(view):
    pairs, learned = read(view), view.learnability
    if pairs is None or pairs.kind != "classes" or learned is None:
        return None
    _, answers, targets = pairs
    target, classes = targets.argmax(1), targets.shape[1]
    own = recalls(target, answers.argmax(1), classes)
    counts = np.bincount(target, minlength=classes)
    simple = max(learned.linear.parts, learned.neighbours.parts, key=_mean)
    if simple.shape != own.shape or not np.nanmax(own) > LIVING_PART:
        return None
    if view.skill is None or len(view.skill.classes_predicted) < 2:
        return None  # KTF502
    if _mean(simple) < _mean(own) + POSSIBLE_PART:
        return None  # they lose another class instead
    if has_no_skill(view.skill):
        return None  # KTF507
    is_dead = (own < DEAD_PART) & (counts >= FEWEST) & (simple > LIVING_PART)
    if not is_dead.any():
        return None
    worst = int(np.flatnonzero(is_dead)[0])
    area = float((view.skill.auc or [])[worst])
    severity = None
    if area >= TELLS_APART:  # its score is right, and never the highest
        if view.trial is None or is_improving(view):
            return None
        severity = "warning"
    message = (
        f"the model recognizes {own[worst]:.0%} of the {counts[worst]} samples of "
        f"class {worst}, and simple learners {simple[worst]:.0%} on held-out "
        "samples."
    )
    evidence = {"part": "class", "classes": np.flatnonzero(is_dead)[:20].tolist()}
    evidence |= {"recalls": own[:20].tolist(), "area": area}
    return message, severity, evidence


def _mean(parts):
    return np.nanmean(parts) if np.isfinite(parts).any() else -np.inf
