"""Faulty trainings, with the codes that must be found in them.

The seed determines widths, depths, data and weights, and the effect of a fault depends
on them. A fault whose training succeeds anyway is not counted: see `Fault.needs_harm`.
"""

from typing import NamedTuple

from benchmarks.diagnosis.cases import Case, adam


class Fault(NamedTuple):
    """A faulty training.

    Attributes:
        case: `Case`.
        expected: Tuple of codes that must be found, without `KTF`. An entry such as
            `"121|205"` means either.
        first: Set of codes, one of which must be the first finding.
        is_trained: Whether it is diagnosed after training instead of before.
    """

    case: Case
    expected: tuple
    first: set
    is_trained: bool

    @property
    def needs_harm(self):
        """Whether it counts only if the training failed."""
        return self.is_trained


def before(expected, name, data, net, loss, optimizer=None, first="", **settings):
    """A `Fault` that must be found before training.

    Args:
        expected: String of codes, `"101 205|206"`.
        name: String.
        data: A source from `data`.
        net: A net from `nets`.
        loss: As for `compile`.
        optimizer: Function that creates one; Adam by default.
        first: String of codes that may come first; the expected ones by default.
        **settings: Arguments of `Case`.

    Returns:
        `Fault`.
    """
    case = Case(name, data, net, loss, optimizer or adam(), 0, **settings)
    return _fault(case, expected, first, is_trained=False)


def after(expected, name, data, net, loss, optimizer, epochs, first="", **settings):
    """A `Fault` that must be found after `epochs` of training; see `before`."""
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
