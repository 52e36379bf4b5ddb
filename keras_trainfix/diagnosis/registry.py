"""The table of all checks: what documentation, `diagnose` and tests read them from."""

import inspect
from collections.abc import Callable
from typing import NamedTuple

from keras_trainfix.diagnosis.findings import DOCUMENTATION, SEVERITIES, Finding

CHECKS: dict[str, "Check"] = {}


class Check(NamedTuple):
    """One check.

    Attributes:
        code: Its code.
        name: The stable name of what it finds.
        severity: What its findings have unless they say otherwise.
        function: Function of a `OutputView` that returns `found(...)` or None.
        per_output: Whether it looks at each output, and not at the model once.
    """

    code: str
    name: str
    severity: str
    function: Callable
    per_output: bool

    @property
    def page(self):
        """The documentation, in Markdown."""
        return f"# {self.code} {self.name}\n\n{inspect.getdoc(self.function)}\n"

    @property
    def summary(self):
        """The first line of the documentation."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    def run(self, view):
        """The `Finding` of this check, or None."""
        found = self.function(view)
        if found is None:
            return None
        several = self.per_output and len(view.names) > 1
        return Finding(
            self.code,
            self.name,
            found.severity or self.severity,
            found.evidence,
            found.message or self.summary,
            found.fix,
            f"{DOCUMENTATION}{self.code}/",
            view.name if several else None,
        )


def find_check(word):
    """The `Check` of a code or a name, in capital letters or not; None without one."""
    word = word.strip().lower()
    return next((c for c in CHECKS.values() if word in (c.code.lower(), c.name)), None)


class Found(NamedTuple):
    """What the function of a check returns; see `found`."""

    message: str
    fix: str
    severity: str | None
    evidence: dict


def found(message="", fix="", severity=None, **evidence):
    """What a check has found.

    Args:
        message: String, what is wrong, with its numbers. Defaults to the first line of
            the documentation.
        fix: String, code to paste.
        severity: Another severity than that of the check.
        **evidence: What was measured.

    Returns:
        `Found`.
    """
    return Found(message, fix, severity, evidence)


def check(code, name, severity, per_output=True):
    """Registers a function of a `OutputView` as a check; its docstring is its page."""
    if severity not in SEVERITIES or code in CHECKS:
        raise ValueError(
            f"A check needs a new code and a severity of {SEVERITIES}. Received: "
            f"code={code!r}, severity={severity!r}."
        )

    def register(function):
        CHECKS[code] = Check(code, name, severity, function, per_output)
        return function

    return register
