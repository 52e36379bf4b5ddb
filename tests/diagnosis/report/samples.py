"""Findings to show: for the tests of how a diagnosis looks."""

from xml.etree import ElementTree

from keras_trainfix.diagnosis.findings import Diagnosis, Finding
from keras_trainfix.diagnosis.report.plots import dead_shares, output_summary
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.nets import inputs, net

X = inputs()
Y = X[:, :1] + 1


def finding(code="KTF403", severity="error", output=None, **changes):
    name = {"KTF403": "dead-relu", "KTF501": "constant-prediction"}.get(code, "bad-it")
    values = {
        "name": name,
        "evidence": {"share": 1.0},
        "message": f"All 64 units of [layer] <dense> are 0, {'so very ' * 9}dead.",
        "fix": "do(this)\n\nthen(that)",
        "url": f"https://example.org/{code}/",
    }
    return Finding(code=code, severity=severity, output=output, **{**values, **changes})


CAUSE, SYMPTOM = finding(), finding("KTF501", message="All of 9 are 1.")


def parsed(markup):
    return ElementTree.fromstring(markup)


def full(findings=(CAUSE, SYMPTOM)):
    snapshot = Snapshot(net(), X, Y)
    outputs = tuple(map(output_summary, snapshot.views()))
    return Diagnosis(list(findings), {}, {}, outputs, dead_shares(snapshot.layers))
