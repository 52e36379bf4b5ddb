"""What every public class promises, checked for each row of `tests/contracts.py`."""

import importlib.util
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_trainfix
from tests.contracts import CONTRACTS, numbers, value, written_by

ROOT = Path(__file__).parent.parent
GOLDEN = sorted((ROOT / "tests" / "golden").glob("*/*.keras"))
BACKEND = keras.backend.backend()
OTHERS = [
    name
    for name in ("tensorflow", "jax", "torch")
    if name != BACKEND and importlib.util.find_spec(name)
]
rows = pytest.mark.parametrize("contract", CONTRACTS, ids=lambda row: row.name)


def test_every_public_class_is_a_row():
    public = {getattr(keras_trainfix, name) for name in keras_trainfix.__all__}
    kinds = keras.Layer, keras.Loss, keras.Metric
    classes = {v for v in public if inspect.isclass(v) and issubclass(v, kinds)}
    assert classes == {type(row.build()) for row in CONTRACTS}


@rows
def test_config_round_trip(contract):
    instance = contract.build()
    config = instance.get_config()
    assert type(instance).from_config(config).get_config() == config
    serialized = keras.saving.serialize_keras_object(instance)
    assert serialized["registered_name"].startswith("keras_trainfix>")
    again = keras.saving.deserialize_keras_object(serialized)
    assert type(again) is type(instance)
    assert again.get_config() == config


@rows
def test_keras_file_round_trip(contract, tmp_path):
    model = contract.model()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    x = contract.x
    np.testing.assert_array_equal(
        model.predict(x, verbose=0), loaded.predict(x, verbose=0)
    )


