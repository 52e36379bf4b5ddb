"""Runs programs, each in a process of its own, and prints what was found.

A program is diagnosed before `fit` (with the arguments that it gives to `fit`, and
with its samples alone), during it, and after it, in its faulty and in its repaired
version. The faulty one is then trained as `Diagnosis.fixed` mends it, and as the code
to paste does.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.programs.runner.score import lines_of, print_totals

MINUTES = 15  # for one program
ROOT = Path(__file__).parents[3]


def run_all(paths, seeds=None, parts=None, only=None, first=None, backend=None):
    """Runs programs and prints each, and the totals of each half.

    Args:
        paths: List of `pathlib.Path`.
        seeds: List of integers, of which the first counts; None asks the environment,
            as for `parts` and `only`.
        parts: `"before"`, or None for all stages.
        only: String; runs only programs whose name contains it.
        first: Function of a path to the codes that may come first; by default, the
            program says so itself.
        backend: Name, for programs that need none; by default that of the environment.
    """
    from benchmarks.measure import asked_for  # loads Keras

    seeds, parts, only = asked_for(seeds, parts, only)
    chosen = [path for path in paths if only in path.name]
    if not chosen:
        print("no programs")
        return
    results = []
    for path in chosen:
        result = run(path, parts, seeds[0] if seeds else None, backend)
        if first is not None:
            result["first"] = first(path)
        results.append(result)
        print("\n".join([path.stem, *lines_of(result)]), flush=True)
    print_totals(results)


def run(path, parts=None, seed=None, backend=None):
    """What the process of a program prints, as a dict."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.programs.runner.process",
        str(path.resolve()),
    ]
    if parts:
        command.append(parts)
    if seed is not None:
        command.append(f"--seed={seed}")
    environment = dict(os.environ)
    if backend:
        environment["KERAS_BACKEND"] = backend
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60 * MINUTES,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"not done after {MINUTES} minutes"}
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return json.loads(lines[-1]) if lines else {"error": done.stderr[-500:]}
