"""What the library shows outside of warnings and errors, and how it words numbers."""

import logging
import re
import sys
import textwrap
import time
import warnings
from collections.abc import Iterable
from types import FrameType, TracebackType

import keras

HEADING = "Exception encountered when calling"
COLORS_OF_TEXT = re.compile("\x1b\\[[0-9;]*m")
LIBRARIES = ("keras_trainfix", "keras", "contextlib", "tensorflow", "jax", "torch")
MOST_WORDS = 300  # letters of the text of an exception

logger = logging.getLogger("keras_trainfix")


def tell(message: str) -> None:
    """Prints `message`, or logs it if Keras' interactive logging is off."""
    if keras.config.is_interactive_logging_enabled():
        print(message)
    else:
        logger.info(message)


def warn_caller(message: str, category: type[Warning]) -> None:
    """Warns at the line of the user's own code, as of the call of `fit`.

    Args:
        message: String.
        category: Class of the warning.
    """
    frame = sys._getframe(1)
    while frame.f_back is not None and _is_library(frame):
        frame = frame.f_back
    warnings.warn_explicit(
        message,
        category,
        frame.f_code.co_filename,
        frame.f_lineno,
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )


def _is_library(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__", "").partition(".")[0] in LIBRARIES


def listed(names: Iterable[str], most: int = 5) -> str:
    """The first `most` names, quoted, and the number of those left out.

    Examples:
        >>> listed(["a", "b", "c"], most=2)
        "'a', 'b' and 1 more"
    """
    names = list(names)
    text = ", ".join(f"'{name}'" for name in names[:most])
    return text + (f" and {len(names) - most} more" if len(names) > most else "")


def count(number: int, noun: str) -> str:
    """A number with its noun, in the plural unless it is 1.

    Examples:
        >>> count(1, "layer"), count(2, "layer"), count(2, "batch")
        ('1 layer', '2 layers', '2 batches')
    """
    plural = "es" if noun.endswith(("s", "x", "ch", "sh")) else "s"
    return f"{number} {noun}" + ("" if number == 1 else plural)


def percent(share: float) -> str:
    """A share in percent, with three digits.

    Examples:
        >>> percent(0.125)
        '12.5 %'
    """
    return f"{100 * share:.3g} %"


def skill_in_words(skill: float) -> str:
    """A skill, or a coefficient of determination, as a person writes it.

    Examples:
        >>> [skill_in_words(skill) for skill in (0.934, -8.62, -112.3, -85099.0)]
        ['0.93', '-8.6', '-112', 'below -1000']
    """
    if skill < -1000:
        return "below -1000"
    digits = 2 if abs(skill) < 1 else 1 if abs(skill) < 10 else 0
    return f"{skill:.{digits}f}".replace("-0.00", "0.00")


def as_much(ratio: float) -> str:
    """A ratio of sizes, which ends with "as much" for numbers as a person writes them.

    Examples:
        >>> as_much(0.004), as_much(3.08)
        ('0.4 % as much', '3.1 times as much')
    """
    if ratio < 1:
        return f"{percent(ratio)} as much"
    number = f"{ratio:.2g}" if ratio < 100 else about(ratio)
    return f"{number} times as much"


def about(number: float) -> str:
    """A large number with two digits that count, without an exponent.

    Examples:
        >>> about(85099), about(7)
        ('85000', '7')
    """
    return f"{float(f'{number:.2g}'):.0f}"


def in_one_line(error: BaseException) -> str:
    """An exception as text: its class, and what it says first.

    Keras wraps the text of an exception in a layer in colors, a heading, and a list of
    the arguments.
    """
    text = COLORS_OF_TEXT.sub("", str(error))
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [""]
    first = lines[1] if lines[0].startswith(HEADING) and lines[1:] else lines[0]
    return f"{type(error).__name__}: {textwrap.shorten(first, MOST_WORDS)}"


class Progress:
    """A line that shows how far a loop is, and disappears at its end.

    It is written to the standard output if someone is watching: in a terminal or a
    notebook, with Keras' interactive logging on. A quick loop shows nothing.
    `keras.utils.Progbar` also writes its control characters into files, and a time per
    step where nothing is a step.

    Args:
        total: Integer, the number of units, or None if it is unknown. May be changed.
        unit: String, what is counted, in the singular.
        after: Float, the seconds before anything is shown, or None for `AFTER`.
            Defaults to `None`.
        label: String before it, what is done.

    Examples:
        >>> with Progress(3, "batch") as progress:
        ...     for done in range(3):
        ...         progress.update(done + 1)
    """

    AFTER = 1.0  # seconds
    WIDTH = 20  # characters of the bar
    INTERVAL = 0.1  # seconds between two updates

    def __init__(
        self,
        total: int | None,
        unit: str,
        after: float | None = None,
        label: str = "",
    ) -> None:
        self.total, self.unit, self.label = total, unit, label
        self._start = time.monotonic()
        self._next = self._start + (self.AFTER if after is None else after)
        self._shown = 0  # characters

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._write("")

    def update(self, done: int) -> None:
        """Shows that `done` units are done."""
        now = time.monotonic()
        if now < self._next or not _is_watched():
            return
        self._next = now + self.INTERVAL
        text = count(done, self.unit)
        if self.total and done:
            filled = min(self.WIDTH, self.WIDTH * done // self.total)
            left = max(0.0, (now - self._start) / done * (self.total - done))
            text = (
                f"{done}/{count(self.total, self.unit)} "
                f"[{'=' * filled:{self.WIDTH}}] {left:.0f} s left"
            )
        self._write(f"{self.label}: {text}" if self.label else text)

    def _write(self, text: str) -> None:
        """Replaces the line; the cursor stays behind it."""
        if text or self._shown:
            rest = " " * (self._shown - len(text))
            print(f"\r{text}{rest}", end="" if text else "\r", flush=True)
        self._shown = len(text)


def _is_watched() -> bool:
    if not keras.config.is_interactive_logging_enabled():
        return False
    is_terminal = getattr(sys.stdout, "isatty", bool)()
    return is_terminal or "ipykernel" in sys.modules
