"""The suite tests what it says it tests."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from tests import run

ROOT = Path(__file__).parent.parent


def test_the_backend_asked_for_is_the_one_running():
    assert keras.backend.backend() == os.environ["KERAS_BACKEND"]


def test_without_a_backend_the_suite_refuses_to_run():
    environment = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"}
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/test_suite.py"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode != 0
    assert "KERAS_BACKEND must be set" in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("counts", "code"),
    [
        ({"passed": 3, "failed": 0, "skipped": 1}, 0),
        ({"passed": 3, "failed": 1, "skipped": 0}, 1),
        ({"passed": 0, "failed": 0, "skipped": 4}, 1),
    ],
)
def test_the_runner_fails_on_a_failure_and_on_an_empty_backend(
    monkeypatch, capsys, counts, code
):
    healthy = {"passed": 5, "failed": 0, "skipped": 0}
    results = {"jax": healthy, "torch": counts}
    monkeypatch.setattr(run, "run_backend", lambda name, *_: dict(results[name]))
    assert run.main(["--backends", "jax", "torch"]) == code
    expected = {key: healthy[key] + counts[key] for key in run.OUTCOMES}
    last = capsys.readouterr().out.strip().splitlines()[-1]
    assert last == ", ".join(f"{expected[key]} {key}" for key in run.OUTCOMES)


def test_the_runner_counts_a_pytest_that_died_as_failed(monkeypatch):
    monkeypatch.setattr(run.subprocess, "call", lambda *_, **__: -11)
    assert run.run_backend("jax", [])["failed"] == 1


@pytest.mark.gpu
def test_computes_on_the_gpu():
    device = str(getattr(keras.ops.ones((2,)), "device", ""))
    assert "cuda" in device.lower() or "gpu" in device.lower()
