"""A classifier that is right in every batch of training and wrong in `predict`.

Batch normalization keeps moving averages with a momentum of 0.99. The training is
short: after 75 steps nearly half of each average is still its initial value,
which is far from that of these inputs. The repair is a momentum of 0.9.
"""

import keras
from keras import layers

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://github.com/keras-team/keras/issues/3949"
CAUSE = "The moving averages of batch normalization lag far behind the statistics."
FIRST = ("KTF301", "KTF308")
HALF = "chosen"
QUALITY = (0.02, 1.0)


def leaves(count=480):
    """Six sizes of leaves of four kinds, in millimeters."""
    rng = generator()
    y = rng.integers(0, 4, count)
    centers = rng.uniform(60, 100, (4, 6))
    return (centers[y] + rng.normal(0, 4, (count, 6))).astype("float32"), y


def program(momentum):
    x, y = leaves()
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(32),
            layers.BatchNormalization(momentum=momentum),
            layers.ReLU(),
            layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")

    def quality(model):
        return recognized(y, answers(model, x).argmax(1))

    return arrays(model, x, y, quality, epochs=5, batch_size=32)


def faulty():
    return program(0.99)


def repaired():
    return program(0.9)
