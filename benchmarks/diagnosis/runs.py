"""Runs the cases, one after the other, and keeps what was found in them."""

import time
from typing import NamedTuple

import keras
import numpy as np

from benchmarks.diagnosis import faults_of_data, faults_of_heads, faults_of_training
from benchmarks.diagnosis.cases import build, look, train
from benchmarks.diagnosis.data import UNAVAILABLE
from benchmarks.diagnosis.zoo import CASES, verified

FAULTS = [
    *faults_of_data.FAULTS,
    *faults_of_heads.FAULTS,
    *faults_of_training.FAULTS,
]
NO_CAUSES = ("132",)  # a note on an easier way, wherever it stands
LEARNED = 0.8  # skill with which a training did not fail


class Healthy(NamedTuple):
    """What was found in one look at a healthy training.

    Attributes:
        name: Of the case, with the seed.
        stage: `"fresh"`, `"early"` or `"trained"`.
        findings: List of `Finding`.
        skipped: Dict of code to reason.
        skill: At the end; None before.
        is_verified: Whether the training is healthy indeed; None before the end.
    """

    name: str
    stage: str
    findings: list
    skipped: dict
    skill: float | None = None
    is_verified: bool | None = None


class Faulty(NamedTuple):
    """What was found in a faulty training.

    Attributes:
        name: Of the case, with the seed.
        fault: `Fault`.
        findings: List of `Finding`.
        skipped: Dict of code to reason.
        skill: Of a trained one, else None.
    """

    name: str
    fault: tuple
    findings: list
    skipped: dict
    skill: float | None

    @property
    def codes(self):
        """The codes that were found, in their order, without `KTF`."""
        return [finding.code[3:] for finding in self.findings]

    @property
    def counts(self):
        """Whether the fault did harm, and is to be found."""
        harmless = self.skill is not None and self.skill > LEARNED
        return not (self.fault.needs_harm and harmless)

    @property
    def missed(self):
        """Those of the expected codes that were not found."""
        return [
            code
            for code in self.fault.expected
            if not set(code.split("|")) & set(self.codes)
        ]

    @property
    def is_first_right(self):
        """Whether the first finding is a cause."""
        causes = [code for code in self.codes if code not in NO_CAUSES] or self.codes
        return bool(causes) and causes[0] in self.fault.first


def healthy(seeds, only=""):
    """Yields a `Healthy` for each look at each case whose name has `only` in it."""
    for case, seed in each(CASES, seeds, lambda case: only in case.name):
        name = f"{case.name} #{seed}"
        model, data = build(case, seed)
        seen = look(model, data)
        yield Healthy(name, "fresh", seen.findings, seen.skipped)
        train(case, model, data, 1)
        seen = look(model, data, fit=False)
        yield Healthy(name, "early", seen.findings, seen.skipped)
        train(case, model, data, case.epochs)
        seen = look(model, data)
        yield Healthy(
            name, "trained", seen.findings, seen.skipped, *verified(model, data)
        )


def faulty(seeds, only=""):
    """Yields a `Faulty` for each fault with `only` in its name or among its codes."""

    def is_meant(fault):
        return only in fault.case.name or any(only in code for code in fault.expected)

    for fault, seed in each(FAULTS, seeds, is_meant):
        case = fault.case
        model, data = build(case, seed)
        skill = _skill_after(case, model, data) if fault.is_trained else None
        findings, skipped = [], {}
        try:
            seen = look(model, data)
            findings, skipped = seen.findings, seen.skipped
        except Exception as error:  # counts as a miss
            skipped["diagnose"] = f"{type(error).__name__}: {error}"
        yield Faulty(f"{case.name} #{seed}", fault, findings, skipped, skill)


def _skill_after(case, model, data):
    """Trains, and gives the skill; NaN if one of the two fails, as a fault may do."""
    try:
        train(case, model, data, case.epochs)
        return verified(model, data)[0]
    except Exception:
        return float("nan")


def each(cases, seeds, is_meant):
    """The cases with each seed, without those whose data cannot be had."""
    chosen = [case for case in cases if is_meant(case)]
    for seed in seeds:
        for number, case in enumerate(chosen, 1):
            name = getattr(case, "name", None) or case.case.name
            data = getattr(case, "data", None) or case.case.data
            if reason := _lacking(data):
                print(f"skipped: {name}: {reason}", flush=True)
                continue
            start = time.perf_counter()
            yield case, seed
            seconds = time.perf_counter() - start
            print(
                f"seed {seed} {number:>3}/{len(chosen)} {seconds:5.1f} s  {name}",
                flush=True,
            )
            keras.utils.clear_session()


def _lacking(data):
    try:
        data(np.random.default_rng(0))
    except UNAVAILABLE as error:
        return error
    return None
