"""Runs the whole test suite once per backend and sums the results up.

    python tests/run.py                          all three backends
    python tests/run.py --backends jax torch     some of them
    python tests/run.py --workers 1              in one process
    python tests/run.py -- -k freeze -x          with arguments for pytest

Tests run in as many processes as there are cores, each with one thread for the numbers:
most of them wait for Python. Keras fixes its backend when it is imported, so that each
backend has processes of its own. Exits with 1 if a test fails, or if a backend ran
none.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

BACKENDS = ("tensorflow", "jax", "torch")
ROOT = Path(__file__).resolve().parent.parent
OUTCOMES = ("passed", "failed", "skipped")


def run_backend(backend, pytest_arguments, workers=1):
    """Runs pytest under `backend`; returns the number of tests by outcome."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", f"--junitxml={report}"]
        if workers > 1:
            command += ["--numprocesses", str(workers)]
        code = subprocess.call(
            command + pytest_arguments,
            cwd=ROOT,
            env={"OMP_NUM_THREADS": "1", **os.environ, "KERAS_BACKEND": backend},
        )
        counts = read_report(report) if report.exists() else dict.fromkeys(OUTCOMES, 0)
    if code not in (0, 5) and not counts["failed"]:
        counts["failed"] = 1  # pytest died, or could not start
    return counts


def read_report(path):
    """Counts the outcomes in a JUnit XML report."""
    suite = ElementTree.parse(path).getroot().find("testsuite")
    number = {key: int(suite.get(key)) for key in ("tests", "failures", "errors")}
    failed = number["failures"] + number["errors"]
    skipped = int(suite.get("skipped"))
    passed = number["tests"] - failed - skipped
    return dict(zip(OUTCOMES, (passed, failed, skipped), strict=True))


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=BACKENDS)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("pytest_arguments", nargs="*", metavar="-- ARGUMENT")
    options = parser.parse_args(arguments)
    results = {}
    for backend in options.backends:
        print(f"\n=== {backend} ===", flush=True)
        start = time.monotonic()
        results[backend] = run_backend(
            backend, options.pytest_arguments, options.workers
        )
        results[backend]["seconds"] = time.monotonic() - start
    print("\nbackend      passed  failed  skipped  seconds")
    for backend, counts in results.items():
        numbers = "  ".join(f"{counts[key]:>{len(key)}}" for key in OUTCOMES)
        empty = "" if counts["passed"] else "  no test passed"
        print(f"{backend:<11}  {numbers}  {counts['seconds']:>7.0f}{empty}")
    total = {key: sum(c[key] for c in results.values()) for key in OUTCOMES}
    print(", ".join(f"{total[key]} {key}" for key in OUTCOMES))
    return int(total["failed"] > 0 or not all(c["passed"] for c in results.values()))


if __name__ == "__main__":
    sys.exit(main())
