"""A model that can give only one label, for texts that have several.

Each text has any number of five labels, and the head is a softmax with categorical
cross-entropy. With a threshold of 0.5 most labels are missed, however long it trains.
The repair is five sigmoids with binary cross-entropy.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, generator

URL = "https://github.com/keras-team/keras/issues/741"
CAUSE = "The labels do not exclude each other, and a softmax shares one among them."
FIRST = ("KTF202", "KTF205", "KTF206")
HALF = "held out"
QUALITY = (-0.65, 1.0)


def texts(count=1200, steps=20, words=60, labels=5):
    """Word ids, where each label has three words that give it away."""
    x = generator().integers(0, words, (count, steps))
    y = [np.isin(x, 3 * label + np.arange(3)).any(1) for label in range(labels)]
    return x, np.stack(y, 1).astype("float32")


def program(activation, loss):
    x, y = texts()
    model = keras.Sequential(
        [
            keras.Input((20,), dtype="int32"),
            layers.Embedding(60, 16),
            layers.GlobalMaxPooling1D(),
            layers.Dense(32, activation="relu"),
            layers.Dense(5, activation=activation),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), loss)

    def quality(model):
        right = (answers(model, x) > 0.5) == (y > 0.5)
        constant = np.maximum(y.mean(0), 1 - y.mean(0)).mean()
        return float((right.mean() - constant) / (1 - constant))

    return arrays(model, x, y, quality, epochs=15, batch_size=32)


def faulty():
    return program("softmax", "categorical_crossentropy")


def repaired():
    return program("sigmoid", "binary_crossentropy")
