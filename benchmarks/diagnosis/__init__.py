"""Whether the diagnosis names the causes of faults and leaves healthy trainings alone.

`faults` are trainings with a known fault, `zoo` are healthy ones; `report` counts the
findings of `diagnose`. Publish only numbers from seeds of 101 and above: seeds below
100 are for development, and thresholds may have been chosen on them.

Environment variables choose a part:

    BENCHMARK_SEEDS="101 102"       the seeds, 101 by default
    BENCHMARK_PARTS="zoo faults"    one of the two, or both; "margins" is both, and
                                    how near they come to the thresholds
    BENCHMARK_CASES="LSTM"          cases whose name contains this, or with this code
"""

from benchmarks.diagnosis import margins, report, runs
from benchmarks.measure import asked_for

SEEDS = (101,)
PARTS = "zoo faults"


def main(seeds=None, parts=None, only=None):
    """Runs the cases and prints the findings.

    Args:
        seeds: Integers; from the environment by default, like all arguments.
        parts: `"zoo"`, `"faults"`, both, or `"margins"`.
        only: String; runs only cases whose name or codes contain it.
    """
    seeds, parts, only = asked_for(seeds, parts, only)
    seeds, parts = seeds or SEEDS, parts or PARTS
    healthy, faulty = runs.healthy(seeds, only), runs.faulty(seeds, only)
    if "margins" in parts:
        recorder = margins.Recorder()
        healthy, faulty = recorder.of_healthy(healthy), recorder.of_faulty(faulty)
        parts = f"{PARTS} margins"
    if "zoo" in parts:
        report.of_healthy(healthy)
    if "faults" in parts:
        report.of_faults(faulty)
    if "margins" in parts:
        margins.show(recorder.margins())
