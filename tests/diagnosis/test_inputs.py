"""KTF101, KTF102, KTF103 and KTF128; and healthy set-ups, on which nothing fires."""

import inspect
import json
import re

import keras
import numpy as np
import pytest

from keras_trainfix.diagnosis import diagnose as _registers  # noqa: F401
from keras_trainfix.diagnosis.registry import CHECKS
from tests.diagnosis import nets

layers = keras.layers
OF_INPUTS = ["KTF101", "KTF102", "KTF103", "KTF128"]
OF_TARGETS = ["KTF111", "KTF112", "KTF113", "KTF125", "KTF126", "KTF127"]
OWN = {code: CHECKS[code] for code in (*OF_INPUTS, *OF_TARGETS)}


def findings(model, x, y=None, sample_weight=None):
    return all_findings(nets.view(model, x, y, sample_weight))


def all_findings(view):
    found = [check.run(view) for check in OWN.values()]
    return {finding.code: finding for finding in found if finding}


def only(model, x, y=None, sample_weight=None):
    """The one finding, which JSON can hold."""
    found = findings(model, x, y, sample_weight)
    assert len(found) == 1, found
    finding = next(iter(found.values()))
    json.dumps(finding.to_dict())
    assert finding.message
    assert finding.fix
    return finding


def sequential(*parts, loss="binary_crossentropy"):
    model = keras.Sequential(parts)
    model.compile("adam", loss)
    return model


def binary(samples=64):
    return (np.random.default_rng(2).random(samples) > 0.5).astype("float32")


def snippet(check, heading):
    """What the Python block under a heading of a page defines."""
    page = inspect.getdoc(check.function)
    code = re.search(rf"## {heading}\n.*?```python\n(.*?)```", page, re.DOTALL).group(1)
    namespace = {}
    exec(code, namespace)
    keys = ("model", "x", "y", "sample_weight")
    return [namespace.get(key) for key in keys]


@pytest.mark.parametrize("code", OF_INPUTS)
def test_the_page_shows_the_fault_and_its_repair(code):
    assert only(*snippet(OWN[code], "How to check")).code == code
    assert findings(*snippet(OWN[code], "Fix")) == {}


def test_the_pages_have_all_headings():
    headings = ["What you see", "Why it happens", "How to check", "Fix"]
    headings += ["When this is not the cause", "References"]
    for check in OWN.values():
        assert re.findall("^## (.*)", check.page, re.MULTILINE) == headings
        assert check.summary.endswith(".")


# KTF101


def images(low=0.0, high=1.0, size=8, samples=64):
    shape = (samples, size, size, 3)
    return np.random.default_rng(1).uniform(low, high, shape).astype("float32")


def conv_net(*first, activation="relu", bias=True, behind=()):
    return sequential(
        keras.Input((8, 8, 3)),
        *first,
        layers.Conv2D(8, 3, activation=activation, use_bias=bias),
        *behind,
        layers.Flatten(),
        layers.Dense(1, activation="sigmoid"),
    )


def mixed(scales):
    return nets.inputs() * np.array(scales, "float32")


def recurrent(kind):
    return sequential(keras.Input((10, 3)), kind, layers.Dense(1, activation="sigmoid"))


def wide_and_deep():
    a, b = keras.Input((6,), name="a"), keras.Input((2,), name="b")
    joined = layers.Concatenate()([a, b])
    y = layers.Dense(1, activation="sigmoid")(layers.Dense(8, "relu")(joined))
    model = keras.Model({"a": a, "b": b}, y)
    model.compile("adam", "binary_crossentropy")
    return model


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.first = layers.Dense(8, activation="tanh")
        self.last = layers.Dense(1)

    def call(self, x):
        return self.last(self.first(x))


def compiled(model, x):
    model(x[:2])
    model.compile("adam", "mse")
    return model


