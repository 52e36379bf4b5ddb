"""Dead units are found, and living ones are not."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.diagnosis.nets import inputs
from tests.diagnosis.single import ABOUT_LAYERS, answers, only, run, sequential

X = inputs()
Y = X[:, :1]
IDS = np.digitize(X[:, 0], [-0.5, 0.5])


def dead(layer, share=1.0):
    units = layer.bias.shape[0]
    bias = np.zeros(units)
    bias[: round(share * units)] = -99
    layer.bias.assign(bias)


@pytest.mark.parametrize("kind", ["dense", "layer", "relu6", "conv"])
def test_a_dead_layer(kind):
    x = X if kind != "conv" else inputs(64, 144).reshape(64, 12, 12, 1)
    first = layers.Dense(16, "relu" if kind == "dense" else None)
    parts = {
        "dense": [first],
        "layer": [first, layers.ReLU()],
        "relu6": [first, layers.Activation("relu6")],
        "conv": [layers.Conv2D(16, 3, activation="relu")],
    }[kind]
    parts += [layers.MaxPooling2D(), layers.Flatten()] if kind == "conv" else []
    model = sequential(*parts, layers.Dense(1), shape=x.shape[1:])
    assert run("KTF403", model, x) is None
    dead(model.layers[0])
    finding = only("KTF403", model, x)
    assert finding.severity == "error"
    assert finding.evidence["dead_share"] == 1
    name = model.layers[1 if kind in ("layer", "relu6") else 0].name
    assert f"'{name}'" in finding.message


def test_the_first_dead_layer_is_named():
    first, second = layers.Dense(16, "relu"), layers.Dense(8, "relu")
    model = sequential(first, second, layers.Dense(1))
    dead(second)
    assert second.name in run("KTF403", model, X, Y).message
    dead(first)
    finding = run("KTF403", model, X, Y)
    assert first.name in finding.message
    assert finding.evidence["dead_layers"] == 2


def test_many_dead_units_are_a_warning_and_some_are_none():
    layer = layers.Dense(20, "relu")
    model = sequential(layer, layers.Dense(1))
    dead(layer, 0.5)
    assert run("KTF403", model, X, Y) is None
    dead(layer, 0.85)
    finding = only("KTF403", model, X, Y)
    assert finding.severity == "warning"
    assert finding.evidence["dead_share"] == pytest.approx(0.85)


def test_a_dead_branch_beside_a_living_one_is_a_warning():
    image = keras.Input((6,))
    branch = layers.Dense(6, "relu")
    y = layers.Dense(1)(layers.add([image, branch(image)]))
    model = keras.Model(image, y)
    dead(branch)
    assert run("KTF403", model, X, Y).severity == "warning"


@pytest.mark.parametrize(
    ("relu", "severity"),
    [
        (layers.ReLU(), "error"),
        (layers.LeakyReLU(), None),
        (layers.ReLU(negative_slope=0.1), None),
        (layers.ELU(), None),
    ],
)
def test_a_leaky_relu_is_never_dead(relu, severity):
    layer = layers.Dense(16)
    model = sequential(layer, relu, layers.Dense(1))
    dead(layer)
    finding = run("KTF403", model, X, Y)
    assert (finding and finding.severity) == severity


def test_dead_units_of_a_model_that_has_learned_are_a_note():
    layer = layers.Dense(20, "relu")
    model = sequential(layer, layers.Dense(1))
    dead(layer, 0.85)
    assert run("KTF403", model, X, Y).severity == "warning"
    assert run("KTF403", model, X, answers(model, X)).severity == "note"


def test_the_fix_has_the_optimizer_and_the_loss_of_the_model():
    layer = layers.Dense(20, "relu")
    model = sequential(layer, layers.Dense(1), optimizer=keras.optimizers.SGD(0.5))
    dead(layer)
    expected = 'model.compile(keras.optimizers.SGD(0.05, clipnorm=1.0), loss="mse")'
    assert expected in run("KTF403", model, X, Y).fix


def test_several_outputs_and_inputs():
    a, b = keras.Input((6,), name="a"), keras.Input((2,), name="b")
    h = layers.Dense(8, "relu")(layers.concatenate([a, b]))
    model = keras.Model([a, b], {"p": layers.Dense(1)(h), "q": layers.Dense(3)(h)})
    x = {"a": X, "b": X[:, :2]}
    y = {"p": Y, "q": np.eye(3)[IDS]}
    model.compile("adam", {"p": "mse", "q": "mse"})
    assert [run(code, model, x, y) for code in ABOUT_LAYERS] == [None] * len(
        ABOUT_LAYERS
    )
    dead(model.layers[3])
    assert run("KTF403", model, x, y).severity == "error"


@pytest.mark.parametrize("samples", [2, 5])
def test_a_dead_head_of_a_few_samples(samples):
    head = layers.Dense(1, "relu")
    model = sequential(layers.Dense(8), head)
    dead(head)
    few = X[:samples]
    assert run("KTF403", model, few, Y[:samples]).severity == "error"
    head.bias.assign([99.0])
    assert run("KTF403", model, few, Y[:samples]) is None


def test_hidden_units_of_a_few_samples_are_not_judged():
    model = sequential(layers.Dense(1, "relu"), layers.Dense(1))
    skip = keras.Model(model.inputs, model.outputs[0] + model.inputs[0][:, :1])
    skip.compile("adam", "mse")
    dead(model.layers[0])
    assert run("KTF403", skip, X[:5], Y[:5]) is None
    assert run("KTF403", skip, X, Y)
