"""Timing contestants in turns, and their peak memory."""

import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import keras


def asked_for(seeds=None, parts=None, only=None):
    """Completes what a caller asks for by what environment variables do.

    Args:
        seeds: Integers, or None for those of `BENCHMARK_SEEDS`.
        parts: Names of parts, or None for those of `BENCHMARK_PARTS`.
        only: A part of the names of cases, or None for that of `BENCHMARK_CASES`.

    Returns:
        `(seeds, parts, only)`, where the first two may still be empty.
    """
    get = os.environ.get
    seeds = seeds or [int(number) for number in get("BENCHMARK_SEEDS", "").split()]
    return seeds, parts or get("BENCHMARK_PARTS"), only or get("BENCHMARK_CASES", "")


def in_turns(contestants, rounds=15, repeats=5):
    """Median seconds of one call of each contestant, taking turns.

    Args:
        contestants: Dict of name to a function that returns when its work is done.
        rounds: How often each gets its turn.
        repeats: Calls in a turn.

    Returns:
        Dict of name to seconds.
    """
    for call in contestants.values():
        call()  # compiles
        call()
    seconds = {name: [] for name in contestants}
    for turn in range(rounds):
        # The order alternates, so that no one always follows the same neighbour.
        order = list(contestants.items())[:: 1 if turn % 2 else -1]
        for name, call in order:
            start = time.perf_counter()
            for _ in range(repeats):
                call()
            seconds[name].append((time.perf_counter() - start) / repeats)
    return {name: statistics.median(values) for name, values in seconds.items()}


def peak_memory(statement):
    """Peak memory in bytes of a new process that runs `statement`.

    A process of its own, because allocators keep what an earlier contestant needed.
    """
    code = (
        f"{statement}\nfrom benchmarks.measure import high_water_mark\n"
        "print(high_water_mark())"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        # Freed blocks go back at once, and do not count as used.
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": str(2**16)},
        check=True,
        capture_output=True,
        text=True,
    )
    return int(result.stdout.split()[-1])


def high_water_mark():
    """The most memory that this process has had, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        # `getrusage` would count the parent's memory at the time of the fork.
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
    """Prints milliseconds, the ratio to `reference`, and peak memory of a process."""
    print(f"\n{title:<44}  {'ms':>8}  ratio{'  peak MiB' if memory else ''}")
    for name, value in seconds.items():
        line = f"{name:<44}  {value * 1e3:>8.2f}  {value / seconds[reference]:>5.2f}"
        if memory:
            line += f"  {memory[name] / 2**20:>8.0f}"
        print(line)
