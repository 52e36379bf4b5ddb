"""Does the diagnosis name the causes of faulty trainings, and leave healthy ones alone?

`faults` are trainings with a known fault, `zoo` are healthy ones; `report` counts what
`diagnose` said of them. Numbers to publish come from seeds of 101 and above: those
below 100 are for development, and thresholds may have been chosen on them.

Environment variables choose a part:

    BENCHMARK_SEEDS="101 102"       the seeds, 101 by default
    BENCHMARK_PARTS="zoo faults"    one of the two, or both
    BENCHMARK_CASES="LSTM"          cases with this in their name, or this code
"""

from benchmarks.diagnosis import report, runs
from benchmarks.measure import asked_for

SEEDS = (101,)
PARTS = "zoo faults"


def main(seeds=None, parts=None, only=None):
    """Runs the cases and prints what was found.

    Args:
        seeds: Integers; those of the environment by default, as all arguments.
        parts: `"zoo"`, `"faults"`, or both.
        only: String: cases with this in their name or among their codes.
    """
    seeds, parts, only = asked_for(seeds, parts, only)
    seeds, parts = seeds or SEEDS, parts or PARTS
    if "zoo" in parts:
        report.of_healthy(runs.healthy(seeds, only))
    if "faults" in parts:
        report.of_faults(runs.faulty(seeds, only))
