"""An autoencoder that gives the same mean picture for all.

The data set is shuffled and then zipped with itself, for the input and the target.
Each of the two is shuffled on its own, so an input meets the picture of another. The
repair is to map each picture to a pair.
"""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from benchmarks.programs.common import Run, answers, explained, generator

URL = "https://github.com/tensorflow/tensorflow/issues/37581"
CAUSE = "Inputs and targets are two copies of a data set, each shuffled on its own."
FIRST = ("KTF139",)
BACKEND = "tensorflow"
HALF = "held out"
QUALITY = (0.0, 0.98)


def strokes(count=1500, size=12):
    """Pictures of one thick stroke in any direction and place."""
    rng = generator()
    row, column = np.meshgrid(*2 * [np.linspace(-1, 1, size)], indexing="ij")
    angle = rng.uniform(0, np.pi, (count, 1, 1))
    shift = rng.uniform(-0.6, 0.6, (count, 1, 1))
    far = np.cos(angle) * row + np.sin(angle) * column - shift
    return np.exp(-((far / 0.25) ** 2)).reshape(count, -1).astype("float32")


def zipped(pictures):
    return tf.data.Dataset.zip((pictures, pictures))


def mapped(pictures):
    return pictures.map(twice)


def twice(x):
    return x, x


def program(paired):
    x = strokes()
    pictures = tf.data.Dataset.from_tensor_slices(x).shuffle(len(x)).batch(32)
    source = paired(pictures)
    model = keras.Sequential(
        [
            keras.Input((144,)),
            layers.Dense(64, activation="relu"),
            layers.Dense(12, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dense(144, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.003), "binary_crossentropy")

    def fit(model, callbacks=()):
        return model.fit(source, epochs=25, verbose=0, callbacks=list(callbacks))

    return Run(model, (source,), fit, lambda model: explained(x, answers(model, x)))


def faulty():
    return program(zipped)


def repaired():
    return program(mapped)
