"""Runs the suite on the GPU under torch and JAX: `python tests/gpu.py WHEEL...`

For a machine with PyTorch, JAX, pytest and hypothesis on it but no package registry:
the wheels that it lacks (keras and what keras needs) are given on the command line, or
lie in the folder `.whl`, and are unpacked into a temporary folder. Downloading them
elsewhere: `pip download --no-deps -d .whl keras absl-py namex optree ml_dtypes`.

Fails if a backend sees no GPU, so that a run on the CPU cannot be taken for one.
"""

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import run

ROOT = Path(__file__).resolve().parent.parent
BACKENDS = ("torch", "jax")
NAME_OF_DEVICE = {
    "torch": "import torch; print(torch.cuda.get_device_name())",
    "jax": "import jax; d = jax.devices()[0]; assert d.platform == 'gpu'; "
    "print(d.device_kind)",
}


def main(arguments):
    wheels = [Path(name) for name in arguments] or sorted((ROOT / ".whl").glob("*.whl"))
    with tempfile.TemporaryDirectory() as folder:
        for wheel in wheels:
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder)
        os.environ["PYTHONPATH"] = f"{ROOT}{os.pathsep}{folder}"
        # Half of the memory would otherwise be taken by the first process at its start.
        os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
        for backend in BACKENDS:
            device = subprocess.run(
                [sys.executable, "-c", NAME_OF_DEVICE[backend]],
                capture_output=True,
                text=True,
            )
            if device.returncode:
                sys.exit(f"{backend} sees no GPU:\n{device.stderr}")
            print(f"{backend}: {device.stdout.strip()}", flush=True)
        return run.main(["--backends", *BACKENDS, "--", "-m", "not network"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
