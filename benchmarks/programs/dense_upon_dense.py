"""A network of many layers that finds no more than a straight line would.

A loop adds a `Dense` layer for each number in a list and no activation, so all of the
layers together are one linear map. The repair is an activation in each.
"""

import keras
from keras import layers

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://github.com/keras-team/keras/issues/9286"
CAUSE = "No hidden layer has an activation, so the network is linear."
FIRST = ("KTF601: ReLU",)
HALF = "held out"
QUALITY = (0.14, 0.95)


def places(count=1000):
    """Points on a table, and whether they lie near its center."""
    x = generator().uniform(-1, 1, (count, 2)).astype("float32")
    return x, ((x**2).sum(1, keepdims=True) < 0.64).astype("float32")


def program(activation):
    x, y = places()
    model = keras.Sequential([keras.Input((2,))])
    for units in (64, 32, 16):
        model.add(layers.Dense(units, activation=activation))
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(keras.optimizers.Adam(0.003), "binary_crossentropy")

    def quality(model):
        return recognized(y, answers(model, x) > 0.5)

    return arrays(model, x, y, quality, epochs=20, batch_size=32)


def faulty():
    return program(None)


def repaired():
    return program("relu")