UNSCALED = {
    "images": lambda: (conv_net(), images(0, 255)),
    "bytes": lambda: (conv_net(), images(0, 255).astype("uint8")),
    "tanh": lambda: (conv_net(activation="tanh"), images(0, 255)),
    "augmented": lambda: (conv_net(layers.RandomFlip()), images(0, 255)),
    "padded": lambda: (conv_net(layers.ZeroPadding2D(1)), images(0, 255)),
    "flattened": lambda: (
        sequential(
            keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(1, "sigmoid")
        ),
        images(0, 255),
    ),
    "large": lambda: (nets.net(1, "sigmoid", "binary_crossentropy"), mixed([2e3] * 6)),
    "offset": lambda: (nets.net(1, "sigmoid", "binary_crossentropy"), mixed(1) + 1000),
    "mixed": lambda: (
        nets.net(1, "sigmoid", "binary_crossentropy"),
        mixed([1, 0.1, 1, 20, 1, 0.1]),
    ),
    "tiny": lambda: (conv_net(), images() / 255 / 255),
    "lstm": lambda: (
        recurrent(layers.LSTM(8)),
        images(0, 500)[:, 0, :1] + np.zeros((64, 10, 3), "float32"),
    ),
    "bidirectional": lambda: (
        recurrent(layers.Bidirectional(layers.GRU(4))),
        np.random.default_rng(1).normal(500, 100, (64, 10, 3)).astype("float32"),
    ),
    "one of two": lambda: (
        wide_and_deep(),
        {"a": nets.inputs(), "b": nets.inputs(features=2) * 5000},
    ),
    "subclassed": lambda: (compiled(Subclassed(), mixed(1)), mixed([2e3] * 6)),
}


@pytest.mark.parametrize("variant", UNSCALED)
def test_inputs_unscaled(variant):
    model, x = UNSCALED[variant]()
    finding = only(model, x, binary())
    assert (finding.code, finding.name) == ("KTF101", "inputs-unscaled")
    assert finding.severity == "warning"
    assert finding.output is None
    evidence = finding.evidence
    assert evidence["min"] <= evidence["mean"] <= evidence["max"]
    assert evidence["std"] > 0


def test_inputs_unscaled_names_the_worst_feature():
    model = nets.net(1, "sigmoid", "binary_crossentropy")
    finding = only(model, mixed([1, 1, 3000, 1, 1, 1]), binary())
    assert finding.evidence["worst_feature"] == 2
    assert finding.evidence["first_layer_gain"] > 100


def frozen_first():
    model = conv_net()
    model.layers[0].trainable = False
    return model


def scaled_by_operations():
    x = keras.Input((8, 8, 3))
    y = layers.Conv2D(4, 3, activation="relu")(x / 255.0)
    y = layers.Dense(1, activation="sigmoid")(layers.Flatten()(y))
    model = keras.Model(x, y)
    model.compile("adam", "binary_crossentropy")
    return model


def scaled_inside():
    inner = keras.Sequential([keras.Input((8, 8, 3)), layers.Rescaling(1 / 255.0)])
    inner.add(layers.Conv2D(4, 3, activation="relu"))
    return sequential(inner, layers.Flatten(), layers.Dense(1, "sigmoid"))


def pretrained():
    """A first layer that was trained on photographs without their mean colour."""
    model = conv_net()
    model.layers[0].bias.assign(np.full(8, 0.1))
    return model


SCALED = {
    "frozen": frozen_first,
    "operations": scaled_by_operations,
    "inside": scaled_inside,
    "batch normalization": lambda: conv_net(layers.BatchNormalization()),
    "behind": lambda: conv_net(bias=False, behind=[layers.BatchNormalization()]),
    "behind its activation": lambda: conv_net(
        activation=None, behind=[layers.ReLU(), layers.LayerNormalization()]
    ),
    "layer normalization": lambda: conv_net(layers.LayerNormalization()),
    "flipped, then scaled": lambda: conv_net(
        layers.RandomFlip(), layers.Rescaling(1 / 255.0)
    ),
    "lambda": lambda: conv_net(layers.Lambda(lambda x: x / 255.0)),
}


