"""What a rescue did, as a record."""

import math
from typing import Any, NamedTuple

from keras_trainfix.diagnosis.findings import Finding


class Moment(NamedTuple):
    """When a rescue happens.

    Attributes:
        words: String that begins a sentence: `"epoch 1, step 4"`.
        step: Integer, steps so far.
        epoch: Integer, from 1.
        skill: Float, that of the last quick check.
    """

    words: str
    step: int
    epoch: int
    skill: float


class Rescue(dict[str, Any]):
    """One rescue: a dict that JSON can hold, and whose text is a sentence.

    Its keys are `"when"`, `"step"`, `"epoch"`, `"code"`, `"finding"`, `"treatment"`,
    `"skill_before"` and `"skill_after"`: that of the last check since, None before.

    Args:
        moment: `Moment`.
        finding: `Finding` that says what went wrong.
        treatment: String, what was done.

    Examples:
        >>> finding = Finding("KTF403", "dead-relu", "error", {}, "", "", "")
        >>> rescue = Rescue(Moment("epoch 1, step 4", 4, 1, 0.0), finding, "Slower")
        >>> print(rescue)
        epoch 1, step 4: KTF403 dead-relu. Slower.
        >>> rescue["code"], rescue["skill_before"], rescue["skill_after"]
        ('KTF403', 0.0, None)
    """

    def __init__(self, moment: Moment, finding: Finding, treatment: str) -> None:
        super().__init__(
            when=moment.words,
            step=moment.step,
            epoch=moment.epoch,
            code=finding.code,
            finding=finding.name,
            treatment=treatment,
            skill_before=_finite(moment.skill),
            skill_after=None,
        )

    def __str__(self) -> str:
        return f"{self['when']}: {self['code']} {self['finding']}. {self['treatment']}."

    def add(self, words: str, treatment: str) -> None:
        """Notes what followed, such as a rate that was raised again."""
        self["treatment"] += f"; {words}, {treatment}"

    def reach(self, skill: float) -> None:
        """Notes the skill of a check since."""
        self["skill_after"] = _finite(skill)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
