"""Models from files of unknown origin: what loads, and that no code of theirs runs."""

import json
import zipfile

import keras
import numpy as np
import pytest

import keras_trainfix as kt
from keras_trainfix.model_file import load_untrusted


@pytest.fixture
def path(tmp_path):
    """A saved model."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy")
    model.save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


def edit(path, change):
    """Changes the configuration in a model file."""
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    config = json.loads(parts["config.json"])
    change(config)
    parts["config.json"] = json.dumps(config)
    with zipfile.ZipFile(path, "w") as file:
        for name, content in parts.items():
            file.writestr(name, content)


def with_activation(path, activation):
    def change(config):
        config["config"]["layers"][-1]["config"]["activation"] = activation

    edit(path, change)
    return path


def function(module, name):
    return {"class_name": "function", "module": module, "config": name}


@pytest.fixture
def never_loaded(monkeypatch):
    """Fails the test if Keras is asked to load anything."""

    def load_model(*args, **kwargs):
        raise AssertionError("loaded")

    monkeypatch.setattr(keras.saving, "load_model", load_model)


@pytest.mark.usefixtures("never_loaded")
@pytest.mark.parametrize(
    ("activation", "named"),
    [
        (function("os", "system"), "os.system"),
        (function("builtins", "exec"), "builtins.exec"),
        (function("keras.utils", "get_file"), "keras.utils.get_file"),
        (function("keras", "utils.get_file"), "keras.utils.get_file"),
        (function("keras.src.saving.saving_api", "load_model"), "load_model"),
        (function("keras_evil", "run"), "keras_evil.run"),
        ({"class_name": "__lambda__", "config": {"value": "4wA="}}, "__lambda__"),
        ({"class_name": "Own", "module": "my_layers", "config": {}}, "my_layers.Own"),
        ({"class_name": "Lambda", "module": "keras.layers", "config": {}}, "Lambda"),
        (
            {"class_name": "TorchModuleWrapper", "module": "keras.layers"},
            "TorchModuleWrapper",
        ),
        ({"class_name": "TFSMLayer", "module": "keras.layers"}, "TFSMLayer"),
        ({"class_name": "JaxLayer", "module": "keras.layers"}, "JaxLayer"),
        ({"class_name": "FlaxLayer", "module": "keras.layers"}, "FlaxLayer"),
    ],
)
def test_code_is_refused_before_anything_is_loaded(path, activation, named):
    with_activation(path, activation)
    with pytest.raises(ValueError, match="needs code that is not Keras' own") as error:
        load_untrusted(path)
    assert named in str(error.value)
    assert "Call `diagnose(model, x, y)` in the program" in str(error.value)


@pytest.mark.usefixtures("never_loaded")
def test_a_lambda_layer_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x)])
    model.save(tmp_path / "lambda.keras")
    with pytest.raises(ValueError, match="needs code that is not Keras' own: Lambda"):
        load_untrusted(tmp_path / "lambda.keras")


@pytest.mark.parametrize("activation", ["relu", keras.activations.relu, keras.ops.relu])
def test_code_of_keras_is_loaded(tmp_path, activation):
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, activation)]).save(
        tmp_path / "model.keras"
    )
    model = load_untrusted(tmp_path / "model.keras")
    values = model.layers[-1].activation(np.array([-1.0, 2.0], "float32"))
    assert keras.ops.convert_to_numpy(values).tolist() == [0, 2]


def test_a_model_of_keras_and_of_this_package_is_loaded(tmp_path):
    entry = keras.Input((4,))
    x = kt.FrozenBatchNorm()(keras.layers.Dense(4)(entry))
    model = keras.Model(entry, keras.layers.Dense(1, "sigmoid")(keras.ops.relu(x) * 2))
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 100)),
        kt.MaskedCrossentropy(),
        metrics=["accuracy"],
    )
    model.save(tmp_path / "own.keras")
    loaded = load_untrusted(str(tmp_path / "own.keras"))
    x = np.ones((2, 4), "float32")
    np.testing.assert_array_equal(
        loaded.predict(x, verbose=0), model.predict(x, verbose=0)
    )
    assert isinstance(loaded.loss, kt.MaskedCrossentropy)


@pytest.mark.parametrize("content", [None, b"", b"nothing", "archive"])
def test_a_file_that_is_not_a_model(tmp_path, content):
    path = tmp_path / "bad.keras"
    if content == "archive":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("other", "text")
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"Cannot read a model from.*model.save\("):
        load_untrusted(path)


@pytest.mark.usefixtures("never_loaded")
def test_another_suffix_would_be_another_format(path):
    with pytest.raises(ValueError, match=r"must end in '.keras'. Received.*model.h5"):
        load_untrusted(path.rename(path.with_suffix(".h5")))


def test_a_broken_model(path):
    edit(path, lambda config: config["config"]["layers"].clear())
    with pytest.raises(ValueError, match="Keras cannot load"):
        load_untrusted(path)
