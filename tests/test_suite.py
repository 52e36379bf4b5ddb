"""The suite tests what it says it tests."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import keras
import pytest

from tests import run, scope

ROOT = Path(__file__).parent.parent
TESTS = ROOT / "tests"


@pytest.mark.every_backend
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


def test_each_file_is_in_one_group():
    for path in TESTS.rglob("test_*.py"):
        assert scope.area(path.relative_to(TESTS)), f"{path} is in no area of scope.py"
    listed = [path for paths in scope.AREAS.values() for path in paths]
    assert len(listed) == len(set(listed))
    gone = [path for path in listed if not (TESTS / path).exists()]
    assert not gone, f"{gone} of scope.py: there are no such files"


@pytest.mark.parametrize(
    ("path", "markers", "everywhere"),
    [
        ("losses/test_keras.py", [], True),
        ("losses/test_keras.py", ["one_backend"], False),
        ("losses/test_keras.py", ["every_backend", "one_backend"], True),
        ("diagnosis/checks/data/test_no_signal.py", ["slow"], False),
        ("diagnosis/checks/data/test_no_signal.py", ["every_backend"], True),
        ("test_a_new_file_at_the_top.py", [], True),
    ],
)
def test_the_nearest_name_decides_where_a_test_runs(path, markers, everywhere):
    assert scope.on_every_backend(path, markers) == everywhere


def test_the_longest_path_decides(monkeypatch):
    areas = {"one_backend": ["a"], "every_backend": ["a/b", "a/test_c.py"]}
    monkeypatch.setattr(scope, "AREAS", areas)
    paths = ["a/test_a.py", "a/d/test_a.py", "a/b/d/test_a.py", "a/test_c.py", "ab/a"]
    groups = [scope.area(path) for path in paths]
    assert groups == ["one_backend"] * 2 + ["every_backend"] * 2 + [None]


@pytest.mark.parametrize("asked", ["auto", "framework", "all"])
@pytest.mark.parametrize("backend", run.BACKENDS)
def test_one_backend_is_asked_everything(asked, backend):
    assert scope.is_asked(asked, backend, everywhere=True)
    once = asked == "all" or (asked == "auto" and backend == "torch")
    assert scope.is_asked(asked, backend, everywhere=False) == once


def test_what_a_backend_is_not_asked_is_deselected():
    files = ["tests/test_suite.py", "tests/test_real_data.py"]
    options = ["--collect-only", "--quiet", "--scope", "framework"]
    result = subprocess.run(
        [sys.executable, "-m", "pytest", *files, *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "tests/test_suite.py::test_the_backend_asked_for" in result.stdout
    assert "tests/test_real_data.py" not in result.stdout
    assert "deselected" in result.stdout


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
    files = {"jax": Counter(a=3, b=1), "torch": Counter(b=7)}
    monkeypatch.setattr(
        run, "run_backend", lambda name, *_: (dict(results[name]), files[name])
    )
    assert run.main(["--backends", "jax", "torch"]) == code
    expected = {key: healthy[key] + counts[key] for key in run.OUTCOMES}
    lines = capsys.readouterr().out.strip().splitlines()
    assert lines[-1] == ", ".join(f"{expected[key]} {key}" for key in run.OUTCOMES)
    heading = next(i for i, line in enumerate(lines) if line.startswith("slowest"))
    slowest = [line.split() for line in lines[heading : heading + 3]]
    assert slowest[0][-2:] == ["jax", "torch"]
    assert slowest[1:] == [["b", "1", "7"], ["a", "3", "0"]]


def test_the_runner_counts_a_pytest_that_died_as_failed(monkeypatch):
    monkeypatch.setattr(run.subprocess, "call", lambda *_, **__: -11)
    counts, files = run.run_backend("jax", [])
    assert (counts["failed"], files) == (1, Counter())


def test_the_runner_adds_up_the_report(tmp_path):
    report = tmp_path / "report.xml"
    report.write_text(
        """<testsuites><testsuite tests="4" failures="1" errors="0" skipped="1">
        <testcase classname="tests.losses.test_a" name="x" time="1.5" />
        <testcase classname="tests.losses.test_a" name="y" time="2" />
        <testcase classname="tests.test_b" name="x" time="0.25" />
        </testsuite></testsuites>"""
    )
    counts, files = run.read_report(report)
    assert counts == {"passed": 2, "failed": 1, "skipped": 1}
    assert files == {"tests/losses/test_a.py": 3.5, "tests/test_b.py": 0.25}


@pytest.mark.every_backend
@pytest.mark.gpu
def test_computes_on_the_gpu():
    device = str(getattr(keras.ops.ones((2,)), "device", ""))
    assert "cuda" in device.lower() or "gpu" in device.lower()
