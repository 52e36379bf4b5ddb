"""How near sound and faulty trainings come to the thresholds of the diagnosis.

Each comparison with a `Threshold` is noted while the cases run. Of a sound training all
values count; of a faulty one those of a check that found its fault.
"""

import contextlib
import operator
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_trainfix.diagnosis.registry import CHECKS
from keras_trainfix.diagnosis.thresholds import Threshold, thresholds

NARROW = 1.5
CODES = {check.name.replace("-", "_"): check.code for check in CHECKS.values()}
COMPARISONS = {
    "__lt__": operator.lt,
    "__le__": operator.le,
    "__gt__": operator.gt,
    "__ge__": operator.ge,
}
UFUNCS = {np.less, np.less_equal, np.greater, np.greater_equal}


class Noted(NamedTuple):
    """A number that was compared with a threshold.

    Attributes:
        line: The `Threshold`.
        value: Float.
        code: Code of the check that asked; None if it was no check.
    """

    line: Threshold
    value: float
    code: str | None


class Margin(NamedTuple):
    """The values that come nearest to a line on both sides.

    Attributes:
        sound: Float, of a sound training; None without one.
        beyond: Integer, how many sound values are beyond the line, where another
            condition keeps the check silent.
        faulty: Float, of a fault that was found; None without one.
    """

    sound: float | None
    beyond: int
    faulty: float | None

    @property
    def ratio(self):
        """The larger of the two over the smaller; None if one is missing or below 0."""
        if self.sound is None or self.faulty is None:
            return None
        small, large = sorted((self.sound, self.faulty))
        return large / small if small > 0 else None


class Recorder:
    """Notes what thresholds are compared with.

    Attributes:
        sound: List of `Noted` of sound trainings.
        faulty: List of `Noted` of faults that were found.
    """

    def __init__(self):
        self.sound, self.faulty, self._now = [], [], []

    def of_healthy(self, runs):
        """Passes on each `Healthy`, and keeps what was noted for it."""
        for run in self._each(runs):
            self.sound += self._now
            yield run

    def of_faulty(self, runs):
        """Passes on each `Faulty`, and keeps what the checks noted that found it."""
        for run in self._each(runs):
            found = {finding.code for finding in run.findings}
            if not run.missed:
                self.faulty += [
                    one for one in self._now if one.code is None or one.code in found
                ]
            yield run

    def margins(self):
        """Dict of the name of each threshold to its `Margin`."""
        return {name: self._margin(line) for name, line in thresholds()}

    def _each(self, runs):
        with self._noting():
            iterator = iter(runs)
            while True:
                self._now = []
                try:
                    run = next(iterator)
                except StopIteration:
                    return
                yield run

    def _margin(self, line):
        sign = 1 if line.faulty > line.sound else -1

        def split(notes):
            values = [sign * one.value for one in notes if one.line is line]
            at = sign * float(line)
            return [v for v in values if v < at], [v for v in values if v >= at]

        within, beyond = split(self.sound)
        _, found = split(self.faulty)
        return Margin(
            sign * max(within) if within else None,
            len(beyond),
            sign * min(found) if found else None,
        )

    @contextlib.contextmanager
    def _noting(self):
        """While open, comparisons of a `Threshold` are noted."""
        for name, compare in COMPARISONS.items():
            setattr(Threshold, name, self._comparison(compare))

        def ufunc(line, function, method, *inputs, **kwargs):
            for value in inputs if function in UFUNCS else ():
                if value is not line:
                    self._note(line, value)
            plain = [float(x) if isinstance(x, Threshold) else x for x in inputs]
            return getattr(function, method)(*plain, **kwargs)

        Threshold.__array_ufunc__ = ufunc
        try:
            yield
        finally:
            for name in (*COMPARISONS, "__array_ufunc__"):
                delattr(Threshold, name)

    def _comparison(self, compare):
        def comparison(line, value):
            self._note(line, value)
            return compare(float(line), value)

        return comparison

    def _note(self, line, value):
        code, at = _asking(), float(line)
        values = np.ravel(np.asarray(value, "float64"))
        below, above = values[values < at], values[values >= at]
        nearest = [f(side) for f, side in ((max, below), (min, above)) if len(side)]
        self._now += [Noted(line, float(v), code) for v in nearest if np.isfinite(v)]


def _asking():
    """The code of the check that a comparison is made for."""
    frame = sys._getframe(2)
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.parent.parent.name == "checks":
            return CODES.get(path.stem)
        frame = frame.f_back
    return None


def show(margins):
    """Prints the margins.

    Args:
        margins: Dict of names to `Margin`.
    """
    lines = dict(thresholds())
    print(
        f"\n{'threshold':24}{'line':>10}{'sound':>11}{'faulty':>11}{'ratio':>7}  unit"
    )
    for name, margin in margins.items():
        ratio = margin.ratio
        narrow = " narrow" if ratio is not None and ratio < NARROW else ""
        beyond = f" ({margin.beyond} sound values beyond)" if margin.beyond else ""
        print(
            f"{name:24}{lines[name]:>10.3g}{_number(margin.sound):>11}"
            f"{_number(margin.faulty):>11}{_number(ratio):>7}  "
            f"{lines[name].unit}{beyond}{narrow}"
        )
    known = [margin.ratio for margin in margins.values() if margin.ratio is not None]
    few = sum(ratio < NARROW for ratio in known)
    print(f"\n{len(margins)} thresholds, {len(known)} ratios, {few} below {NARROW}")


def _number(value):
    return "-" if value is None else f"{value:.3g}"