@pytest.mark.parametrize("variant", SCALED)
def test_inputs_that_the_model_scales(variant):
    assert findings(SCALED[variant](), images(0, 255), binary()) == {}


def test_inputs_scaled_twice_before_a_frozen_body():
    def frozen():
        scale, conv = layers.Rescaling(1 / 255.0), layers.Conv2D(8, 3, use_bias=False)
        model = conv_net(scale, conv, layers.BatchNormalization())
        for layer in model.layers[:3]:
            layer.trainable = False
        return model

    assert findings(frozen(), images(0, 255), binary()) == {}
    finding = findings(frozen(), images(0, 1), binary())["KTF101"]
    assert "scaled twice" in finding.message


def test_inputs_of_a_pretrained_net():
    assert findings(pretrained(), images(-120, 140), binary()) == {}
    assert "KTF101" in findings(conv_net(), images(-120, 140), binary())


def test_recurrent_inputs_that_the_model_scales():
    x = np.random.default_rng(1).normal(500, 100, (64, 10, 3)).astype("float32")
    model = sequential(
        keras.Input((10, 3)),
        layers.Rescaling(0.01, offset=-5),
        layers.LSTM(4),
        layers.Dense(1, activation="sigmoid"),
    )
    assert findings(model, x, binary()) == {}


def table_net(x, axis):
    normalization = layers.Normalization(axis=axis)
    normalization.adapt(x)
    return sequential(
        keras.Input((3,)),
        normalization,
        layers.Dense(8, activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    )


def test_one_mean_for_all_features():
    x = nets.inputs()[:, :3] * np.float32([1, 5, 3e4]) + np.float32([0, 2, 6e4])
    found = findings(table_net(x, None), x, binary())
    assert list(found) == ["KTF101"]
    assert found["KTF101"].evidence["hidden_features"] == 2
    assert findings(table_net(x, -1), x, binary()) == {}


# KTF102


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [(3, 2), (slice(10), 0), (slice(None), 5)])
def test_inputs_not_finite(bad, place):
    x = nets.inputs()
    model = nets.net(1, "sigmoid", "binary_crossentropy")
    assert findings(model, x, binary()) == {}
    x[place] = bad
    finding = only(model, x, binary())
    assert (finding.code, finding.name) == ("KTF102", "inputs-not-finite")
    assert finding.severity == "error"
    assert finding.evidence["not_finite"] == (~np.isfinite(x)).sum()
    assert finding.evidence["features"] == [place[1]]


def test_inputs_not_finite_of_images():
    x = images()
    x[1, 2, 3, 1] = np.nan
    finding = only(conv_net(), x, binary())
    assert finding.evidence["first_samples"] == [1]


def test_nan_that_the_model_replaces():
    x = nets.inputs()
    x[3, 2] = np.nan
    inside = keras.Input((6,))
    y = keras.ops.where(keras.ops.isnan(inside), 0.0, inside)
    model = keras.Model(inside, layers.Dense(1, activation="sigmoid")(y))
    model.compile("adam", "binary_crossentropy")
    assert findings(model, x, binary()) == {}


# KTF103


@pytest.mark.parametrize(
    "one", [np.zeros((1, 6)), np.ones((1, 6)), nets.inputs(1)], ids=str
)
def test_inputs_constant(one):
    x = np.repeat(one, 64, 0).astype("float32")
    finding = only(nets.net(1, "sigmoid", "binary_crossentropy"), x, binary())
    assert (finding.code, finding.name) == ("KTF103", "inputs-constant")
    assert finding.severity == "error"
    assert finding.evidence == {"samples": 64, "constant_share": 1.0}


@pytest.mark.parametrize(
    ("constant", "severity"), [(1, "note"), (3, "note"), (4, "warning"), (5, "warning")]
)
def test_features_constant(constant, severity):
    x = nets.inputs()
    x[:, :constant] = 1
    finding = only(nets.net(1, "sigmoid", "binary_crossentropy"), x, binary())
    assert (finding.code, finding.severity) == ("KTF103", severity)
    assert finding.evidence["features"] == list(range(constant))


