"""Places are unused if NaN and other values there change nothing, at any weights."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_trainfix.diagnosis.experiments.instruments.unused_places import (
    unused_places,
)
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.nets import inputs

STEPS = 10
SERIES = inputs(64, STEPS * 3).reshape(64, STEPS, 3)


def unused(*body, x=SERIES, loss="mse"):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input(x.shape[1:]), *body, layers.Dense(1)])
    model.compile("adam", loss)
    before = model.get_weights()
    found = unused_places(Snapshot(model, x, x.reshape(len(x), -1)[:, :1]))
    assert all(map(np.array_equal, before, model.get_weights()))
    return {one.axis: one.places.tolist() for one in found}


def last():
    return layers.Lambda(lambda h: h[:, -1])


@pytest.mark.every_backend
def test_the_last_place_of_a_convolution_sees_its_width():
    assert unused(layers.Conv1D(4, 3), last()) == {1: [0, 1, 2, 3, 4, 5, 6]}
    assert unused(layers.Conv1D(4, 3), layers.GlobalMaxPooling1D()) == {}
    assert unused(layers.Conv1D(4, 3), layers.GlobalAveragePooling1D()) == {}


@pytest.mark.every_backend
@pytest.mark.parametrize("layer", [layers.GRU, layers.LSTM, layers.SimpleRNN])
def test_a_recurrent_layer_sees_the_first_of_many_steps(layer):
    long = inputs(64, 300).reshape(64, 300, 1)
    assert unused(layer(4), x=long) == {}


def test_attention_sees_all_steps():
    class Attention(layers.Layer):
        def __init__(self):
            super().__init__()
            self.attention = layers.MultiHeadAttention(2, 4)

        def build(self, shape):
            self.attention.build(shape, shape)

        def call(self, x):
            return self.attention(x, x)

    assert unused(layers.Dense(8), Attention(), last()) == {}


def test_a_slice_of_the_steps_and_of_the_columns():
    assert unused(layers.Lambda(lambda x: x[:, :2]), layers.GRU(4)) == {
        1: [2, 3, 4, 5, 6, 7, 8, 9]
    }
    assert unused(layers.Lambda(lambda x: x[:, ::2]), layers.Dense(4), x=inputs()) == {
        1: [1, 3, 5]
    }


def test_rows_and_columns_of_images():
    images = inputs(16, 64).reshape(16, 8, 8, 1)
    corner = layers.Lambda(lambda x: x[:, 4:, :6])
    assert unused(corner, layers.Flatten(), x=images) == {1: [0, 1, 2, 3], 2: [6, 7]}


def test_what_a_maximum_drops_is_used():
    def largest(x):  # of which NaN is none
        return ops.max(ops.where(x == x, x, -9.0), axis=1)

    assert unused(layers.Lambda(largest)) == {}


def test_what_only_training_uses_is_used():
    class Shuffled(layers.Layer):
        def call(self, x, training=False):
            return ops.mean(x, 1) if training else x[:, 0]

    assert unused(Shuffled()) == {}


def test_ids_and_what_does_not_vary_are_not_judged():
    ids = np.arange(640).reshape(64, 10) % 7
    model = keras.Sequential(
        [keras.Input((10,), dtype="int32"), layers.Embedding(7, 4), last()]
    )
    assert unused_places(Snapshot(model, ids)) is None
    flat = SERIES.copy()
    flat[:, :8] = 1
    assert unused(layers.Conv1D(4, 2), last(), x=flat) == {}
