"""Runs the whole test suite once per backend and sums the results up.

    python tests/run.py                          all three backends
    python tests/run.py --backends jax torch     some of them
    python tests/run.py --workers 1              in one process
    python tests/run.py -- -k freeze -x          with arguments for pytest

Each backend is asked what depends on it (`tests/scope.py`), in as many processes as
there are cores, each with one thread for the numbers: most tests wait for Python. A
file stays in one process, which builds its fixtures and compiles its shapes once. Keras
fixes its backend when it is imported, so that each backend has processes of its own.
Exits with 1 if a test fails, or if a backend ran none.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

BACKENDS = ("tensorflow", "jax", "torch")
ROOT = Path(__file__).resolve().parent.parent
OUTCOMES = ("passed", "failed", "skipped")
SLOWEST = 10


def run_backend(backend, pytest_arguments, workers=1, shared=None):
    """Runs pytest under `backend`.

    Args:
        backend: Name of the backend.
        pytest_arguments: List of strings.
        workers: How many processes run the tests.
        shared: Folder for what one backend writes and others read.

    Returns:
        The number of tests by outcome, and a `Counter` of the seconds of each file.
    """
    environment = {"OMP_NUM_THREADS": "1", **os.environ, "KERAS_BACKEND": backend}
    if shared is not None:
        environment["KERAS_TRAINFIX_WRITTEN"] = str(shared)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", f"--junitxml={report}"]
        if workers > 1:
            command += ["--numprocesses", str(workers), "--dist", "loadfile"]
        code = subprocess.call(command + pytest_arguments, cwd=ROOT, env=environment)
        counts, files = dict.fromkeys(OUTCOMES, 0), Counter()
        if report.exists():
            counts, files = read_report(report)
    if code not in (0, 5) and not counts["failed"]:
        counts["failed"] = 1  # pytest died, or could not start
    return counts, files


def read_report(path):
    """Reads a JUnit XML report: the outcomes, and the seconds of each file."""
    suite = ElementTree.parse(path).getroot().find("testsuite")
    number = {key: int(suite.get(key)) for key in ("tests", "failures", "errors")}
    failed = number["failures"] + number["errors"]
    skipped = int(suite.get("skipped"))
    passed = number["tests"] - failed - skipped
    files = Counter()
    for test in suite.iter("testcase"):
        files[test.get("classname").replace(".", "/") + ".py"] += float(
            test.get("time")
        )
    return dict(zip(OUTCOMES, (passed, failed, skipped), strict=True)), files


def print_slowest(files):
    """Prints the files that take longest, all backends together.

    Args:
        files: Dict of each backend to a `Counter` of the seconds of each file.
    """
    total = sum(files.values(), Counter()).most_common(SLOWEST)
    width = max([len(name) for name, _ in total], default=0)
    print(f"\n{'slowest files, in seconds':<{width}}", *(f"{b:>10}" for b in files))
    for name, _ in total:
        print(f"{name:<{width}}", *(f"{files[b][name]:>10.0f}" for b in files))


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=BACKENDS)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("pytest_arguments", nargs="*", metavar="-- ARGUMENT")
    options = parser.parse_args(arguments)
    results, files = {}, {}
    with tempfile.TemporaryDirectory() as shared:
        for backend in options.backends:
            print(f"\n=== {backend} ===", flush=True)
            start = time.monotonic()
            results[backend], files[backend] = run_backend(
                backend, options.pytest_arguments, options.workers, shared
            )
            results[backend]["seconds"] = time.monotonic() - start
    print_slowest(files)
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
