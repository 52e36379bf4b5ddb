"""One record per code, with everything the package knows about it.

Documentation, `diagnose`, ranking, `Diagnosis.fixed`, the callback and the benchmarks
read it from here, so that a change to one code is a change to one file.
"""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from keras_trainfix.diagnosis.findings import DOCUMENTATION, SEVERITIES, Finding

CHECKS: dict[str, "Check"] = {}

FIELD = re.compile(r"{(\w+)}")
OPTIONAL = re.compile(r"\[(.*?)\]")

# The symptoms of a model that gives one answer whatever the input.
ONE_ANSWER = ("KTF501", "KTF502", "KTF503", "KTF505", "KTF507")


class Family(NamedTuple):
    """The codes that begin with one digit.

    Attributes:
        title: String, as the documentation shows it.
        order: Integer, its place among the causes: a wrong head stops training
            whatever the data are, and their scale decides which learning rate is too
            high.
        left: String, why `Diagnosis.fixed` leaves a fault of this family to the user,
            unless the check has a repair.
        is_symptom: Whether its findings are what a fault does, not what it is.
    """

    title: str
    order: int
    left: str
    is_symptom: bool = False


FAMILIES = {
    "1": Family("Data", 1, "the data must change"),
    "2": Family("Head, loss and labels", 0, "the code of the model must change"),
    "3": Family("Normalization and freezing", 2, "the code of the model must change"),
    "4": Family("Weights and optimization", 3, "layers or training must change"),
    "5": Family("Collapse: the symptoms", 5, "a symptom of the cause", is_symptom=True),
    "6": Family("Found by experiment", 4, "the code of the model must change"),
}


