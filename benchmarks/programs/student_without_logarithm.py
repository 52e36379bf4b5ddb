"""A student that is sure of everything where its teacher has doubts.

The divergence is taken from a library in which the first argument has to be a
logarithm. The student's softmax is passed instead. What is left is a sum that is
smallest if the whole chance is on one class. The repair is the logarithm.
"""

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://github.com/microsoft/ProDA/issues/43"
CAUSE = "The divergence subtracts the student's probability, not its logarithm."
FIRST = ("KTF216",)
HALF = "chosen"
QUALITY = (0.16, 0.98)
CLASSES = 5


def divergence(first, teacher):
    """As elsewhere: `first` is a logarithm of probabilities."""
    return ops.sum(teacher * (ops.log(teacher + 1e-7) - first), -1)


def of_chances(teacher, student):
    return divergence(student, teacher)


def of_logarithms(teacher, student):
    return divergence(ops.log(student + 1e-7), teacher)


def softened(count=2000):
    """Descriptions of plants, and the softened chances of a large model."""
    rng = generator()
    x = rng.normal(size=(count, 10))
    hidden = np.tanh(x @ rng.normal(0, 0.5, (10, 20)))
    score = hidden @ rng.normal(0, 0.5, (20, CLASSES))
    chance = np.exp(score)
    chance /= chance.sum(1, keepdims=True)
    return x.astype("float32"), chance.astype("float32")


def program(loss):
    x, y = softened()
    model = keras.Sequential(
        [
            keras.Input((10,)),
            layers.Dense(32, activation="tanh"),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.003), loss)

    def quality(model):
        return explained(y, answers(model, x))

    return arrays(model, x, y, quality, epochs=30, batch_size=32)


def faulty():
    return program(of_chances)


def repaired():
    return program(of_logarithms)