def test_inputs_constant_beside_others():
    x = {"a": nets.inputs(), "b": np.ones((64, 2), "float32")}
    assert findings(wide_and_deep(), x, binary()) == {}


def test_black_borders_are_no_constant_inputs():
    x = images()
    x[:, :3] = x[:, -3:] = 0
    assert findings(conv_net(), x, binary()) == {}


# KTF128


def word_net(**settings):
    return sequential(
        keras.Input((10,), **settings),
        layers.Embedding(50, 4),
        layers.Flatten(),
        layers.Dense(1, activation="sigmoid"),
    )


def ids(samples=64):
    return np.random.default_rng(1).integers(0, 50, (samples, 10))


REAL = {
    "between 0 and 1": lambda: np.random.default_rng(1).random((64, 10)),
    "standardized": lambda: np.random.default_rng(1).normal(size=(64, 10)),
    "some": lambda: np.where(ids() % 5, ids(), 0.5),
    "negative": lambda: ids() - 1,
}


@pytest.mark.parametrize("variant", REAL)
def test_ids_layer_on_real_values(variant):
    finding = only(word_net(), REAL[variant]().astype("float32"), binary())
    assert (finding.code, finding.name) == ("KTF128", "ids-layer-on-real-values")
    assert finding.severity == "error"
    assert finding.evidence["input_dim"] == 50


@pytest.mark.parametrize("shift", [1, 30])
def test_ids_beyond_the_table(shift):
    """TensorFlow and torch refuse to run such a model, so it is looked at before."""
    view = nets.view(word_net(), ids(), binary())
    view.inputs["input"] = np.where(ids() == 49, 49 + shift, ids())
    finding = all_findings(view)["KTF128"]
    assert finding.evidence["beyond"] == (ids() == 49).sum()
    assert f"Embedding({50 + shift}, 4)" in finding.fix


@pytest.mark.backend_only("jax", reason="the others stop at an id out of range")
@pytest.mark.parametrize("shift", [1, 1000])
def test_ids_beyond_the_table_on_jax(shift):
    assert "KTF128" in findings(word_net(), ids() + shift, binary())


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32"])
def test_ids_of_any_dtype(dtype):
    assert findings(word_net(), ids().astype(dtype), binary()) == {}
    assert findings(word_net(dtype="int32"), ids().astype(dtype), binary()) == {}


def test_real_values_beside_ids():
    words, numbers = keras.Input((10,), name="words"), keras.Input((6,), name="numbers")
    embedded = layers.Flatten()(layers.Embedding(50, 4)(words))
    y = layers.Concatenate()([embedded, layers.Dense(4)(numbers)])
    model = keras.Model([words, numbers], layers.Dense(1, activation="sigmoid")(y))
    model.compile("adam", "binary_crossentropy")
    assert findings(model, [ids(), nets.inputs()], binary()) == {}


# Nothing to find


def regression(scale=1.0, offset=0.0, **settings):
    x = nets.inputs()
    y = scale * np.tanh(x[:, :1] + x[:, 1:2]) * 1.5 + offset
    return nets.net(1, None, "mse", **settings), x, y.astype("float32")


def classes(count=3, samples=64):
    return np.random.default_rng(2).integers(0, count, samples)


def series_net():
    return sequential(keras.Input((20, 2)), layers.LSTM(8), layers.Dense(1), loss="mse")


def series(samples=64):
    rng = np.random.default_rng(1)
    phase = rng.uniform(0, 6, (samples, 1))
    x = np.sin(phase + np.arange(21) / 3)
    x = np.stack([x, np.cos(x)], -1).astype("float32")
    return x[:, :20], x[:, 20, :1]


def sparse_inputs():
    x = np.zeros((64, 6), "float32")
    x[np.arange(0, 64, 5), np.arange(0, 64, 5) % 5] = 1
    return x


def digits():
    """Pixels from 0 to 16, some of which are rarely drawn."""
    x = np.random.default_rng(1).integers(0, 17, (128, 6)).astype("float32")
    x[:, 4] = x[:, 5] = 0
    x[::50, 4], x[7, 5] = 9, 1
    return x


