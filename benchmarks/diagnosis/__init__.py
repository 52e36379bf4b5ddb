"""Whether the diagnosis names the causes of faults and leaves healthy trainings alone.

`faults` are trainings with a known fault, `zoo` are healthy ones; `report` counts the
findings of `diagnose`. Publish only numbers from seeds of 101 and above: seeds below
100 are for development, and thresholds may have been chosen on them.

Environment variables choose a part:

    BENCHMARK_SEEDS="101 102"       the seeds, 101 by default
    BENCHMARK_PARTS="zoo faults"    one of the two, or both
    BENCHMARK_CASES="LSTM"          cases whose name contains this, or with this code
"""

from benchmarks.diagnosis import report, runs
from benchmarks.measure import asked_for

SEEDS = (101,)
PARTS = "zoo faults"


def main(seeds=None, parts=None, only=None):
    """Runs the cases and prints the findings.

    Args:
        seeds: Integers; from the environment by default, like all arguments.
        parts: `"zoo"`, `"faults"`, or both.
        only: String; runs only cases whose name or codes contain it.
    """
    seeds, parts, only = asked_for(seeds, parts, only)
    seeds, parts = seeds or SEEDS, parts or PARTS
    if "zoo" in parts:
        report.of_healthy(runs.healthy(seeds, only))
    if "faults" in parts:
        report.of_faults(runs.faulty(seeds, only))
