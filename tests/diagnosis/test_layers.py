"""Each fault of a layer is found, and its repaired twin is not reported."""

import json
import re

import keras
import numpy as np
import pytest
from keras import layers

import keras_trainfix as kt
from keras_trainfix.backend import to_numpy
from keras_trainfix.diagnosis.checks import layers as module
from keras_trainfix.diagnosis.registry import CHECKS
from tests.diagnosis.nets import inputs, net, probe

X = inputs()
Y = X[:, :1]
IDS = np.digitize(X[:, 0], [-0.5, 0.5])
OURS = [
    c for c, check in CHECKS.items() if check.function.__module__ == module.__name__
]
SEVERITY = {"KTF403": "error", "KTF407": "error"}


def run(code, model, x=X, y=Y):
    finding = CHECKS[code].run(probe(model, x, y))
    if finding:
        json.dumps(finding.to_dict())
        assert re.search(r"\d", finding.message)
        assert finding.fix
    return finding


def only(code, model, x=X, y=Y):
    """The finding of a check, where no other check of this module has one."""
    findings = {c: run(c, model, x, y) for c in OURS}
    assert {c for c, finding in findings.items() if finding} == {code}
    return findings[code]


def sequential(*parts, shape=(6,), loss="mse", optimizer="adam"):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input(shape), *parts])
    model.compile(optimizer, loss)
    return model


def test_the_codes():
    assert {code: CHECKS[code].name for code in OURS} == {
        "KTF303": "nothing-trainable",
        "KTF403": "dead-relu",
        "KTF404": "saturated-units",
        "KTF407": "bad-initialisation",
        "KTF409": "not-finite",
        "KTF411": "bottleneck-discards-answer",
        "KTF301": "batch-norm-gap",
    }


@pytest.mark.parametrize("code", OURS)
def test_the_page(code):
    page = CHECKS[code].page
    headings = re.findall(r"^## (.*)$", page, re.MULTILINE)
    assert headings == [
        "What you see",
        "Why it happens",
        "How to check",
        "Fix",
        "When this is not the cause",
        "References",
    ]
    check, fix = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    for snippet, expected in ((check, True), (fix, False)):
        names = {}
        exec(snippet, names)
        finding = run(code, names["model"], names["x"], names["y"])
        assert (finding is not None) == expected, finding
        if finding:
            assert finding.severity == CHECKS[code].severity


# --- KTF303 nothing-trainable ---


def test_a_frozen_model():
    model = net(loss="mse")
    model.trainable = False
    finding = only("KTF303", model)
    assert finding.severity == "error"
    assert finding.evidence == {"trainable": 0, "weights": 6 * 16 + 16 + 17}


def test_a_head_on_a_frozen_body_without_features():
    body = layers.Dense(16, "relu", trainable=False)
    model = sequential(body, layers.Dense(1))
    assert run("KTF303", model) is None
    body.bias.assign(np.full(16, -99.0))
    finding = run("KTF303", model)
    assert finding.severity == "error"
    assert "17 weights" in finding.message
    assert run("KTF303", model, np.ones_like(X)) is None  # the inputs do not vary


# --- KTF403 dead-relu ---


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
    assert second.name in run("KTF403", model).message
    dead(first)
    finding = run("KTF403", model)
    assert first.name in finding.message
    assert finding.evidence["dead_layers"] == 2


def test_many_dead_units_are_a_warning_and_some_are_none():
    layer = layers.Dense(20, "relu")
    model = sequential(layer, layers.Dense(1))
    dead(layer, 0.5)
    assert run("KTF403", model) is None
    dead(layer, 0.85)
    finding = only("KTF403", model)
    assert finding.severity == "warning"
    assert finding.evidence["dead_share"] == pytest.approx(0.85)


def test_a_dead_branch_beside_a_living_one_is_a_warning():
    image = keras.Input((6,))
    branch = layers.Dense(6, "relu")
    y = layers.Dense(1)(layers.add([image, branch(image)]))
    model = keras.Model(image, y)
    dead(branch)
    assert run("KTF403", model).severity == "warning"


