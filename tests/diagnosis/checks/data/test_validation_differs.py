"""Validation inputs of another scale or channel order, and bad validation data."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix import diagnose
from tests.diagnosis.nets import inputs, judge, net, view

X = inputs(300)
Y = (X[:, :1] > 0).astype("float32")
TRAIN, HELD_OUT = slice(200), slice(200, None)
IMAGES = np.random.default_rng(0).random((60, 8, 8, 3)) * [0.9, 0.6, 0.4]
IMAGES = IMAGES.astype("float32")


def binary():
    return net(1, "sigmoid", "binary_crossentropy")


def finding(x_val):
    data = (x_val, Y[HELD_OUT])
    return judge("KTF141", view(binary(), X[TRAIN], Y[TRAIN], validation_data=data))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: 255 * x, "spread 2"),
        (lambda x: x / 100, "spread 0.0"),
        (lambda x: x + 5, "standard deviations away"),
    ],
)
def test_validation_differs(change, words):
    found = finding(change(X[HELD_OUT]))
    assert found.severity == "warning"
    assert words in found.message


@pytest.mark.parametrize("change", [lambda x: x, lambda x: 1.5 * x, lambda x: x + 1])
def test_nearly_the_same(change):
    assert finding(change(X[HELD_OUT])) is None
    assert finding(9 * X[HELD_OUT]) is not None


def images_net():
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(1, "sigmoid")]
    )
    model.compile("adam", "binary_crossentropy")
    return model


def test_reversed_channels():
    for order, is_found in ((-1, True), (1, False)):
        data = (IMAGES[30:][..., ::order], Y[30:60])
        one = view(images_net(), IMAGES[:30], Y[:30], validation_data=data)
        found = judge("KTF141", one)
        assert (found is not None) == is_found
        assert found is None or "BGR" in found.message


BAD = {
    "another shape": (X[:, :3], Y),
    "no targets": X,
    "lengths that differ": (X, Y[:7]),
    "text": (np.array(["a"] * 30), Y[:30]),
    "nothing": (X[:0], Y[:0]),
    "a number": 3,
    "a list of numbers": [1.0, 2.0],
    "not finite": (X * np.nan, Y),
    "batches": [(X[:50], Y[:50])] * 3,
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_validation_data_do_not_end_a_diagnosis(kind):
    with np.errstate(all="ignore"):
        diagnosis = diagnose(binary(), X, Y, validation_data=BAD[kind], fit=False)
    assert {f.code for f in diagnosis.findings} <= {"KTF142", "KTF143", "KTF132"}
    repeated = diagnose(binary(), X, Y, validation_data=(9 * X, Y), fit=False)
    assert "KTF141" in [f.code for f in repeated.findings]


def test_without_a_model_that_says_its_inputs():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x):
            return self.dense(x)

    model = Own()
    model(X[:1])
    model.compile("adam", "mse")
    for factor, is_found in ((9, True), (1, False)):
        one = view(model, X, Y, validation_data=(factor * X, Y))
        assert (judge("KTF141", one) is not None) == is_found