@dataclass(frozen=True)
class Check:
    """One check, and all that is known of its code.

    Args:
        code: String such as `"KTF201"`: its digit after `KTF` names the family.
        name: The stable name (slug) of what it finds. The file is named for it.
        action: What to do about it, which follows "First": `"scale the inputs"`. Names
            in braces are those of the evidence; what stands in square brackets is left
            out if one of these is missing.
        severity: That of its findings, unless they have their own.
        scope: `"output"`: the function takes an `OutputView`, once for each output;
            `"model"`: it takes the `Snapshot`, once.
        function: Function that returns `found(...)` or None.
        order: Number, the place among findings of the same severity and family.
            Defaults to the number of the code.
        explains: Codes of the symptoms that it can cause.
        overrules: Codes of findings that cannot be given beside it, because they
            contradict it or only follow from it.
        sets_rate: Whether it decides which learning rate is too high, so that even a
            warning ranks before the errors of optimization that follow from it.
        exact: Whether it states what a step or a batch does, measured exactly, so that
            it ranks before statements of degree.
        of_degree: Whether it states how far something is from usual, so that its
            warning is a note where the model learns all the same, and the treatment of
            the cause makes no difference.
        mild: Whether its warnings only slow training down, or spoil a split or metric.
        follows: Function of another `Finding`: whether this one only follows from it,
            and ranks with the optimization.
        collapse: Whether it means that the predictions carry no information.
        at_start: Whether it is asked at new weights where training has ended a model.
        irreversible: Whether, as an error, no further training step can undo it.
        persistent: Whether more steps do not help, even for a warning.
        transient: Whether more steps may cure it.
        by_experiment: Whether it reads what the experiments have shown, and is asked
            when they have run.
        before_training: Whether it can be judged before the first step.
        inputs_only: Whether it can be judged where the model cannot be called.
        counts_as_note: Whether even a note can explain a failed training.
        repair: Function of a `RepairCase` that returns a `Change` for
            `Diagnosis.fixed`, or a string that says why there is none.
        new_weights: Whether the weights are useless once it is found.
        rate: How `CollapseDetector` moves the learning rate to rescue a training:
            `"lower"` or `"higher"`; None to leave it.
        aliases: Earlier names.
    """

    code: str
    name: str
    severity: str
    scope: str
    function: Callable[[Any], "Found | None"]
    action: str = ""
    order: float = 0
    explains: frozenset[str] = field(default_factory=frozenset)
    overrules: frozenset[str] = field(default_factory=frozenset)
    sets_rate: bool = False
    exact: bool = False
    of_degree: bool = False
    mild: bool = False
    follows: Callable[[Finding], bool] | None = None
    collapse: bool = False
    at_start: bool = False
    irreversible: bool = False
    persistent: bool = False
    transient: bool = False
    by_experiment: bool = False
    before_training: bool = True
    inputs_only: bool = False
    counts_as_note: bool = False
    repair: Callable | None = None
    new_weights: bool = False
    rate: str | None = None
    aliases: tuple[str, ...] = ()

    @property
    def family(self) -> Family:
        """The family of its code."""
        return FAMILIES[self.code[3]]

    @property
    def is_symptom(self) -> bool:
        """Whether it finds what a fault does, not what it is."""
        return self.family.is_symptom

    @property
    def page(self) -> str:
        """The documentation, in Markdown."""
        return f"# {self.code} {self.name}\n\n{inspect.getdoc(self.function)}\n"

    @property
    def summary(self) -> str:
        """The first line of the documentation."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    def action_for(self, finding: Finding) -> str:
        """What to do about a finding, with the numbers of its evidence.

        Args:
            finding: `Finding` of this check.
        """

        def filled(template: str) -> str:
            for key in FIELD.findall(template):
                value = finding.evidence.get(key)
                if value is None:
                    return ""
                words = value if isinstance(value, str) else f"{value:.3g}"
                template = template.replace(f"{{{key}}}", words)
            return template

        return filled(OPTIONAL.sub(lambda part: filled(part[1]), self.action))

    def run(self, subject: Any) -> Finding | None:
        """The `Finding` of this check, or None.

        Args:
            subject: `OutputView`, or `Snapshot` for a check of the model.
        """
        found = self.function(subject)
        if found is None:
            return None
        is_one_of_several = self.scope == "output" and len(subject.names) > 1
        return Finding(
            self.code,
            self.name,
            found.severity or self.severity,
            found.evidence,
            found.message or self.summary,
            found.fix,
            f"{DOCUMENTATION}{self.code}/",
            subject.name if is_one_of_several else None,
        )


def find_check(word: str) -> Check | None:
    """The `Check` of a code, name or earlier name in any case; None if unknown."""
    word = word.strip().lower()
    return next(
        (c for c in CHECKS.values() if word in (c.code.lower(), c.name, *c.aliases)),
        None,
    )


def codes_where(condition: Callable[[Check], Any]) -> set[str]:
    """The codes of the checks for which a condition holds."""
    return {code for code, check in CHECKS.items() if condition(check)}


def symptoms_of(code: str) -> frozenset[str]:
    """The codes of the symptoms that a fault can cause; none for an unknown code."""
    return CHECKS[code].explains if code in CHECKS else frozenset()


class Found(NamedTuple):
    """What the function of a check returns; see `found`."""

    message: str
    fix: str
    severity: str | None
    evidence: dict


def found(
    message: str = "", fix: str = "", severity: str | None = None, **evidence: Any
) -> Found:
    """The result of a check that found its fault.

    Args:
        message: String, what is wrong, with its numbers. Defaults to the first line of
            the documentation.
        fix: String, code to paste.
        severity: A severity other than that of the check.
        **evidence: The measured numbers.

    Returns:
        `Found`.
    """
    return Found(message, fix, severity, evidence)


def check(
    code: str, name: str, severity: str, scope: str = "output", **facts: Any
) -> Callable[[Callable], Callable]:
    """Registers a function as a check; its docstring is its page.

    Args:
        code: String such as `"KTF201"`.
        name: String, the slug.
        severity: `"error"`, `"warning"` or `"note"`.
        scope: `"output"` or `"model"`.
        **facts: The other fields of `Check`.

    Returns:
        Decorator that returns the function as it is.

    Raises:
        ValueError: If the code is taken, or an argument is invalid.
    """
    is_known = code[3:4] in FAMILIES and code not in CHECKS
    if not is_known or severity not in SEVERITIES or scope not in ("output", "model"):
        raise ValueError(
            "A check needs a new code of a family, a severity of "
            f"{', '.join(SEVERITIES)}, and the scope 'output' or 'model'. Received: "
            f"code={code!r}, severity={severity!r}, scope={scope!r}."
        )
    for key in ("explains", "overrules"):
        facts[key] = frozenset(facts.get(key, ()))
    facts.setdefault("order", int(code[3:]))

    def register(function: Callable) -> Callable:
        CHECKS[code] = Check(code, name, severity, scope, function, **facts)
        return function

    return register
