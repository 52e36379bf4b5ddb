"""Runs notebooks, shortened, and reports the time of each: all of `examples/`, or some.

KERAS_BACKEND=jax python -m tests.run_notebooks
KERAS_BACKEND=jax python -m tests.run_notebooks examples/02_box_regression.ipynb
"""

import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent.parent / "examples"

os.environ["KERAS_TRAINFIX_SHORT"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Most of the time of short runs on JAX goes into compiling.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

if __name__ == "__main__":
    for path in map(Path, sys.argv[1:] or sorted(FOLDER.glob("*.ipynb"))):
        start = time.monotonic()
        notebook = nbformat.read(path, as_version=4)
        NotebookClient(
            notebook, timeout=900, resources={"metadata": {"path": str(FOLDER)}}
        ).execute()
        seconds = time.monotonic() - start
        print(f"{path.name} on {os.environ['KERAS_BACKEND']}: {seconds:.0f} s")
