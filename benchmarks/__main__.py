"""Runs benchmarks on the current Keras backend: `python -m benchmarks [NAME...]`.

`python -m benchmarks diagnosis margins` runs one part of a benchmark.

Contestants take turns in one process, so a slow moment of the machine affects them all;
the printed numbers are ratios of medians.
"""

import argparse
import importlib
import os
import pkgutil
import platform

import benchmarks
from benchmarks import measure

NAMES = [
    module.name
    for module in pkgutil.iter_modules(benchmarks.__path__)
    if module.name not in ("__main__", "measure", "peers", "records")
]

PARTS = ("zoo", "faults", "margins")

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    names = parser.parse_args().names or NAMES
    if parts := [name for name in names if name in PARTS]:
        os.environ["BENCHMARK_PARTS"] = " ".join(parts)
        names = [name for name in names if name not in PARTS]
    if unknown := set(names) - set(NAMES):
        parser.error(f"no benchmark {', '.join(unknown)}: there are {', '.join(NAMES)}")
    import keras

    print(
        f"keras {keras.__version__} on {keras.backend.backend()}, "
        f"{measure.device_name()}, {os.cpu_count()} CPU cores, "
        f"Python {platform.python_version()}"
    )
    for name in names:
        importlib.import_module(f"benchmarks.{name}").main()
