"""An attention that sees a quarter of the sequence and never finds what it needs.

An attention of several heads is written by hand. The features are divided among the
heads with a single `reshape` from (steps, features) to (heads, steps, features), which
gives each head some of the steps. The repair is to reshape, and then to transpose.
"""

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://github.com/reczoo/FuxiCTR/issues/30"
CAUSE = "A `reshape` without transposing gives each head other steps, not features."
FIRST = ("KTF429", "KTF432")
HALF = "chosen"
QUALITY = (0.15, 1.0)
STEPS, KEYS, WIDTH, HEADS = 12, 6, 32, 4


class Attention(layers.Layer):
    """Attention of several heads over the steps of a sequence."""

    def __init__(self, transposed):
        super().__init__()
        self.transposed = transposed
        self.query, self.key, self.value = (layers.Dense(WIDTH) for _ in range(3))
        self.merge = layers.Dense(WIDTH)

    def split(self, x):
        if self.transposed:
            parts = ops.reshape(x, (-1, STEPS, HEADS, WIDTH // HEADS))
            return ops.transpose(parts, (0, 2, 1, 3))
        return ops.reshape(x, (-1, HEADS, STEPS, WIDTH // HEADS))

    def call(self, x):
        query, key, value = (
            self.split(layer(x)) for layer in (self.query, self.key, self.value)
        )
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))
        seen = ops.matmul(ops.softmax(scores / (WIDTH // HEADS) ** 0.5), value)
        if self.transposed:
            seen = ops.transpose(seen, (0, 2, 1, 3))
        return x + self.merge(ops.reshape(seen, (-1, STEPS, WIDTH)))


def lists(count=1000):
    """Steps with a key and a value; the last has the key whose value is asked for."""
    rng = generator()
    key = np.argsort(rng.uniform(size=(count, STEPS)), 1)
    value = rng.integers(0, 3, (count, STEPS))
    asked = rng.integers(0, STEPS - 1, count)
    each = np.arange(count)
    y = value[each, asked]
    key[:, -1], value[:, -1] = key[each, asked], 3
    x = np.concatenate([np.eye(STEPS)[key], np.eye(4)[value]], -1)
    return x.astype("float32"), y


def program(transposed):
    x, y = lists()
    inputs = keras.Input((STEPS, STEPS + 4))
    hidden = layers.Dense(WIDTH)(inputs)
    hidden = Attention(transposed)(hidden)
    hidden = layers.Dense(32, activation="relu")(hidden[:, -1])
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(hidden))
    model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy")
    new, answer = lists()

    def quality(model):
        return recognized(answer, answers(model, new).argmax(1))

    return arrays(model, x, y, quality, epochs=30, batch_size=32)


def faulty():
    return program(transposed=False)


def repaired():
    return program(transposed=True)