def segmentation():
    x = images()
    y = (x.mean(-1) > 0.5).astype("int32")
    model = sequential(
        keras.Input((8, 8, 3)),
        layers.Conv2D(4, 3, padding="same", activation="relu"),
        layers.Conv2D(2, 1, activation="softmax"),
        loss="sparse_categorical_crossentropy",
    )
    return model, x, y


HEALTHY = {
    "table": lambda: (
        nets.net(1, "sigmoid", "binary_crossentropy"),
        nets.inputs(),
        binary(),
    ),
    "iris-like": lambda: (
        nets.net(3, "softmax", "sparse_categorical_crossentropy"),
        np.abs(mixed([1, 2, 5, 0.3, 1, 1])),
        classes(),
    ),
    "images from 0": lambda: (conv_net(), images(), binary()),
    "images from -1": lambda: (conv_net(), images(-1), binary()),
    "rescaled": lambda: (
        conv_net(layers.Rescaling(1 / 255.0)),
        images(0, 255).astype("uint8"),
        binary(),
    ),
    "batch normalization": lambda: (
        conv_net(layers.BatchNormalization()),
        images(0, 255),
        binary(),
    ),
    "one-hot inputs": lambda: (
        nets.net(1, "sigmoid", "binary_crossentropy"),
        np.eye(6, dtype="float32")[classes(6)],
        binary(),
    ),
    "ids": lambda: (word_net(), ids(), binary()),
    "sparse": lambda: (
        nets.net(1, "sigmoid", "binary_crossentropy"),
        sparse_inputs(),
        binary(),
    ),
    "rare pixels": lambda: (
        nets.net(1, "sigmoid", "binary_crossentropy"),
        digits(),
        binary(128),
    ),
    "series": lambda: (series_net(), *series()),
    "3 classes": lambda: (
        nets.net(3, "softmax", "sparse_categorical_crossentropy"),
        nets.inputs(),
        classes(),
    ),
    "3 one-hot classes": lambda: (
        nets.net(3, "softmax", "categorical_crossentropy"),
        nets.inputs(),
        np.eye(3)[classes()],
    ),
    "200 classes": lambda: (
        nets.net(200, "softmax", "sparse_categorical_crossentropy"),
        nets.inputs(400),
        classes(200, 400),
    ),
    "multi-label": lambda: (
        nets.net(3, "sigmoid", "binary_crossentropy"),
        nets.inputs(),
        (nets.inputs(64, 3, 5) > 1).astype("float32"),
    ),
    "targets of std 1": regression,
    "targets of std 10": lambda: regression(10),
    "targets of mean 40": lambda: regression(15, 40),
    "targets in [0, 1]": lambda: regression(0.3, 0.5),
    "large targets, large rate": lambda: regression(
        100, 200, optimizer=keras.optimizers.Adam(0.1)
    ),
    "dict": lambda: (
        wide_and_deep(),
        {"a": nets.inputs(), "b": nets.inputs(features=2, seed=3)},
        binary(),
    ),
    "segmentation": segmentation,
    "weighted": lambda: (
        nets.net(1, "sigmoid", "binary_crossentropy"),
        nets.inputs(),
        binary(),
        np.linspace(0.5, 2, 64),
    ),
    "without targets": lambda: (
        nets.net(1, "sigmoid", "binary_crossentropy"),
        nets.inputs(),
    ),
    "neither loss nor targets": lambda: (nets.net(), nets.inputs()),
    "not compiled": lambda: (nets.net(), nets.inputs(), nets.inputs(features=1)),
    "five samples": lambda: (
        nets.net(1, "sigmoid", "binary_crossentropy"),
        nets.inputs(5),
        np.zeros(5),
    ),
}


@pytest.mark.parametrize("variant", HEALTHY)
def test_nothing_is_found_in_a_healthy_model(variant):
    assert findings(*HEALTHY[variant]()) == {}
