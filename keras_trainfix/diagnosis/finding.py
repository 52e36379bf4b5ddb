"""What a diagnosis says: single findings, and all of them in order."""

import html
from dataclasses import dataclass, field

SEVERITIES = ("error", "warning", "note")  # from the worst
DOCUMENTATION = "https://keras-trainfix.readthedocs.io/codes/"


class DiagnosisError(ValueError):
    """What `Diagnosis.raise_for_errors` raises; its `diagnosis` says why."""

    def __init__(self, diagnosis):
        super().__init__(str(diagnosis))
        self.diagnosis = diagnosis


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        code: String such as `"KTF201"`. Never reused.
        name: String, a stable name of the bad pattern: `"softmax-on-one-unit"`.
        severity: `"error"` (it cannot learn so), `"warning"` (it costs, or may), or
            `"note"` (good to know, nothing is wrong).
        evidence: Dict of the numbers that were measured.
        message: String, what is wrong, with the evidence.
        fix: String, code to paste, or what to do.
        url: String, the page of the code.
        output: Name of the output of the model that it concerns, or None.
    """

    code: str
    name: str
    severity: str
    evidence: dict
    message: str
    fix: str
    url: str
    output: str | None = None

    def __str__(self):
        where = f" (output '{self.output}')" if self.output else ""
        lines = [f"{self.code} {self.name}: {self.severity}{where}", self.message]
        lines += [f"    {line}" for line in self.fix.splitlines()]
        return "\n".join([*lines, f"    {self.url}"])

    def to_dict(self):
        """The finding as a dict that JSON can hold."""
        return dict(vars(self))


@dataclass(frozen=True)
class Diagnosis:
    """All that was found, causes before symptoms and the strongest first.

    Attributes:
        findings: List of `Finding`.
        tasks: Dict of the name of each output to what it is taken for, such as
            `"binary classification"`.
        skipped: Dict of the code of each check that could not run to the reason.
    """

    findings: list[Finding]
    tasks: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self):
        """Whether there is nothing worse than a note."""
        return all(finding.severity == "note" for finding in self.findings)

    @property
    def codes(self):
        """The codes of the findings, in their order."""
        return [finding.code for finding in self.findings]

    def __str__(self):
        tasks = ", ".join(
            task if len(self.tasks) == 1 else f"{name}: {task}"
            for name, task in self.tasks.items()
        )
        first = f"Diagnosis of a model for {tasks}" if tasks else "Diagnosis"
        if not self.findings:
            return f"{first}: nothing found."
        return "\n\n".join([f"{first}:", *map(str, self.findings)])

    def _repr_html_(self):
        """The findings as a table, for notebooks."""
        cells = [
            "<tr>"
            f"<td><a href='{html.escape(f.url)}'>{f.code}</a><br>{f.severity}</td>"
            f"<td><b>{html.escape(f.name)}</b> {html.escape(f.output or '')}<br>"
            f"{html.escape(f.message)}<pre>{html.escape(f.fix)}</pre></td>"
            "</tr>"
            for f in self.findings
        ]
        head = html.escape(str(self).splitlines()[0])
        return f"<p>{head}</p><table>{''.join(cells)}</table>"

    def to_dict(self):
        """The diagnosis as a dict that JSON can hold."""
        return {
            "ok": self.ok,
            "tasks": self.tasks,
            "findings": [finding.to_dict() for finding in self.findings],
            "skipped": self.skipped,
        }

    def raise_for_errors(self):
        """Raises `DiagnosisError` if a finding is an error; returns the diagnosis."""
        if any(finding.severity == "error" for finding in self.findings):
            raise DiagnosisError(self)
        return self
