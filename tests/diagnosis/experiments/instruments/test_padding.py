"""Padding is recognized, and what moves the answers is measured."""

import numpy as np
import pytest
from keras import layers

from keras_trainfix.diagnosis.experiments.instruments.padding import (
    find_padding,
    read_tokens,
)
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.experiments.instruments.sequences import (
    padded,
    reader,
    tokens,
)
from tests.diagnosis.nets import inputs, net


def read(model, x):
    return read_tokens(Snapshot(model, x, np.arange(len(x)) % 2))


def classifier(*parts, **settings):
    return reader(
        *parts, loss="binary_crossentropy", units=1, head="sigmoid", **settings
    )


def test_padding_behind_and_in_front():
    x = padded()
    behind, front = find_padding(x), find_padding(x[:, ::-1])
    assert behind.is_behind
    assert not front.is_behind
    for padding, values in ((behind, x), (front, x[:, ::-1])):
        np.testing.assert_array_equal(padding.is_token, values > 0)


def test_padding_of_real_features():
    x = np.random.default_rng(0).normal(size=(20, 12, 3)).astype("float32")
    assert find_padding(x) is None
    x[np.arange(12) >= np.arange(20)[:, None] % 9 + 2] = -10
    assert find_padding(x).value == -10


@pytest.mark.parametrize(
    "x",
    [
        tokens(),
        inputs(),
        padded()[:, 50:],  # nothing else
        np.repeat([[1, 2, 3, 0, 0, 0]], 20, axis=0),  # the same length
        padded()[:4],
        padded()[:, :, None, None],
        np.where(tokens(steps=20) < 6, 0, tokens(steps=20)),  # inside as well
    ],
)
def test_what_is_no_padding(x):
    assert find_padding(x) is None
    assert find_padding(padded()) is not None


def test_a_recurrent_net_forgets_what_is_before_the_padding():
    x = padded()
    seen = read(classifier(layers.GRU(16), steps=100), x)
    assert seen.share < 1e-6
    assert seen.moved > 1e-4
    masked = read(classifier(layers.GRU(16), steps=100, mask_zero=True), x)
    assert masked.share > 0.1
    in_front = np.stack([np.roll(row, (row == 0).sum()) for row in x])
    assert read(classifier(layers.GRU(16), steps=100), in_front).share > 0.1
    mean = read(classifier(layers.GlobalAveragePooling1D(), steps=100), x)
    assert mean.share > 0.005
    assert mean.tokens == pytest.approx(mean.moved, rel=1e-3)


def test_without_sequences():
    assert read_tokens(Snapshot(net(), inputs())) is None
