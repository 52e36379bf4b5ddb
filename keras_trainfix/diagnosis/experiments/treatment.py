"""One record per treatment: what is replaced, and how the user does the same."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from keras_trainfix.diagnosis.experiments.mended import Mended
from keras_trainfix.diagnosis.experiments.training import Training
from keras_trainfix.diagnosis.findings import Finding

TREATMENTS: dict[str, "Treatment"] = {}


class Variant(NamedTuple):
    """A training with one thing replaced.

    Attributes:
        words: String that ends the sentence "it learns with ...".
        training: `Training`.
        code: String, what the user pastes.
        mend: Function that does the same to a `Mended` copy for good; None if the user
            has to do it.
    """

    words: str
    training: Training
    code: str
    mend: Callable[[Mended], None] | None = None


class Case(NamedTuple):
    """What a treatment gets.

    Attributes:
        training: `Training` of the user.
        snapshot: `Snapshot` of the model.
        findings: Tuple of each `Finding` so far.
    """

    training: Training
    snapshot: Any
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Treatment:
    """One thing that can be replaced by the textbook choice.

    Args:
        name: String, a slug.
        order: Integer, how much it changes: the smallest intervention first.
        variants: Function of a `Case` that yields each `Variant` that applies.
        codes: Codes of the findings whose cause it treats.
        in_fit: Whether a running `fit` may make the change once a trial has shown that
            it helps.
        sure: Those of the codes that are proof enough.
        is_pair: Whether it is two treatments together.
    """

    name: str
    order: int
    variants: Callable[[Case], Iterable[Variant]]
    codes: frozenset[str]
    in_fit: bool = False
    sure: frozenset[str] = frozenset()
    is_pair: bool = False


def treatment(
    name: str,
    order: int,
    codes: Iterable[str] = (),
    in_fit: bool = False,
    sure: Iterable[str] = (),
) -> Callable:
    """Registers a function of a `Case` as a treatment.

    Args:
        name: String, a slug.
        order: Integer, the place by the size of the intervention.
        codes: Codes of the findings whose cause it treats.
        in_fit: Whether a running `fit` may make the change once it is proven.
        sure: Those of the codes that are proof enough.

    Returns:
        Decorator that returns the function as it is.

    Raises:
        ValueError: If the name is taken.
    """
    if name in TREATMENTS:
        raise ValueError(
            f"A treatment needs a new name. Received: name={name!r}, which is taken."
        )

    def register(function: Callable) -> Callable:
        TREATMENTS[name] = Treatment(
            name, order, function, frozenset(codes), in_fit, frozenset(sure)
        )
        return function

    return register
