"""A sorter of messages that is barely better than chance.

A tutorial for two classes is extended to four: the last layer has four units and no
activation, as before, and the loss is given by its name. By its name it wants chances,
and takes scores below zero for none. The repair is `from_logits=True`.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://github.com/tensorflow/docs/pull/2102"
CAUSE = "The cross-entropy takes probabilities by default, and the model gives logits."
FIRST = ("KTF203", "KTF205")
HALF = "held out"
QUALITY = (0.1, 0.98)
WORDS, LENGTH, CLASSES = 400, 60, 4


def messages(count=2000):
    """Texts of sixty words, of which some are typical for one of four topics."""
    rng = generator()
    y = rng.integers(0, CLASSES, count)
    x = rng.integers(100, WORDS, (count, LENGTH))
    typical = rng.integers(0, 25, (count, LENGTH)) + 25 * y[:, None]
    return np.where(rng.uniform(size=x.shape) < 0.06, typical, x), y


def program(loss):
    x, y = messages()
    model = keras.Sequential(
        [
            keras.Input((LENGTH,), dtype="int32"),
            layers.Embedding(WORDS, 16),
            layers.Dropout(0.2),
            layers.GlobalAveragePooling1D(),
            layers.Dropout(0.2),
            layers.Dense(CLASSES),
        ]
    )
    model.compile("adam", loss)

    def quality(model):
        return recognized(y, answers(model, x).argmax(1))

    return arrays(model, x, y, quality, epochs=25, batch_size=32)


def faulty():
    return program("sparse_categorical_crossentropy")


def repaired():
    return program(keras.losses.SparseCategoricalCrossentropy(from_logits=True))
