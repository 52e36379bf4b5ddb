"""The order of findings: what to repair first stands first."""

import functools

from keras_trainfix.diagnosis.findings import SEVERITIES

# Errors of a kind, by how surely what is wrong follows from what stands before it: a
# wrong head stops training whatever the data are; the scale of the data decides which
# learning rate is too high; and that kills units.
FAMILIES = "2134"
OPTIMIZATION = (407, 408, 401, 411, 402, 406, 405, 403, 404, 409, 410)
# Of these even a warning explains the errors of optimization that follow from it.
SCALES = ("KTF101", "KTF111")
# As warnings: what makes training slower, or spoils a split or a metric.
MILD = ("KTF127", "KTF206", "KTF207")
STILL = 1e-4  # of the weights: with such steps statistics have nothing to fall behind


def ranked(findings):
    """Findings, causes before symptoms, the strongest first, notes last."""
    codes = {f.code for f in findings if f.severity == "error"}
    optimization_fails = any(code.startswith("KTF4") for code in codes)
    key = functools.partial(_rank, optimization_fails, any(map(_is_still, findings)))
    return sorted(findings, key=key)


def _is_still(finding):
    change = finding.evidence.get("update_ratio", 0.0)
    return finding.code == "KTF402" and change < STILL


def _rank(optimization_fails, is_still, finding):
    code, severity = finding.code, SEVERITIES.index(finding.severity)
    is_note, is_symptom = finding.severity == "note", code.startswith("KTF5")
    if code in SCALES and optimization_fails and not is_note:
        severity = 0
    number = int(code[3:])
    place = OPTIMIZATION.index(number) if number in OPTIMIZATION else number
    family = FAMILIES.find("4" if code == "KTF301" and is_still else code[3])
    is_mild = code in MILD and finding.severity == "warning"
    return is_note, is_symptom, severity, is_mild, family, place
