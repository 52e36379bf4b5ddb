"""A transformer that attends to its padding and to nothing else.

A tutorial builds a padding mask with 1 where padding is, for an attention of its own.
Its layer was replaced by `MultiHeadAttention`, which takes 1 for what it may read. The
repair is to invert the mask.
"""

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://github.com/tensorflow/tensorflow/issues/45854"
CAUSE = "The mask marks the padding, and the layer reads what the mask marks."
FIRST = ("KTF427",)
HALF = "chosen"
QUALITY = (0.0, 1.0)
STEPS = 20


class Question(layers.Layer):
    """One trained query for each sample, to which the tokens answer."""

    def build(self, shape):
        self.query = self.add_weight(shape=(1, 1, shape[-1]), name="query")

    def call(self, inputs):
        return ops.repeat(self.query, ops.shape(inputs)[0], axis=0)


def texts(count=1500, words=30):
    """Ids from 1 on, with 0 behind; the class is the only id below 4."""
    rng = generator()
    x = rng.integers(4, words, (count, STEPS))
    y = rng.integers(0, 3, count)
    length = rng.integers(6, STEPS - 2, count)
    x[np.arange(count), rng.integers(0, length)] = 1 + y
    x[np.arange(STEPS) >= length[:, None]] = 0
    return x, y


def program(mask):
    x, y = texts()
    inputs = keras.Input((STEPS,), dtype="int32")
    read = layers.Lambda(mask, output_shape=(1, STEPS))(inputs)
    tokens = layers.Embedding(30, 16)(inputs)
    hidden = layers.MultiHeadAttention(2, 16)(
        Question()(tokens), tokens, attention_mask=read
    )
    hidden = layers.Dense(32, activation="relu")(layers.Flatten()(hidden))
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(hidden))
    model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy")

    def quality(model):
        return recognized(y, answers(model, x).argmax(1))

    return arrays(model, x, y, quality, epochs=15, batch_size=32)


def faulty():
    return program(lambda ids: ops.equal(ids, 0)[:, None])


def repaired():
    return program(lambda ids: ops.not_equal(ids, 0)[:, None])
