"""Whether the diagnosis names the fault of programs that it has never seen.

The programs lie beside the checkout, in `../shared/cases/programs` or in the folder
that `BENCHMARK_PROGRAMS` names; without it there is nothing to run. Each file has
`faulty()` and `repaired()`, as its folder's README says. Each program runs in a process
of its own, on the backend that it names, and is diagnosed before `fit` (with the
arguments that it gives to `fit`, and with its samples alone), during it, and after it.

Environment variables choose a part:

    BENCHMARK_PROGRAMS=DIR          the folder
    BENCHMARK_CASES="06"            programs whose name contains this
    BENCHMARK_PARTS="before"        without training
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.strangers.accepted import FIRST

BESIDE = Path(__file__).parents[3] / "shared/cases/programs"
MINUTES = 15  # for one program
STAGES = ("before", "samples", "during", "after")


def main(folder=None, parts=None, only=None):
    """Runs the programs and prints what was found first.

    Args:
        folder: Path of the programs; from the environment by default, like all.
        parts: `"before"`, or None for all stages.
        only: String; runs only programs whose name contains it.
    """
    from benchmarks.measure import asked_for  # loads Keras, before a program chooses

    folder = Path(folder or os.environ.get("BENCHMARK_PROGRAMS", BESIDE))
    _, parts, only = asked_for(None, parts, only)
    programs = [path for path in sorted(folder.glob("[0-9]*.py")) if only in path.name]
    if not programs:
        print(f"no programs in {folder}")
        return
    results = []
    for path in programs:
        result = run(path, parts)
        results.append((path.stem, result))
        print(_lines(path.stem, result), flush=True)
    _print_totals(results)


def run(path, parts=None):
    """What `python -m benchmarks.strangers.program` prints, as a dict."""
    command = [sys.executable, "-m", "benchmarks.strangers.program", str(path)]
    done = subprocess.run(
        [*command, parts or ""],
        capture_output=True,
        text=True,
        timeout=60 * MINUTES,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return json.loads(lines[-1]) if lines else {"error": done.stderr[-500:]}


def is_right(name, look):
    """Whether the first finding above a note is an accepted one."""
    codes = above_notes(look)
    return bool(codes) and codes[0] in FIRST.get(name[:2], ())


def above_notes(look):
    """The codes of a look that are above a note, in their order."""
    if not look or "findings" not in look:
        return []
    return [code for code, severity, _ in look["findings"] if severity != "note"]


def _lines(name, result):
    if "error" in result:
        return f"{name}: {result['error']}"
    lines = [name]
    for version in ("faulty", "repaired"):
        for stage in STAGES:
            look = result.get(version, {}).get(stage)
            if look is None:
                continue
            shown = " ".join(above_notes(look)) or "-"
            right = "right" if is_right(name, look) else ""
            seconds = f"{look['seconds']:.1f} s"
            lines.append(f"  {version:<9}{stage:<8}{seconds:>8}  {shown:<32} {right}")
            if "error" in look:
                lines.append(f"    {look['error']}")
    return "\n".join(lines)


def _print_totals(results):
    ran = [(name, result) for name, result in results if "error" not in result]

    def counted(condition):
        return sum(bool(condition(name, result)) for name, result in ran)

    def right(stages):
        return counted(
            lambda name, result: any(
                is_right(name, result["faulty"].get(stage)) for stage in stages
            )
        )

    def alarmed(_, result):
        return any(above_notes(look) for look in result["repaired"].values())

    def silent(_, result):
        look = result["faulty"].get("after")
        return look is not None and not above_notes(look)

    print(f"{len(ran)} of {len(results)} programs ran")
    print(f"right first before training: {right(('before',))}")
    print(f"  from the samples alone: {right(('samples',))}")
    print(f"right first before, during or after: {right(STAGES)}")
    print(f"silent after training: {counted(silent)}")
    print(f"repaired with a finding above note: {counted(alarmed)}")
