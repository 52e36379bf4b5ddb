"""Small programs that fail as those of public threads did, and their repair.

Each file beside this one is rebuilt from the thread at its `URL`, in other words and
with data that it makes itself. It has

    CAUSE       the cause, in a sentence
    FIRST       the codes that may come first, some with words that their message must
                hold, as in "KTF601: inputs standardized"; () if none names the cause
    HALF        "chosen" or "held out"; the latter never chooses a threshold
    QUALITY     the better of the faulty and the worse of the repaired, on two seeds
    BACKEND     if the fault needs one
    faulty()    a `common.Run`: the model, samples, `fit` and `quality`
    repaired()  the same without the fault

Environment variables choose a part:

    BENCHMARK_CASES="poisson"       programs whose name contains this
    BENCHMARK_PARTS="before"        without training
    BENCHMARK_SEEDS="3"             another seed
"""

from pathlib import Path

from benchmarks.programs.runner import run_all

FOLDER = Path(__file__).parent


def programs():
    """The paths of the programs, in the order of their names."""
    return [
        path
        for path in sorted(FOLDER.glob("*.py"))
        if path.stem not in ("__init__", "common")
    ]


def main(seeds=None, parts=None, only=None):
    """Runs the programs and prints what was found, proven and cured.

    Args:
        seeds: List of integers, of which the first counts; from the environment by
            default, like all.
        parts: `"before"`, or None for all stages.
        only: String; runs only programs whose name contains it.
    """
    run_all(programs(), seeds=seeds, parts=parts, only=only)
