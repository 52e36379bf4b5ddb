"""The pictures of a diagnosis, and what is drawn."""

import re

import keras
import numpy as np
import pytest

from keras_trainfix.diagnosis.observe.layer_outputs import LayerOutput
from keras_trainfix.diagnosis.report.plots import (
    OutputSummary,
    dead_shares,
    draw,
    output_summary,
)
from tests.diagnosis.nets import inputs, net, view
from tests.diagnosis.report.samples import parsed

X = inputs()
Y = X[:, :1] + 1


def heights(picture):
    return [float(height) for height in re.findall(r'height="([\d.]+)" fill', picture)]


def test_predictions_over_targets():
    y = np.linspace(0, 10, 50)
    (picture,) = draw([OutputSummary("output", "regression", 0 * y + 4, y, 5.0)], {})
    dots = re.findall(r"M([\d.]+) ([\d.]+)h.1", picture)
    assert len(dots) == 50
    assert len({up for _, up in dots}) == 1  # one answer for all
    assert len({across for across, _ in dots}) == 50
    assert "constant 5" in picture
    assert "of 'output'" not in picture
    parsed(picture)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0329, "0.0329"),
        (-10.09, "-10.1"),
        (-3774000.0, "-3.8e6"),
        (1.234e-7, "1.2e-7"),
        (1e300, "1e+300"),
    ],
)
def test_numbers_at_axes_are_short(number, text):
    y = np.array([number, number])
    (picture,) = draw([OutputSummary("output", "regression", y, y, number)], {})
    assert f">{text}</text>" in picture


def test_shares_of_the_classes():
    said, right = np.array([0.0, 1.0, 0.0]), np.array([0.5, 0.25, 0.25])
    (picture,) = draw([OutputSummary("output", "classes", said, right, 0)], {})
    labels, predicted = np.array(heights(picture)[:6]).reshape(3, 2).T
    assert labels / predicted.max() == pytest.approx(right, abs=0.01)
    assert predicted / predicted.max() == pytest.approx(said, abs=0.01)
    parsed(picture)


def test_few_of_many_classes():
    shares = np.zeros(1000)
    shares[[3, 977]] = 0.5
    (picture,) = draw([OutputSummary("output", "classes", shares, shares, 3)], {})
    assert ">977<" in picture
    assert "990 more" in picture


def test_several_outputs_are_named():
    y = np.arange(3.0)
    pictures = draw([OutputSummary(n, "regression", y, y, 1) for n in ("<a>", "b")], {})
    assert "Predictions of &#x27;&lt;a&gt;&#x27; over targets" in pictures[0]
    assert len(pictures) == 2


@pytest.mark.parametrize(
    "output",
    [
        OutputSummary("o", "regression", np.full(3, np.nan), np.ones(3), 1.0),
        OutputSummary("o", "regression", np.zeros(0), np.zeros(0), np.nan),
        OutputSummary("o", "regression", np.ones(1), np.ones(1), 1.0),
        OutputSummary("o", "regression", np.array([1e-40, 1e38]), np.ones(2), 1.0),
        OutputSummary("o", "classes", np.zeros(1), np.zeros(1), 0),
        OutputSummary("o", "classes", np.array([np.nan]), np.ones(1), 0),
    ],
)
def test_pictures_of_odd_numbers(output):
    for picture in draw([output], {}):
        parsed(picture)
        assert "nan" not in picture


def test_dead_units():
    assert draw([], {}) == []
    assert draw([], {"dense": 0.0}) == []
    (picture,) = draw([], {"dense": 0.0, "a_layer_with_a_long_name": 0.5})
    assert "a_layer_with_a_…" in picture
    assert ">50%<" in picture
    (picture,) = draw([], {f"layer_{i}": i / 20 for i in range(20)})
    shown = re.findall(r">(layer_\d+)<", picture)
    assert shown == [f"layer_{i}" for i in range(10, 20)]
    parsed(picture)


def test_the_summary_of_a_regression():
    y = np.concatenate([0 * Y, Y], axis=1)
    summary = output_summary(view(net(2, None, "mse"), X, y))
    assert summary.kind == "regression"
    assert summary.targets == pytest.approx(Y[:, 0])  # the column that varies
    assert summary.constant == pytest.approx(Y.mean())
    assert summary.predictions.shape == (64,)


@pytest.mark.parametrize(
    ("model", "y", "shares"),
    [
        (net(1, "sigmoid", "binary_crossentropy"), X[:, 0] > 1e9, [1, 0]),
        (
            net(3, "softmax", "sparse_categorical_crossentropy"),
            np.arange(64) % 4 % 3,
            [0.5, 0.25, 0.25],
        ),
        (
            net(3, "sigmoid", "binary_crossentropy"),
            np.tile([[1, 1, 0], [0, 1, 0]], (32, 1)),
            [0.5, 1, 0],
        ),
    ],
)
def test_the_summary_of_classes(model, y, shares):
    summary = output_summary(view(model, X, np.asarray(y, "float32")))
    assert summary.kind == "classes"
    assert summary.targets == pytest.approx(shares)
    assert summary.constant == np.argmax(shares)
    assert summary.predictions.shape == summary.targets.shape


def test_no_summary_without_targets():
    assert output_summary(view(net(1, None, "mse"), X)) is None
    assert output_summary(None) is None


def test_dead_shares_of_relu_layers():
    last = np.array([[0, 1, 0, 2], [0, 1, 0, 0]], "float32")
    first = np.moveaxis(np.stack([last, last], 1), -1, 1)
    pixels = keras.layers.Conv2D(4, 1, activation="relu", data_format="channels_first")
    layers = [
        LayerOutput(keras.layers.Dense(4, activation="relu", name="a"), last),
        LayerOutput(keras.layers.Dense(4, name="linear"), 0 * last),
        LayerOutput(pixels, first[..., None]),
        LayerOutput(keras.layers.ReLU(name="b"), 0 * last),
    ]
    assert dead_shares(layers) == {"a": 0.5, pixels.name: 0.5, "b": 1.0}
