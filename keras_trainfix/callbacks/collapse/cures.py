"""What a running `fit` can do about a cause: a treatment of the table, another rate."""

from collections.abc import Callable
from typing import NamedTuple

import keras

from keras_trainfix.diagnosis.experiments.mended import InPlace, Mended
from keras_trainfix.diagnosis.experiments.treatment import TREATMENTS
from keras_trainfix.diagnosis.findings import Cure, Diagnosis, Finding
from keras_trainfix.diagnosis.registry import CHECKS
from keras_trainfix.models.compiled import forget_compiled_functions
from keras_trainfix.models.optimizers import copy_of, inner_of


class Remedy(NamedTuple):
    """What to do about a cause.

    Attributes:
        rate: `"lower"` or `"higher"`, if the learning rate is to be changed.
        treatment: Name of the treatment to make, or None.
        cure: `Cure` that a trial has shown, or None.
        is_tried: Whether a trial has to show which treatment helps.
        keeps_weights: Whether to continue from the present weights, because they are
            good and something else is wrong.
    """

    rate: str | None = None
    treatment: str | None = None
    cure: Cure | None = None
    is_tried: bool = False
    keeps_weights: bool = False


LOWER = Remedy(rate="lower")
HIGHER = Remedy(rate="higher", keeps_weights=True)


def find_remedy(diagnosis: Diagnosis) -> tuple[Remedy | None, Finding | None]:
    """The mildest remedy for the first cause that has one.

    Args:
        diagnosis: `Diagnosis`.

    Returns:
        `(remedy, finding)`: a `Remedy`, and the `Finding` it is for. The finding is
        None if none has a remedy of its own; a lower rate may help even so. Both are
        None if the first cause needs another model or other data.
    """
    findings = [f for f in diagnosis.findings if f.severity != "note"]
    remedies = [remedy_of(finding.code) for finding in findings]
    if findings and remedies[0] is None:
        is_cause = not CHECKS[findings[0].code].is_symptom
        if is_cause and findings[0].severity == "error":
            return None, None
    for remedy, finding in zip(remedies, findings, strict=True):
        if remedy is not None:
            return remedy, finding
    return LOWER, None


def remedy_of(code: str) -> Remedy | None:
    """The `Remedy` of a finding, by its record and the treatments of its cause.

    Args:
        code: String.

    Examples:
        >>> import keras_trainfix.diagnosis.diagnose as _
        >>> remedy_of("KTF401").rate, remedy_of("KTF303").treatment
        ('lower', 'all-trainable')
    """
    rate = CHECKS[code].rate
    if rate is not None:
        return LOWER if rate == "lower" else HIGHER
    mine = [t for t in TREATMENTS.values() if code in t.codes and t.in_fit]
    sure = [treatment for treatment in mine if code in treatment.sure]
    if sure:
        return Remedy(treatment=sure[0].name, keeps_weights=True)
    return Remedy(is_tried=True) if mine else None


def make(model: keras.Model, mend: Callable[[Mended], None] | None) -> None:
    """Makes a change in a model that trains.

    Args:
        model: The compiled `keras.Model`.
        mend: Function that changes a `Mended`.
    """
    if mend is None:
        return
    before = list(map(id, model.trainable_variables))
    mended = InPlace(model)
    mend(mended)
    variables = model.trainable_variables
    if list(map(id, variables)) != before:
        model.optimizer = copy_of(model.optimizer, variables, with_state=False)
    inner = inner_of(model.optimizer)
    for name, value in mended.settings.items():
        setattr(inner, name, value)
    forget_compiled_functions([model])
