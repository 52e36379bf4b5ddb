"""Runs the cases one by one and collects the findings."""

import time
from typing import NamedTuple

import keras
import numpy as np

from benchmarks.diagnosis import (
    faults_of_data,
    faults_of_experiments,
    faults_of_heads,
    faults_of_layers,
    faults_of_pipeline,
    faults_of_sequences,
    faults_of_skill,
    faults_of_training,
)
from benchmarks.diagnosis.cases import build, look, train
from benchmarks.diagnosis.data import UNAVAILABLE
from benchmarks.diagnosis.zoo import CASES, verified

FAULTS = [
    *faults_of_data.FAULTS,
    *faults_of_heads.FAULTS,
    *faults_of_sequences.FAULTS,
    *faults_of_layers.FAULTS,
    *faults_of_training.FAULTS,
    *faults_of_experiments.FAULTS,
    *faults_of_pipeline.FAULTS,
    *faults_of_skill.FAULTS,
]
NO_CAUSES = ("132",)  # a note about a simpler model, whatever its position
LEARNED = 0.8  # skill above which a training did not fail


class Healthy(NamedTuple):
    """Findings in one snapshot of a healthy training.

    Attributes:
        name: Of the case, with the seed.
        stage: `"fresh"`, `"early"` or `"trained"`.
        findings: List of `Finding`.
        skipped: Dict of code to reason.
        skill: Skill at the end; None before.
        is_verified: Whether the training really is healthy; None before the end.
    """

    name: str
    stage: str
    findings: list
    skipped: dict
    skill: float | None = None
    is_verified: bool | None = None


class Faulty(NamedTuple):
    """Findings in a faulty training.

    Attributes:
        name: Of the case, with the seed.
        fault: `Fault`.
        findings: List of `Finding`.
        skipped: Dict of code to reason.
        skill: Skill after training; None if not trained.
    """

    name: str
    fault: tuple
    findings: list
    skipped: dict
    skill: float | None

    @property
    def codes(self):
        """The codes found, in order, without `KTF`."""
        return [finding.code[3:] for finding in self.findings]

    @property
    def counts(self):
        """Whether the fault did harm, so that it must be found."""
        harmless = self.skill is not None and self.skill > LEARNED
        return not (self.fault.needs_harm and harmless)

    @property
    def missed(self):
        """The expected codes that were not found."""
        return [
            code
            for code in self.fault.expected
            if not set(code.split("|")) & set(self.codes)
        ]

    @property
    def is_first_right(self):
        """Whether the first finding is an accepted cause."""
        causes = [code for code in self.codes if code not in NO_CAUSES] or self.codes
        return bool(causes) and causes[0] in self.fault.first


def healthy(seeds, only=""):
    """Yields a `Healthy` per snapshot of each case whose name contains `only`."""
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
    """Yields a `Faulty` for each fault whose name or codes contain `only`."""

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
    """Trains and returns the skill; NaN if either fails, as a fault may cause."""
    try:
        train(case, model, data, case.epochs)
        return verified(model, data)[0]
    except Exception:
        return float("nan")


def each(cases, seeds, is_meant):
    """The cases with each seed, except those whose data are not available."""
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
