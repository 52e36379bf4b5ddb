"""Looks at a model and its data before training, and names what is wrong."""

import importlib
import pkgutil

from keras_trainfix.diagnosis import checks
from keras_trainfix.diagnosis.finding import SEVERITIES, Diagnosis
from keras_trainfix.diagnosis.probe import Look
from keras_trainfix.diagnosis.registry import CHECKS

for _module in pkgutil.iter_modules(checks.__path__):
    importlib.import_module(f"{checks.__name__}.{_module.name}")


def diagnose(model, x, y=None, *, sample_weight=None):
    """Looks at a model and a few samples, and names what keeps it from learning.

    Up to 256 samples go through the model once, in inference mode. The model, its
    weights and its compiled functions stay as they are.

    Args:
        model: A built `keras.Model`, compiled if its loss is to be judged.
        x: Inputs: arrays, a dict or list of them; `(x, y)` or `(x, y, sample_weight)`;
            or batches as `fit` takes them.
        y: Targets, if `x` are arrays.
        sample_weight: Weights, if `x` are arrays.

    Returns:
        `Diagnosis`: `.findings`, causes before symptoms; `.ok`; printing it shows them.

    Raises:
        ValueError: If there is no sample, or if they do not fit the model.
        TypeError: If `x` is nothing to read samples from.
    """
    probes = Look(model, x, y, sample_weight).probes()
    findings, skipped = [], {}
    for check in CHECKS.values():
        for probe in probes if check.per_output else probes[:1]:
            try:
                finding = check.run(probe)
            except Exception as error:  # a check that fails must not hide the others
                skipped[check.code] = f"{type(error).__name__}: {error}"
                continue
            if finding is not None:
                findings.append(finding)
    tasks = {probe.name: probe.task for probe in probes}
    return Diagnosis(sorted(findings, key=_order), tasks, skipped)


def _order(finding):
    """Errors first; of these causes, which have the lower codes, before symptoms."""
    return SEVERITIES.index(finding.severity), _family(finding.code), finding.code


def _family(code):
    """Wrong pairs of head and loss stop training whatever else is wrong."""
    return "2134".find(code[3]) if code[3] != "5" else 9
