"""KTF211: the loss, a metric or the training call raises on the user's own data."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_trainfix as kt
from keras_trainfix.diagnosis.diagnose import diagnose
from keras_trainfix.diagnosis.trial import runner
from tests.diagnosis.nets import inputs, net
from tests.diagnosis.single import assert_page

X = inputs(64, 6)
Y = X[:, :1] + 1


def raises(y_true, y_pred):
    raise RuntimeError("my own words")


def sound(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


class OnlyInference(layers.Layer):
    def call(self, x, training=False):
        if training:
            raise RuntimeError("my own words")
        return x


def with_layer(layer):
    model = keras.Sequential([keras.Input((6,)), layers.Dense(4), layer])
    model.add(layers.Dense(1))
    model.compile("adam", "mse")
    return model


CASES = {
    "loss": (lambda: net(loss=raises), lambda: net(loss=sound)),
    "metrics": (
        lambda: net(loss="mse", metrics=[raises]),
        lambda: net(loss="mse", metrics=[sound]),
    ),
    "call": (lambda: with_layer(OnlyInference()), lambda: with_layer(layers.ReLU())),
}


@pytest.mark.parametrize("fit", [True, False])
@pytest.mark.parametrize("part", CASES)
def test_what_raises_is_an_error_with_its_text(part, fit, monkeypatch):
    monkeypatch.setattr(runner, "STEPS", 6)
    broken, whole = (build() for build in CASES[part])
    diagnosis = diagnose(broken, X, Y, fit=fit)
    finding = next(f for f in diagnosis.findings if f.code == "KTF211")
    assert not diagnosis.ok
    assert finding.evidence["part"] == part
    assert "RuntimeError: my own words" in finding.message
    assert "\x1b" not in str(diagnosis)
    assert ("a training step raises" in str(diagnosis)) == fit
    assert "KTF211" not in diagnose(whole, X, Y, fit=fit).codes
    if part != "call":
        names = {"model": broken, "x": X, "y": Y, "keras": keras, "np": np}
        exec(finding.fix, names)
        assert "KTF211" not in diagnose(names["model"], X, Y, fit=False).codes


def test_fit_raises_as_well():
    for part in CASES:
        with pytest.raises(Exception, match="my own words"):
            CASES[part][0]().fit(X, Y, verbose=0)


@pytest.mark.backend_only("torch", reason="compiled code cannot look at values")
def test_a_head_that_was_squeezed():
    def build(*last):
        model = keras.Sequential(
            [keras.Input((8, 6)), layers.Dense(1, "sigmoid"), *last]
        )
        model.compile("adam", kt.MaskedCrossentropy())
        return model

    x = inputs(32, 48).reshape(32, 8, 6)
    y = (x[..., 0] > 0).astype("int32")
    diagnosis = diagnose(build(layers.Reshape((8,))), x, y)
    assert not diagnosis.ok
    assert "sum to 1" in str(diagnosis)
    assert "KTF211" not in diagnose(build(), x, y).codes


def test_a_cause_stands_before_it():
    model = net(3, "softmax", "sparse_categorical_crossentropy")
    y = keras.utils.to_categorical(np.arange(64) % 3, 3)
    codes = diagnose(model, X, y).codes
    assert codes[0] == "KTF206"
    assert "KTF211" in codes


def test_the_page():
    assert_page("KTF211")
