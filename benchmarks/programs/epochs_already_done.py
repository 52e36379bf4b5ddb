"""A model that should learn from a second data set and stays what it was.

It was trained for some epochs, the sensors were replaced, and the training goes on with
`initial_epoch=12, epochs=8`. `epochs` is the number of the last epoch, not how many are
to come, so none is. The repair is to add them.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://github.com/keras-team/keras/issues/4836"
CAUSE = "`epochs` is below `initial_epoch`: `fit` makes no step at all."
FIRST = ("KTF410",)
HALF = "chosen"
QUALITY = (0.15, 1.0)
BEFORE, MORE, CLASSES = 12, 8, 5


def readings(places, gain, count=1200):
    """Readings of gas sensors, whose gains and signs depend on the maker."""
    rng = generator()
    y = rng.integers(0, CLASSES, count)
    x = places[y] + rng.normal(0, 0.5, (count, places.shape[1]))
    return (x * gain).astype("float32"), y


def program(last):
    rng = generator()
    places = rng.normal(size=(CLASSES, 12))
    x, y = readings(places, 1)
    model = keras.Sequential(
        [
            keras.Input((12,)),
            layers.Dense(32, activation="relu"),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=BEFORE, verbose=0)
    x, y = readings(places, np.where(np.arange(12) % 2, -1, 1))

    def quality(model):
        return recognized(y, answers(model, x).argmax(1))

    return arrays(model, x, y, quality, initial_epoch=BEFORE, epochs=last)


def faulty():
    return program(last=MORE)


def repaired():
    return program(last=BEFORE + MORE)
