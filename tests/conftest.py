"""One process tests one backend: the one that KERAS_BACKEND names."""

import os
import shutil
import tempfile
import time
from pathlib import Path

import hypothesis
import pytest

# These have to be set before the framework is imported. The first two keep TensorFlow
# and torch away from the oneDNN convolution that writes out of bounds on AVX-512 CPUs
# (uxlfoundation/oneDNN#6035, see examples/README.md); the third silences a banner.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# GPUs multiply float32 in fewer bits by default, which is too few for a reference.
os.environ.setdefault("JAX_DEFAULT_MATMUL_PRECISION", "float32")
os.environ.setdefault("NVIDIA_TF32_OVERRIDE", "0")

BACKEND = os.environ.get("KERAS_BACKEND")
if BACKEND is None:
    pytest.exit(
        "KERAS_BACKEND must be set to tensorflow, jax or torch. `python tests/run.py` "
        "runs the suite under each of them.",
        returncode=4,
    )

# JAX compiles the same programs for one test after the other. Processes do not share
# the cache: one could read what another has half written.
JAX_CACHE = None
if BACKEND == "jax" and "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    JAX_CACHE = tempfile.mkdtemp()
    os.environ["JAX_COMPILATION_CACHE_DIR"] = JAX_CACHE
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"

import keras  # noqa: E402
import numpy as np  # noqa: E402

from tests import scope  # noqa: E402

TESTS = Path(__file__).parent

hypothesis.settings.register_profile(
    "ci", max_examples=25, deadline=None, derandomize=True
)
hypothesis.settings.register_profile("deep", max_examples=1000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_addoption(parser):
    parser.addoption(
        "--scope",
        choices=("auto", "framework", "all"),
        default="auto",
        help="which tests to ask this backend; see tests/scope.py",
    )


def pytest_configure(config):
    if JAX_CACHE:
        config.add_cleanup(lambda: shutil.rmtree(JAX_CACHE, ignore_errors=True))


def pytest_report_header(config):
    backend = keras.backend.backend()
    asked = config.getoption("scope")
    return f"keras {keras.__version__}, backend {backend}, scope {asked}"


def pytest_collection_modifyitems(config, items):
    asked = config.getoption("scope")
    others = [item for item in items if not is_asked(item, asked)]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in set(others)]
    for item in items:
        if item.get_closest_marker("gpu") and not sees_gpu():
            item.add_marker(pytest.mark.skip(reason="the backend sees no GPU"))


def is_asked(item, asked):
    backends = [marker.args for marker in item.iter_markers("backend_only")]
    if backends:
        return all(BACKEND in names for names in backends)
    path = item.path.relative_to(TESTS).as_posix()
    markers = [marker.name for marker in item.iter_markers()]
    return scope.is_asked(asked, BACKEND, scope.on_every_backend(path, markers))


def sees_gpu():
    if BACKEND == "torch":
        import torch

        return torch.cuda.is_available()
    if BACKEND == "jax":
        import jax

        return jax.default_backend() == "gpu"
    import tensorflow

    return bool(tensorflow.config.list_physical_devices("GPU"))


@pytest.fixture(autouse=True)
def fresh_keras():
    """Each test starts from the same seeds, names and policies."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(1)
    yield
    keras.config.set_dtype_policy("float32")
    keras.config.enable_interactive_logging()


class SlowClock:
    """A hundred times the time to spare: a busy machine cuts no trial short."""

    @staticmethod
    def monotonic():
        return time.monotonic() / 100


@pytest.fixture(autouse=True)
def slow_clock(monkeypatch):
    monkeypatch.setattr("keras_trainfix.diagnosis.budget.time", SlowClock)


@pytest.fixture(autouse=True)
def short_bench(monkeypatch):
    """Few steps of an experiment: most tests are about something else."""
    monkeypatch.setattr("keras_trainfix.diagnosis.experiments.bench.STEPS", 16)


@pytest.fixture
def whole_bench(monkeypatch, short_bench):
    """As many steps of an experiment as a user gets."""
    monkeypatch.setattr("keras_trainfix.diagnosis.experiments.bench.STEPS", 128)


@pytest.fixture
def rng():
    return np.random.default_rng(1)
