"""Do the targets of two outputs fit the other output better than their own?"""

import itertools
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_trainfix.backend import no_gradient
from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.measure.eval_pairs import read
from keras_trainfix.diagnosis.measure.kernels import all_finite, rows_of_samples
from keras_trainfix.diagnosis.measure.learnability import learnability_of
from keras_trainfix.diagnosis.measure.shortfall import has_no_skill
from keras_trainfix.diagnosis.observe.layer_outputs import as_numpy, unchanged

FEW = 20  # distinct whole numbers: classes
LEARNED = 0.3  # skill
VOID = 255
MOST_OUTPUTS = 8
SAMPLES = 32
NUMBERS = ("regression", "count")
CLASSES = ("binary", "categorical", "sparse", "masked", "region")


class Exchange(NamedTuple):
    """Two outputs whose targets fit in the other order.

    Attributes:
        first: Name of an output.
        second: Name of the other.
        how: `"form"`: shapes and values fit only so; `"answers"`: the answers of a
            trained model do; `"inputs"`: only so each target depends on what its
            output sees.
        skills: List of four floats for `"answers"` and `"inputs"`: the skill of both
            with their own targets, and with those of the other; else empty.
    """

    first: str
    second: str
    how: str
    skills: list


@instrument("targets of two outputs exchanged")
def exchanged_targets(snapshot: Any) -> Exchange | None:
    """The first `Exchange`, or None where targets fit their outputs as they are."""
    views = [view for view in snapshot.views() if _has_numbers(view.targets)]
    if not 2 <= len(views) <= MOST_OUTPUTS:
        return None
    seen = inputs_of_outputs(snapshot) if len(snapshot.inputs) > 1 else {}
    for one, two in itertools.combinations(views, 2):
        if is_exchanged_by_form(one, two):
            return Exchange(one.name, two.name, "form", [])
        skills = _skills_of_answers(one, two)
        if skills is not None:
            return Exchange(one.name, two.name, "answers", skills)
        skills = _skills_of_inputs(one, two, seen)
        if skills is not None:
            return Exchange(one.name, two.name, "inputs", skills)
    return None


def is_exchanged_by_form(one: Any, two: Any) -> bool:
    """Whether shapes and values of targets fit only the other of two outputs."""
    own = fit_of(one, one.targets), fit_of(two, two.targets)
    other = fit_of(one, two.targets), fit_of(two, one.targets)
    # One misfit may be a fault of its own; two that vanish together are not.
    is_faulty = min(own) == 0 and max(own) < 2
    return is_faulty and min(other) == 2


def fit_of(view: Any, targets: np.ndarray) -> int:
    """How targets fit an output: 0 not, 1 oddly, 2 well.

    Args:
        view: `OutputView`.
        targets: Array of numbers, of this output or of another.
    """
    size, units = view.predictions.size, max(1, view.head.units)
    values = np.unique(targets[np.isfinite(targets)])
    if not values.size:
        return 0
    is_whole = bool((values == np.floor(values)).all())
    inside = bool(values[0] >= 0 and values[-1] <= 1)
    kind = view.loss.kind
    if kind in NUMBERS and not view.head.is_probability:
        if targets.size != size:
            return 0
        return 1 if is_whole and len(values) <= FEW else 2
    if kind not in CLASSES and not view.head.is_probability:
        return 2 if targets.size == size else 0
    if kind == "sparse" or (targets.size != size and units > 1):
        if targets.size * units != size or not is_whole or values[0] < 0:
            return 0
        largest = values[values != VOID].max(initial=0)
        if largest >= units:
            return 0
        return 2 if largest == units - 1 else 1
    return 2 if targets.size == size and inside else 0


def inputs_of_outputs(snapshot: Any) -> dict[str, set[str]]:
    """The names of the inputs that each output depends on, found by trying.

    Args:
        snapshot: `Snapshot` of a model with several inputs.
    """
    model, x = snapshot.model, snapshot.sample.x
    few = keras.tree.map_structure(lambda array: array[:SAMPLES], x)
    leaves = keras.tree.flatten(few)
    seen: dict[str, set[str]] = {name: set() for name in snapshot.names}
    with unchanged(model), no_gradient():

        def answers(arrays):
            packed = keras.tree.pack_sequence_as(few, arrays)
            given = model(packed, training=False)
            return [as_numpy(leaf) for leaf in keras.tree.flatten(given)]

        before = answers(leaves)
        for index, name in enumerate(snapshot.inputs):
            changed = list(leaves)
            changed[index] = np.roll(leaves[index], 1, axis=0)
            pairs = zip(snapshot.names, before, answers(changed), strict=True)
            for output, old, new in pairs:
                if not np.allclose(old, new, rtol=1e-4, atol=1e-6):
                    seen[output].add(name)
    return seen


def _has_numbers(targets):
    return targets is not None and np.asarray(targets).dtype.kind in "biuf"


def _skills_of_answers(one, two):
    """Of answers with own and with exchanged targets; None if there is no fault."""
    if one.predictions.shape != two.predictions.shape or not one.iterations:
        return None
    own = [one.skill, two.skill]
    other = [two.skill_of(one.predictions), one.skill_of(two.predictions)]
    if any(score is None for score in own + other):
        return None
    is_blank = all(map(has_no_skill, own))
    if not is_blank or min(score.value for score in other) < LEARNED:
        return None
    return [float(score.value) for score in own + other]


def _skills_of_inputs(one, two, seen):
    """Of simple learners that see what the outputs see; None if targets are fine."""
    first, second = seen.get(one.name, set()), seen.get(two.name, set())
    if not first - second or not second - first:
        return None
    if not all(map(all_finite, one.inputs.values())):
        return None
    found: list[float] = []
    for targets, names in ((one, first), (two, second), (two, first), (one, second)):
        learned = _learned(targets, names)
        if learned is None or not (learned.is_absent, learned.is_seen)[len(found) > 1]:
            return None
        found.append(float(max(learned.linear.skill, learned.neighbours.skill)))
    return found


def _learned(view, names):
    """How well the targets of an output can be learned from some inputs."""
    pairs = read(view)
    if pairs is None or len(pairs.targets) != len(view.predictions):
        return None
    inputs = [array for name, array in view.inputs.items() if name in names]
    with np.errstate(all="ignore"):
        rows = rows_of_samples(inputs, set(), pairs.targets)
        return None if rows is None else learnability_of(pairs.kind, rows)
