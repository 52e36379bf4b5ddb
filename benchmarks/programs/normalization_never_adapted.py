"""A regression that hardly moves although it begins with a `Normalization` layer.

The layer was put in front of the model and never saw the data: without `adapt` it
subtracts 0 and divides by 1. The columns have ranges of thousands. The repair is to
call `adapt`.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://github.com/ageron/handson-ml3/pull/198"
CAUSE = "The `Normalization` layer was never adapted, so the inputs stay unscaled."
FIRST = ("KTF101", "KTF601: inputs standardized")
HALF = "chosen"
QUALITY = (-40.8, 0.99)


def districts(count=1500):
    """Income, age of the houses, residents and rooms, and a price."""
    rng = generator()
    income = rng.lognormal(10, 0.5, count)
    age = rng.uniform(1, 60, count)
    residents = rng.lognormal(7, 0.7, count)
    rooms = residents * rng.uniform(0.5, 2, count)
    z = [np.log(income / 22000), (age - 30) / 17, np.log(rooms / residents)]
    y = 2 + z[0] - 0.5 * z[1] ** 2 + 0.7 * z[2] * z[0]
    x = np.stack([income, age, residents, rooms], 1)
    return x.astype("float32"), y[:, None].astype("float32")


def program(adapted):
    x, y = districts()
    normalization = layers.Normalization()
    if adapted:
        normalization.adapt(x)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            normalization,
            layers.Dense(32, activation="relu"),
            layers.Dense(32, activation="relu"),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.003), "mse")

    def quality(model):
        return explained(y, answers(model, x))

    return arrays(model, x, y, quality, epochs=20, batch_size=32)


def faulty():
    return program(adapted=False)


def repaired():
    return program(adapted=True)
