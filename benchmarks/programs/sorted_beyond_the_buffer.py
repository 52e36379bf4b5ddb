"""A classifier that takes everything for one of the last classes.

The files are read class by class, and `shuffle` gets a buffer of 64 of them. So each
batch holds one class, and what was learned of a class is forgotten until its turn comes
again. The repair is a buffer as large as the data.
"""

import keras
import tensorflow as tf
from keras import layers

from benchmarks.programs.common import answers, batches, generator, recognized

URL = "https://github.com/tensorflow/tensorflow/issues/36626"
CAUSE = "The data are sorted by class and the shuffle buffer is smaller than a class."
FIRST = ("KTF136",)
HALF = "chosen"
QUALITY = (0.12, 0.83)
CLASSES, EACH = 6, 2500


def leaves():
    """Measures of leaves, sorted by the tree."""
    rng = generator()
    y = rng.permutation(CLASSES).repeat(EACH)
    means = rng.normal(0, 0.6, (CLASSES, 20))
    x = means[y] + rng.normal(0, 1, (len(y), 20))
    return x.astype("float32"), y


def program(buffer):
    x, y = leaves()
    model = keras.Sequential(
        [
            keras.Input((20,)),
            layers.Dense(64, activation="relu"),
            layers.Dense(32, activation="relu"),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")

    def source():
        return tf.data.Dataset.from_tensor_slices((x, y)).shuffle(buffer).batch(32)

    def quality(model):
        return recognized(y, answers(model, x).argmax(1))

    return batches(model, source, (source(),), quality, epochs=3)


def faulty():
    return program(buffer=64)


def repaired():
    return program(buffer=CLASSES * EACH)