def test_a_leaky_relu_is_never_dead():
    layer = layers.Dense(16)
    for relu in (layers.LeakyReLU(), layers.ReLU(negative_slope=0.1), layers.ELU()):
        model = sequential(layer, relu, layers.Dense(1))
        dead(layer)
        assert run("KTF403", model) is None


# --- KTF404 saturated-units ---


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_saturated_units(name):
    model = sequential(layers.Dense(16, name), layers.Dense(1))
    finding = only("KTF404", model, 1000 * X)
    assert finding.severity == "warning"
    assert finding.evidence["saturated_share"] > 0.9
    assert run("KTF404", model) is None


def test_a_sure_head_is_not_saturated():
    model = net(1, "sigmoid", "binary_crossentropy")
    assert run("KTF404", model, 1000 * X, IDS[:, None] > 0) is None
    split = sequential(layers.Dense(3), layers.Activation("sigmoid"))
    assert run("KTF404", split, 1000 * X) is None


# --- KTF407 bad-initialisation ---


@pytest.mark.parametrize("head", ["zeros", "ones"])
@pytest.mark.parametrize("kernel", ["zeros", "ones"])
def test_copies(kernel, head):
    model = sequential(
        layers.Dense(8, "tanh", kernel_initializer=kernel),
        layers.Dense(1, kernel_initializer=head),
    )
    finding = run("KTF407", model)
    assert finding.severity == "error"
    assert finding.evidence["units"] == finding.evidence["copies"] == 8


def test_copies_that_part_are_a_warning():
    model = sequential(
        layers.Conv1D(8, 2, activation="relu", kernel_initializer="ones"),
        layers.GlobalAveragePooling1D(),
        layers.Dense(3),
        shape=(6, 1),
    )
    assert only("KTF407", model, X[..., None]).severity == "warning"


@pytest.mark.parametrize("head", [1, 4])
def test_a_head_of_zeros_is_fair(head):
    model = sequential(
        layers.Dense(8, "relu"), layers.Dense(head, kernel_initializer="zeros")
    )
    assert run("KTF407", model) is None
    with_softmax = sequential(
        layers.Dense(8, "relu"),
        layers.Dense(head, kernel_initializer="zeros"),
        layers.Activation("sigmoid"),
    )
    assert run("KTF407", with_softmax) is None


def test_a_residual_branch_that_starts_at_zero_is_fair():
    image = keras.Input((6,))
    branch = layers.Dense(6, "relu")(image)
    branch = layers.Dense(6, kernel_initializer="zeros")(branch)
    y = layers.Dense(1, kernel_initializer="zeros")(layers.add([image, branch]))
    assert run("KTF407", keras.Model(image, y)) is None


def test_single_units_fixed_filters_and_pruned_units_are_fair():
    fixed = layers.Conv1D(4, 3, kernel_initializer="ones", trainable=False)
    pruned = layers.Dense(8, "relu")
    model = sequential(
        fixed, layers.Flatten(), pruned, layers.Dense(1), layers.Dense(1), shape=(6, 1)
    )
    kernel, bias = pruned.get_weights()
    kernel[:, :5] = 0
    pruned.set_weights([kernel, bias])
    assert run("KTF407", model, X[..., None]) is None


# --- KTF409 not-finite ---


def test_nan_in_weights_names_the_layer():
    model = net(loss="mse")
    model.layers[1].bias.assign([np.nan])
    finding = run("KTF409", model)
    assert (finding.severity, finding.evidence["layers_with_bad_weights"]) == (
        "error",
        1,
    )
    assert model.layers[1].name in finding.message
    assert finding.evidence["bad_prediction_share"] == 1


def test_overflow_in_activations_names_the_first_layer():
    model = sequential(
        layers.Rescaling(1e30), layers.Rescaling(1e30), layers.Dense(2), layers.Dense(1)
    )
    finding = only("KTF409", model)
    assert f"activations of layer '{model.layers[1].name}'" in finding.message


def test_inputs_that_are_not_finite_are_another_fault():
    x = X.copy()
    x[0, 0] = np.nan
    assert run("KTF409", net(loss="mse"), x) is None


