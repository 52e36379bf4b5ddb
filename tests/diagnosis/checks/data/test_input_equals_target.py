"""Inputs that hold the answer are named; autoencoders and shifted decoders are not."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.diagnosis.experiments.instruments.sequences import (
    one_behind,
    reader,
    tokens,
    translator,
)
from tests.diagnosis.nets import inputs, net
from tests.diagnosis.single import run

CODE = "KTF134"


@pytest.mark.parametrize("attention", [{}, {"use_causal_mask": True}, {"training": 0}])
def test_a_decoder_that_is_not_shifted(attention):
    y, source = tokens(), tokens(seed=1)
    model = translator(**attention)
    finding = run(CODE, model, [source, y], y)
    assert finding.severity == "error"
    assert "'decoder'" in finding.message
    assert run(CODE, model, [source, one_behind(y)], y) is None
    assert run(CODE, model, [y, one_behind(y)], y) is None  # an autoencoder


def test_a_decoder_that_is_one_step_ahead():
    y = tokens()
    source, ahead = tokens(seed=1), np.roll(y, -1, axis=1)
    finding = run(CODE, translator(), [source, ahead], y)
    assert finding.evidence["kind"] == "ahead"
    assert run(CODE, translator(), [ahead, one_behind(y)], y) is None  # a task


def test_a_dict_of_inputs():
    y = tokens()
    x = {"source": tokens(seed=1), "decoder": y}
    finding = run(CODE, translator(), x, y)
    assert "x['decoder']" in finding.fix
    names = {"x": x, "np": np}
    exec(finding.fix, names)
    assert run(CODE, translator(), names["x"], y) is None


def test_a_single_input_of_tokens():
    x = tokens()
    causal = reader(layers.GRU(16, return_sequences=True))
    assert run(CODE, causal, x, x).severity == "error"
    assert run(CODE, causal, x[:, :], np.roll(x, -1, axis=1)) is None
    both = reader(layers.Bidirectional(layers.GRU(8, return_sequences=True)))
    assert run(CODE, both, x, x) is None  # it may be an autoencoder
    own = reader(
        layers.GRU(16, return_sequences=True),
        loss=lambda y, p: keras.losses.sparse_categorical_crossentropy(
            y[:, 1:], p[:, :-1]
        ),
    )
    assert run(CODE, own, x, x) is None  # the loss shifts


def test_autoencoders():
    x = inputs()
    assert run(CODE, net(6, loss="mse"), x, x) is None
    image, label = keras.Input((6,)), keras.Input((2,))
    code = layers.Dense(2)(layers.Concatenate()([image, label]))
    out = layers.Dense(6)(layers.Concatenate()([code, label]))
    model = keras.Model([image, label], out)
    model.compile("adam", "mse")
    labels = np.eye(2)[np.arange(64) % 2].astype("float32")
    assert run(CODE, model, [x, labels], x) is None
    direct = layers.Dense(6)(layers.Concatenate()([code, label])) + image
    copying = keras.Model([image, label], direct)
    copying.compile("adam", "mse")
    assert run(CODE, copying, [x, labels], x).severity == "error"


def test_columns():
    x = inputs()
    price = 123.4 + 17.83 * x[:, 4]
    finding = run(CODE, net(1, loss="mse"), x, price)
    assert finding.severity == "warning"
    assert finding.evidence["column"] == 4
    names = {"x": x, "np": np}
    exec(finding.fix, names)
    assert run(CODE, net(1, loss="mse"), names["x"], price) is None
    assert run(CODE, net(1, loss="mse"), x, 3 * x[:, 4] + 1).severity == "note"
    assert run(CODE, net(1, "sigmoid", "mse"), x, x[:, 4] > 0) is None
    assert run(CODE, net(1, loss="mse", shape=(1,)), x[:, :1], x[:, 0]) is None


def test_a_label_as_input():
    x, y = inputs(), (np.arange(64) % 2).astype("float32")
    a, b = keras.Input((6,)), keras.Input((1,), name="label")
    joined = layers.Concatenate()([a, b])
    model = keras.Model([a, b], layers.Dense(1, activation="sigmoid")(joined))
    model.compile("adam", "binary_crossentropy")
    finding = run(CODE, model, [x, y[:, None]], y)
    assert finding.severity == "error"
    assert "'label'" in finding.message
    assert run(CODE, model, [x, 1 - y[::-1, None] * 0], y) is None


def windows(first_target, steps=8):
    series = np.cumsum(np.random.default_rng(0).normal(size=300)).astype("float32")
    x = np.lib.stride_tricks.sliding_window_view(series, steps)[:256, :, None]
    return x, series[first_target:][:256]


def forecaster():
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((8, 1)), keras.layers.Flatten(), keras.layers.Dense(1)]
    )
    model.compile("adam", "mse")
    return model


def test_a_window_that_contains_its_target():
    for step in (0, 7):
        finding = run("KTF134", forecaster(), *windows(step))
        assert finding.severity == "warning"
        assert f"Step {step} of the 8 steps of 'x'" in finding.message
        assert "targets=series[8:]" in finding.fix
    assert run("KTF134", forecaster(), *windows(8)) is None


def test_a_task_of_memory_is_no_leak():
    x = np.random.default_rng(0).normal(size=(256, 8, 1)).astype("float32")
    assert run("KTF134", forecaster(), x, x[:, 0, 0]) is None