@rows
def test_weights_file_round_trip(contract, tmp_path):
    model = contract.model()
    model.save_weights(tmp_path / "model.weights.h5")
    expected = model.get_weights()
    model.set_weights([np.zeros_like(weight) for weight in expected])
    model.load_weights(tmp_path / "model.weights.h5")
    for before, after in zip(expected, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.fixture(scope="session", params=OTHERS)
def written_elsewhere(request, tmp_path_factory):
    """A folder with the models of all rows, saved under another backend.

    `tests/run.py` gives all of its processes one place for them.
    """
    shared = os.environ.get("KERAS_TRAINFIX_WRITTEN", tmp_path_factory.getbasetemp())
    return written_by(request.param, shared)


@rows
def test_reads_what_another_backend_wrote(contract, written_elsewhere):
    data = np.load(written_elsewhere / f"{contract.name}.npz")
    path = written_elsewhere / f"{contract.name}.keras"
    # The settings of `compile` are those of the other backend (`jit_compile`).
    loaded = keras.models.load_model(path, compile=False)
    weights_only = contract.model()
    weights_only.load_weights(written_elsewhere / f"{contract.name}.weights.h5")
    for model in (loaded, weights_only):
        np.testing.assert_allclose(
            model.predict(data["x"], verbose=0), data["y"], rtol=1e-5, atol=1e-5
        )
    check_value(path)


def check_value(path):
    """The loss or metric of `path`, if one was saved there, gives what it gave."""
    if not path.with_suffix(".json").exists():
        return
    saved = json.loads(path.with_suffix(".json").read_text())
    (contract,) = [row for row in CONTRACTS if row.name == path.stem]
    measure = keras.saving.deserialize_keras_object(saved["config"])
    given = value(measure, contract.y, np.load(path.with_suffix(".npz"))["y"])
    np.testing.assert_allclose(given, np.ravel(saved["value"]), rtol=1e-5)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_reads_what_an_earlier_version_wrote(path):
    data = np.load(path.with_suffix(".npz"))
    model = keras.models.load_model(path, compile=False)
    np.testing.assert_allclose(
        model.predict(data["x"], verbose=0), data["y"], rtol=1e-5, atol=1e-5
    )
    check_value(path)


def test_there_are_golden_files():
    assert GOLDEN


# What is slow and not the default is asked of one row of each class, the last: XLA on
# TensorFlow, steps op by op on JAX. JAX without jit is eager, and torch always is.
FAMILIES = list({type(row.build()): row for row in CONTRACTS}.values())
COMPARED = {"tensorflow": CONTRACTS, "jax": FAMILIES, "torch": []}[BACKEND]


def compiled_modes(contract):
    if getattr(contract, "is_eager", False):
        return
    if BACKEND == "tensorflow":
        yield {"jit_compile": False}
    if contract in FAMILIES:
        yield {"jit_compile": True}


def steps(contract, **settings):
    """The logs of three training steps and a prediction, as one array."""
    model = contract.model(**settings)
    x, y = contract.x, contract.y
    logs = [model.train_on_batch(x, y, return_dict=True) for _ in range(3)]
    results = [*map(numbers, logs), model.predict_on_batch(x).ravel()]
    return np.concatenate(results)


@pytest.mark.backend_only("tensorflow", "jax", reason="torch is eager")
@pytest.mark.parametrize("contract", COMPARED, ids=lambda row: row.name)
def test_eager_and_compiled_steps_agree(contract):
    eager = steps(contract, run_eagerly=True)
    scale = np.abs(eager).max()
    for settings in compiled_modes(contract):
        compiled = steps(contract, **settings)
        np.testing.assert_allclose(compiled, eager, rtol=1e-4, atol=1e-6 * scale)


@rows
def test_mixed_precision(contract):
    x, y = contract.x, contract.y
    expected = contract.model().predict(x, verbose=0)
    scale = np.abs(expected).max()
    for policy, tolerance in [("mixed_float16", 5e-3), ("mixed_bfloat16", 4e-2)]:
        keras.config.set_dtype_policy(policy)
        model = contract.model()
        output = model.predict(x, verbose=0)
        assert np.isfinite(output).all()
        np.testing.assert_allclose(
            output.astype("float32") / scale, expected / scale, atol=tolerance
        )
        logs = model.train_on_batch(x, y, return_dict=True)
        assert np.isfinite(numbers(logs)).all()


@rows
def test_a_batch_of_one_is_a_row_of_the_batch(contract):
    model = contract.model()
    whole = model.predict(contract.x, verbose=0)
    one = model.predict(contract.x[:1], verbose=0)
    np.testing.assert_allclose(one, whole[:1], rtol=1e-4, atol=1e-5)
    logs = model.train_on_batch(contract.x[:1], contract.y[:1], return_dict=True)
    assert np.isfinite(logs["loss"])


class Batches(keras.utils.PyDataset):
    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y

    def __len__(self):
        return 2

    def __getitem__(self, index):
        part = slice(4 * index, 4 * index + 4)
        return self.x[part], self.y[part]


@rows
def test_arrays_datasets_and_sequences_train_alike(contract):
    x, y = contract.x.astype("float32"), contract.y
    y = y.astype("float32") if y.dtype == "float64" else y
    sources = {
        "arrays": {"x": x, "y": y, "batch_size": 4, "shuffle": False},
        "PyDataset": {"x": Batches(x, y), "shuffle": False},
    }
    if importlib.util.find_spec("tensorflow"):
        import tensorflow as tf

        dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(4)
        sources["tf.data"] = {"x": dataset, "shuffle": False}
    histories = {
        name: numbers(contract.model().fit(**source, epochs=2, verbose=0).history)
        for name, source in sources.items()
    }
    for name in sources:
        np.testing.assert_allclose(histories[name], histories["arrays"], rtol=1e-5)


@pytest.fixture(scope="session")
def histories_on_two_devices():
    """For each row, the history of two epochs on two virtual devices."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.two_devices"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    return json.loads(result.stdout.splitlines()[-1])


# Each replica of `tf.distribute` sees its own part of the batch.
DISTRIBUTED = [
    row
    for row in CONTRACTS
    if not getattr(row, "is_eager", False)
    if BACKEND == "jax" or not row.needs_whole_batch
]


@pytest.mark.backend_only("tensorflow", "jax", reason="torch has its own distribution")
@pytest.mark.parametrize("contract", DISTRIBUTED, ids=lambda row: row.name)
def test_trains_on_two_devices_as_on_one(contract, histories_on_two_devices):
    """`keras.distribution` on JAX, `tf.distribute` on TensorFlow."""
    alone = contract.model().fit(
        contract.x, contract.y, batch_size=8, shuffle=False, epochs=2, verbose=0
    )
    np.testing.assert_allclose(
        histories_on_two_devices[contract.name], numbers(alone.history), rtol=1e-4
    )
