"""A tagger whose recurrent layer reads backwards and answers in that order.

Each step of a sequence gets a tag that depends on the steps after it, so the layer
has `go_backwards=True`. It does not learn: Keras reverses the inputs and leaves the
outputs reversed, so the first tag is compared with the last answer. The repair is to
turn the answers around.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://github.com/keras-team/keras/pull/1674"
CAUSE = "`go_backwards=True` gives the steps in reverse order; the tags are in order."
FIRST = ("KTF429", "KTF601: reversed")
HALF = "held out"
QUALITY = (0.12, 1.0)


class Flip(layers.Layer):
    """Turns the steps around."""

    def call(self, inputs):
        return keras.ops.flip(inputs, axis=1)


def sentences(count=800, steps=24, words=8):
    """A tag says whether the word, or the next one, belongs to the first half."""
    ids = generator().integers(0, words, (count, steps))
    ahead = np.concatenate([ids[:, 1:], ids[:, -1:]], 1)
    tags = (ids < words // 2) * 1 + (ahead < words // 2) * 2
    return ids, tags


def program(*turn):
    x, y = sentences()
    model = keras.Sequential(
        [
            keras.Input((24,), dtype="int32"),
            layers.Embedding(8, 8),
            layers.GRU(24, go_backwards=True, return_sequences=True),
            *turn,
            layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")

    def quality(model):
        return recognized(y, answers(model, x).argmax(-1))

    return arrays(model, x, y, quality, epochs=10, batch_size=32)


def faulty():
    return program()


def repaired():
    return program(Flip())
