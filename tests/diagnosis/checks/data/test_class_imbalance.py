"""Rare classes are found unless loss, weights or training make up for them."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix import MaskedCrossentropy, MaskedSoftDice, WeightedSum
from tests.diagnosis.checks.data.cases import (
    findings,
    mask_net,
    only,
    rare_masks,
)
from tests.diagnosis.nets import inputs, net

BCE = "binary_crossentropy"
FOUND = ["KTF125"]


def rare(count, samples=100):
    """Labels of which `count` are 1, spread evenly."""
    y = np.zeros(samples, "int32")
    y[np.linspace(3, samples - 4, count).astype(int)] = 1
    return y


IMBALANCED = {
    "sparse": lambda: (
        net(2, "softmax", "sparse_categorical_crossentropy"),
        inputs(100),
        rare(3),
    ),
    "one-hot": lambda: (
        net(2, "softmax", "categorical_crossentropy"),
        inputs(100),
        np.eye(2)[rare(3)],
    ),
    "binary": lambda: (
        net(1, "sigmoid", "binary_crossentropy"),
        inputs(100),
        rare(2),
    ),
    "squared error": lambda: (
        net(1, "sigmoid", "mse"),
        inputs(100),
        rare(3),
    ),
    "masked": lambda: (
        net(2, "softmax", MaskedCrossentropy()),
        inputs(100),
        rare(3),
    ),
    "one class": lambda: (
        net(1, "sigmoid", "binary_crossentropy"),
        inputs(100),
        rare(0),
    ),
    "segmentation": lambda: (mask_net(), *rare_masks()),
    "one channel": lambda: (
        mask_net(1, "sigmoid", "binary_crossentropy"),
        rare_masks()[0],
        rare_masks()[1][..., None],
    ),
}


@pytest.mark.parametrize("variant", IMBALANCED)
def test_class_imbalance(variant):
    finding = only(*IMBALANCED[variant]())
    assert (finding.code, finding.name) == ("KTF125", "class-imbalance")
    assert finding.severity == "warning"
    assert finding.evidence["largest_class"] == 0
    assert sum(finding.evidence["shares"]) == pytest.approx(1)


@pytest.mark.parametrize(
    "loss",
    [
        MaskedCrossentropy(class_weight=[0.5, 15.0]),
        MaskedCrossentropy(focal_gamma=2.0),
        MaskedSoftDice(),
        WeightedSum([MaskedSoftDice(), MaskedCrossentropy()]),
        lambda y, p: keras.losses.sparse_categorical_crossentropy(y, p),
    ],
)
def test_losses_that_make_up_for_the_imbalance(loss):
    assert findings(mask_net(loss=loss), *rare_masks()) == {}
    assert list(findings(mask_net(loss=MaskedCrossentropy()), *rare_masks())) == FOUND


def test_focal_losses_make_up_for_the_imbalance():
    for loss, expected in (("binary_focal_crossentropy", []), (BCE, FOUND)):
        model = net(1, "sigmoid", loss)
        assert list(findings(model, inputs(100), rare(3))) == expected


def test_sample_weights_make_up_for_the_imbalance():
    model = net(1, "sigmoid", BCE)
    weights = np.where(rare(3), 30.0, 1.0)
    for given, expected in ((weights, []), (None, FOUND)):
        assert list(findings(model, inputs(100), rare(3), given)) == expected


def test_void_pixels_do_not_count():
    x, y = rare_masks()
    model = mask_net(loss=MaskedCrossentropy())
    assert list(findings(model, x, y)) == FOUND
    y[:, 4:] = 255
    y[:, :4, 4:] = 255
    assert findings(model, x, y) == {}


def test_classes_that_are_not_that_rare():
    model = net(1, "sigmoid", BCE)
    for count, side, expected in ((6, 4, []), (3, 2, FOUND)):
        assert list(findings(model, inputs(100), rare(count))) == expected
        assert list(findings(mask_net(), *rare_masks(side=side))) == expected


def classifier(learned, units=2):
    """A net that predicts the class that is its input, or always the same."""
    loss = "sparse_categorical_crossentropy" if units > 1 else "binary_crossentropy"
    model = net(units, "softmax" if units > 1 else "sigmoid", loss, shape=(1,))
    for layer in model.layers:
        layer.kernel.assign(np.zeros(layer.kernel.shape))
    if learned:
        first, last = model.layers
        first.kernel.assign(np.eye(1, 16))
        last.kernel.assign(np.eye(16, units)[:, ::-1] * 20)
        last.bias.assign(np.linspace(10, 0, units) if units > 1 else [-10])
    return model


@pytest.mark.parametrize("units", [1, 2])
@pytest.mark.parametrize(
    ("is_learned", "severity"), [(False, "warning"), (True, "note")]
)
def test_a_rare_class_that_has_been_learned_is_a_note(units, is_learned, severity):
    y = rare(3)
    x = y[:, None].astype("float32")
    model = classifier(is_learned, units)
    predicted = model.predict(x, verbose=0)
    if is_learned:
        assert (predicted[:, -1].round() == y).all()
    assert only(model, x, y).severity == severity


@pytest.mark.parametrize(("bias", "severity"), [(-1.5, "note"), (-6.0, "warning")])
def test_a_weighted_ranking_is_a_note(bias, severity):
    """Weights in `fit` move the probabilities, not the order, and cannot be seen."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 1)).astype("float32")
    y = (x[:, 0] + 1.5 * rng.normal(size=256) > 3.5).astype("int32")
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy")
    model.layers[0].set_weights([np.ones((1, 1)), np.array([bias])])
    model.optimizer.build(model.trainable_variables)
    model.optimizer.iterations.assign(500)
    assert only(model, x, y).severity == severity
