"""Whether the diagnosis names the fault of programs that it has never seen.

The programs lie beside the checkout, in `../shared/cases/programs` or in the folder
that `BENCHMARK_PROGRAMS` names; without it there is nothing to run. Each file has
`faulty()` and `repaired()`, as its folder's README says, and is run like those of
`benchmarks.programs`.

Environment variables choose a part:

    BENCHMARK_PROGRAMS=DIR          the folder
    BENCHMARK_CASES="06"            programs whose name contains this
    BENCHMARK_PARTS="before"        without training
"""

import os
from pathlib import Path

from benchmarks.programs.runner import run_all
from benchmarks.strangers.accepted import FIRST

BESIDE = Path(__file__).parents[3] / "shared/cases/programs"


def main(folder=None, parts=None, only=None):
    """Runs the programs and prints what was found, proven and cured.

    Args:
        folder: Path of the programs; from the environment by default, like all.
        parts: `"before"`, or None for all stages.
        only: String; runs only programs whose name contains it.
    """
    folder = Path(folder or os.environ.get("BENCHMARK_PROGRAMS", BESIDE))
    run_all(
        sorted(folder.glob("[0-9]*.py")),
        parts=parts,
        only=only,
        first=lambda path: FIRST.get(path.name[:2], ()),
        backend="tensorflow",
    )
