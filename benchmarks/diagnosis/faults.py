"""Faulty trainings, by the codes that have to be found in them.

Widths, depths, data and weights are drawn by the seed. What a fault does depends on
them: one whose training went well all the same is not counted, see `Fault.needs_harm`.
"""

from typing import NamedTuple

from benchmarks.diagnosis.cases import Case, adam


class Fault(NamedTuple):
    """A faulty training.

    Attributes:
        case: `Case`.
        expected: Tuple of codes that have to be found, without `KTF`. One such as
            `"121|205"` asks for either.
        first: Set of codes of which one has to be the first finding.
        is_trained: Whether it is looked at after its training, not before.
    """

    case: Case
    expected: tuple
    first: set
    is_trained: bool

    @property
    def needs_harm(self):
        """Whether it counts only where the training failed."""
        return self.is_trained


def before(expected, name, data, net, loss, optimizer=None, first="", **settings):
    """A `Fault` that has to be seen before any training.

    Args:
        expected: String of codes, `"101 205|206"`.
        name: String.
        data: A source of `data`.
        net: A net of `nets`.
        loss: As `compile` takes it.
        optimizer: Function that makes one; Adam by default.
        first: String of the codes that may come first; those expected by default.
        **settings: Of `Case`.

    Returns:
        `Fault`.
    """
    case = Case(name, data, net, loss, optimizer or adam(), 0, **settings)
    return _fault(case, expected, first, is_trained=False)


def after(expected, name, data, net, loss, optimizer, epochs, first="", **settings):
    """A `Fault` that has to be seen after `epochs` of training; see `before`."""
    case = Case(name, data, net, loss, optimizer, epochs, **settings)
    return _fault(case, expected, first, is_trained=True)


def _fault(case, expected, first, is_trained):
    accepted = first or expected
    return Fault(
        case,
        tuple(expected.split()),
        set(accepted.replace("|", " ").split()),
        is_trained,
    )