def test_an_infinite_mask_that_a_softmax_removes_is_fair():
    class Mask(layers.Layer):
        def call(self, x):
            return keras.ops.where(x > 2, float("-inf"), x)

    model = sequential(Mask(), layers.Softmax(), layers.Dense(1))
    assert run("KTF409", model, np.clip(2 * X, -3, 3)) is None


# --- KTF411 bottleneck-discards-answer ---


@pytest.mark.parametrize("kind", ["dense", "conv", "layer"])
def test_a_relu_bottleneck(kind):
    parts = {
        "dense": [layers.Dense(1, "relu", bias_initializer="ones")],
        "conv": [layers.Conv1D(1, 1, activation="relu"), layers.Flatten()],
        "layer": [layers.Dense(1, bias_initializer="ones"), layers.ReLU()],
    }[kind]
    model = sequential(*parts, layers.Dense(3), shape=(6, 4))
    x = inputs(64, 24).reshape(64, 6, 4)
    finding = only("KTF411", model, x, x[:, :, :3])
    assert finding.severity == "warning"
    assert finding.evidence["units"] == 1


def test_what_is_no_bottleneck():
    image = keras.Input((6,))
    gate = layers.Dense(6, "sigmoid")(layers.Dense(1, "relu")(image))
    gated = keras.Model(image, layers.Dense(2)(layers.multiply([image, gate])))
    assert run("KTF411", gated) is None
    assert run("KTF411", net(1, "relu", "mse")) is None  # a head
    linear = sequential(layers.Dense(1), layers.Dense(6))
    assert run("KTF411", linear) is None


@pytest.mark.parametrize("last", [True, False])
def test_dropout_on_the_answers(last):
    parts = [layers.Dense(16, "relu"), layers.Dense(3), layers.Dropout(0.5)]
    parts += [] if last else [layers.Softmax()]
    model = sequential(*parts, loss="mse")
    finding = only("KTF411", model, y=np.eye(3)[IDS])
    assert finding.evidence == {"rate": 0.5}
    parts[1:3] = parts[2:0:-1]
    assert run("KTF411", sequential(*parts), y=np.eye(3)[IDS]) is None


# --- KTF301 batch-norm-gap ---


def with_batch_norm(steps=1, **settings):
    model = sequential(
        layers.BatchNormalization(**settings),
        layers.Dense(16, "relu"),
        layers.Dense(3, "softmax"),
        loss="sparse_categorical_crossentropy",
    )
    model.fit(5 + X / 2, IDS, batch_size=32, epochs=steps, verbose=0)
    return model


def test_a_gap_and_the_model_stays_as_it_was():
    model = with_batch_norm(steps=10)
    before = [to_numpy(v) for v in model.variables]
    finding = only("KTF301", model, 5 + X / 2, IDS)
    assert finding.severity == "warning"
    assert finding.evidence["output_gap"] > 0.5
    assert finding.evidence["changed_answers"] > 0.1
    assert finding.evidence["iterations"] == 20
    for a, b in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(a, to_numpy(b))


def test_a_gap_of_the_first_steps_is_no_fault():
    assert run("KTF301", with_batch_norm(), 5 + X / 2, IDS) is None


def test_no_gap_where_there_is_none():
    model = with_batch_norm(20, momentum=0.5)
    assert run("KTF301", model, 5 + X / 2, IDS) is None
    model = with_batch_norm()
    kt.freeze_batch_norm(model)
    assert run("KTF301", model, 5 + X / 2, IDS) is None
    untrained = sequential(layers.BatchNormalization(), layers.Dense(3))
    assert run("KTF301", untrained, 5 + X / 2, IDS) is None


def test_several_outputs_and_inputs():
    a, b = keras.Input((6,), name="a"), keras.Input((2,), name="b")
    h = layers.Dense(8, "relu")(layers.concatenate([a, b]))
    model = keras.Model([a, b], {"p": layers.Dense(1)(h), "q": layers.Dense(3)(h)})
    x = {"a": X, "b": X[:, :2]}
    y = {"p": Y, "q": np.eye(3)[IDS]}
    model.compile("adam", {"p": "mse", "q": "mse"})
    assert [run(code, model, x, y) for code in OURS] == [None] * len(OURS)
    dead(model.layers[3])
    assert run("KTF403", model, x, y).severity == "error"
