"""The results of `losses` and `metrics`, kept in `benchmarks/results/<backend>.json`.

`docs/speed.py` makes the tables of `docs/benchmarks.md` from them.
"""

import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

import keras

from benchmarks import measure

FOLDER = Path(__file__).parent / "results"
BUDGET = 0.6  # seconds of measuring for each contestant, of a case
ENOUGH = 4.0  # seconds of one call, above which a contestant is left out
PACKAGES = {
    "tensorflow": ("tensorflow", "tensorflow_cpu"),
    "jax": ("jax",),
    "torch": ("torch", "monai", "torchmetrics"),
}


def name_of(shape):
    """A shape as text, which names a case."""
    return "x".join(map(str, shape))


def is_asked_for(case):
    """Whether the environment asks for a case; all its words must occur in it."""
    return all(word in case for word in os.environ.get("BENCHMARK_CASES", "").split())


def measured(contestants, floor):
    """Median seconds of contestants, and what was left out and why.

    Args:
        contestants: Dict of name to a function without arguments that builds what is
            measured, or raises.
        floor: Name of the contestant that the others are compared with.

    Returns:
        Two dicts, of name to seconds and of name to text.
    """
    runs, slow, left_out = {}, {}, {}
    for name, build in contestants.items():
        try:
            run = build()
            start = time.perf_counter()
            run()  # compiles
            first = time.perf_counter() - start
        except (MemoryError, RuntimeError, ValueError, TypeError) as error:
            left_out[name] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
            continue
        if first > 5 * ENOUGH:
            left_out[name] = f"the first call takes {first:.0f} s"
            continue
        once = measure.in_turns({name: run}, rounds=1, repeats=1, warm_up=0)
        if once[name] > ENOUGH:
            left_out[name] = f"a call takes {once[name]:.0f} s"
        elif once[name] > BUDGET:
            slow |= once
        else:
            runs[name] = run
    seconds = measure.in_turns(runs, rounds=9, repeats=1, warm_up=0, budget=BUDGET)
    seconds |= slow
    for name, value in seconds.items():
        print(f"  {name:<42} {value * 1e3:>9.2f} ms {value / seconds[floor]:>7.2f}")
    for name, reason in left_out.items():
        print(f"  {name:<42} left out: {reason}")
    return seconds, left_out


def compare(case, what, contestants, floor, limits):
    """Measures a case, keeps it, and prints what has a limit.

    Args:
        case: Name of the case.
        what: What is measured, for the first line.
        contestants: As `measured` takes them.
        floor: As `measured` takes it.
        limits: Triples of two contestants and the most that their ratio should be.
    """
    print(f"\n{case}: {what}, and its ratio to the floor")
    seconds, left_out = measured(contestants, floor)
    keep(case, seconds, left_out, floor)
    for name, theirs, limit in limits:
        if name in seconds and theirs in seconds:
            ratio = seconds[name] / seconds[theirs]
            print(f"{name} / {theirs}: {ratio:.2f} (at most {limit:.2g})")


def keep(case, seconds, left_out, floor):
    """Writes the results of a case into the file of the backend, if asked to.

    Args:
        case: Text that names what was measured.
        seconds: Dict of name to seconds, or with `floor=None` to bytes.
        left_out: Dict of name to the reason.
        floor: Name of the contestant that the others are compared with.
    """
    if not os.environ.get("BENCHMARK_KEEP"):
        return
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{keras.backend.backend()}.json"
    kept = json.loads(path.read_text("utf-8")) if path.exists() else {"cases": {}}
    kept |= {"backend": keras.backend.backend(), "machine": machine()}
    kept["versions"] = versions()
    digits = {name: float(f"{value:.4g}") for name, value in seconds.items()}
    kept["cases"][case] = {"floor": floor, "values": digits, "left out": left_out}
    path.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")


def machine():
    """The machine as the number of its cores and their model."""
    info = Path("/proc/cpuinfo")
    names = (
        re.findall(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else []
    )
    model = names[0].strip() if names else platform.processor()
    return f"{os.cpu_count()} cores, {model}"


def versions():
    """Dict of package to version, of Python and of what takes part."""
    found = {"python": platform.python_version(), "keras": keras.__version__}
    for name in ("numpy", *PACKAGES[keras.backend.backend()]):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def memory_of(module, case):
    """Dict of name to peak bytes, of the contestants of a module in a new process."""
    code = f"from benchmarks import {module} as b; b.print_memory({case!r})"
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | measure.FREED_AT_ONCE,
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(result.stdout.splitlines()[-1])
