"""Times contestants in turns and measures their peak memory."""

import gc
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import keras

# Returns freed blocks at once, so they do not count as used.
FREED_AT_ONCE = {"MALLOC_MMAP_THRESHOLD_": str(2**16)}


def asked_for(seeds=None, parts=None, only=None):
    """Fills in arguments that a caller left out from environment variables.

    Args:
        seeds: Integers, or None for `BENCHMARK_SEEDS`.
        parts: Names of parts, or None for `BENCHMARK_PARTS`.
        only: Text that case names must contain, or None for `BENCHMARK_CASES`.

    Returns:
        `(seeds, parts, only)`, where the first two may still be empty.
    """
    get = os.environ.get
    seeds = seeds or [int(number) for number in get("BENCHMARK_SEEDS", "").split()]
    return seeds, parts or get("BENCHMARK_PARTS"), only or get("BENCHMARK_CASES", "")


def in_turns(contestants, rounds=15, repeats=5, warm_up=2, budget=float("inf")):
    """Median seconds per call of each contestant, measured in turns.

    Args:
        contestants: Dict of name to a function that returns when its work is done.
        rounds: Number of turns each gets.
        repeats: Calls per turn.
        warm_up: Calls before the first turn.
        budget: Seconds of its turns after which a contestant gets no further one.

    Returns:
        Dict of name to seconds.
    """
    for call in contestants.values():
        for _ in range(warm_up):  # compiles
            call()
    seconds = {name: [] for name in contestants}
    for turn in range(rounds):
        # The order alternates, so no contestant always follows the same one.
        order = list(contestants.items())[:: 1 if turn % 2 else -1]
        for name, call in order:
            if sum(seconds[name]) * repeats > budget:
                continue
            start = time.perf_counter()
            for _ in range(repeats):
                call()
            seconds[name].append((time.perf_counter() - start) / repeats)
    return {name: statistics.median(values) for name, values in seconds.items()}


def peak_memory(statement):
    """Peak memory in bytes of a new process that runs `statement`.

    Uses a new process because allocators keep memory that an earlier contestant needed.
    """
    code = (
        f"{statement}\nfrom benchmarks.measure import high_water_mark\n"
        "print(high_water_mark())"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | FREED_AT_ONCE,
        check=True,
        capture_output=True,
        text=True,
    )
    return int(result.stdout.split()[-1])


def extra_memory(call):
    """Peak memory in bytes of a call, above what the process has before it.

    Call it in a process of its own with `FREED_AT_ONCE` in its environment.
    """
    call()  # compiles
    gc.collect()
    # The kernel forgets the peak.
    Path("/proc/self/clear_refs").write_text("5")
    before = high_water_mark()
    call()
    return high_water_mark() - before


def high_water_mark():
    """Peak memory of this process, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        # `getrusage` would include the parent's memory at the time of the fork.
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) * 1024
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def device_name():
    """The accelerator that the backend computes on, or "CPU"."""
    if keras.backend.backend() == "torch":
        import torch

        return torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    if keras.backend.backend() == "jax":
        import jax

        device = jax.devices()[0]
        return "CPU" if device.platform == "cpu" else device.device_kind
    import tensorflow as tf

    return "GPU" if tf.config.list_physical_devices("GPU") else "CPU"


def print_table(title, seconds, reference, memory=None):
    """Prints milliseconds, the ratio to `reference`, and peak memory if given."""
    print(f"\n{title:<44}  {'ms':>8}  ratio{'  peak MiB' if memory else ''}")
    for name, value in seconds.items():
        line = f"{name:<44}  {value * 1e3:>8.2f}  {value / seconds[reference]:>5.2f}"
        if memory:
            line += f"  {memory[name] / 2**20:>8.0f}"
        print(line)
