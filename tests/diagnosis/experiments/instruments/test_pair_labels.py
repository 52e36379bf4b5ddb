"""A distance is recognized among answers of two inputs, and what its loss wants."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_trainfix.diagnosis.experiments.instruments.pair_labels import (
    pair_labels,
    wanted_by,
)
from keras_trainfix.diagnosis.snapshot import Snapshot

RNG = np.random.default_rng(0)
A = RNG.normal(size=(128, 8)).astype("float32")
SIMILAR = (np.arange(128) % 2).astype("float32")[:, None]
B = np.where(SIMILAR == 1, A, A[::-1]) + 0.3 * RNG.normal(size=A.shape)
B = B.astype("float32")


def contrastive(y, distance):
    """Of labels with 1 for similar pairs."""
    far = ops.maximum(1.0 - distance, 0)
    return ops.mean(y * ops.square(distance) + (1 - y) * ops.square(far))


class Distance(layers.Layer):
    def call(self, pair):
        return ops.sqrt(ops.sum(ops.square(pair[0] - pair[1]), 1, keepdims=True) + 1e-6)


class Likeness(layers.Layer):
    def call(self, pair):
        return ops.exp(-ops.sum(ops.abs(pair[0] - pair[1]), axis=1, keepdims=True) / 8)


def siamese(merge, loss, *after):
    keras.utils.set_random_seed(1)
    encoder = keras.Sequential([keras.Input((8,)), layers.Dense(16, "relu")])
    parts = [keras.Input((8,)), keras.Input((8,))]
    answer = merge([encoder(part) for part in parts])
    for layer in after:
        answer = layer(answer)
    model = keras.Model(parts, answer)
    model.compile("adam", loss)
    return model


def labels(model, y, a=A, b=B):
    return pair_labels(Snapshot(model, [a, b], y))


@pytest.mark.parametrize(
    ("merge", "loss", "is_distance"),
    [(Distance, contrastive, True), (Likeness, "binary_crossentropy", False)],
)
def test_what_the_loss_draws_together(merge, loss, is_distance):
    sound = labels(siamese(merge(), loss), SIMILAR)
    assert sound.is_distance == is_distance
    assert sound.drawn == 1
    assert sound.area > 0.9
    assert not sound.is_reversed
    faulty = labels(siamese(merge(), loss), 1 - SIMILAR)
    assert faulty.drawn == 1
    assert faulty.is_reversed


def test_likeness_that_the_inputs_do_not_show():
    other = RNG.normal(size=A.shape).astype("float32")
    hidden = labels(siamese(Distance(), contrastive), 1 - SIMILAR, b=other)
    assert abs(hidden.area - 0.5) < 0.2
    assert not hidden.is_reversed
    assert labels(siamese(Distance(), contrastive), 1 - SIMILAR).is_reversed


def test_answers_that_a_weight_can_turn_round():
    head = layers.Dense(1, "sigmoid")
    free = siamese(Distance(), "binary_crossentropy", head)
    assert labels(free, SIMILAR) is None
    joined = siamese(
        layers.Concatenate(),
        "binary_crossentropy",
        head.from_config({"units": 1, "activation": "sigmoid"}),
    )
    assert labels(joined, SIMILAR) is None
    assert labels(siamese(Distance(), contrastive), SIMILAR) is not None


def test_odd_targets():
    model = siamese(Distance(), contrastive)
    words = np.array(["a", "b"] * 64)
    for y in (None, words, RNG.normal(size=(128, 1)), np.ones((128, 1))):
        assert labels(model, y) is None
    assert labels(model, SIMILAR)


def test_the_model_stays_as_it_is():
    model = siamese(Distance(), contrastive)
    before = model.get_weights()
    assert labels(model, SIMILAR)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_wanted_by():
    model = siamese(Distance(), contrastive)
    view = Snapshot(model, [A, B], SIMILAR).views()[0]
    assert wanted_by(contrastive, view, np.array([0, 1]))[1] == -1
    assert wanted_by(None, view, np.array([0, 1])) is None
