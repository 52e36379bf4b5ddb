"""A regression of rents that is good in training and absurd for the test.

The facts about the houses are standardized by a function that also serves the
prediction. The test had been standardized when it was loaded, and is once more. The
repair is to standardize it once.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://github.com/statsmaths/kerasR/issues/21"
CAUSE = "The samples for validation are standardized twice, those for training once."
FIRST = ("KTF141", "KTF603")
HALF = "held out"
QUALITY = (-1.7, 0.99)


def houses(count):
    """Size, rooms, age, floor, tax and distance of houses, and their rent."""
    rng = generator()
    size = rng.gamma(9, 10, count)
    rooms = size / 28 + rng.normal(0, 0.5, count)
    age = rng.uniform(0, 90, count)
    floor = rng.integers(0, 6, count)
    tax = rng.normal(400, 60, count)
    distance = rng.gamma(2, 4, count)
    y = 0.08 * size + 0.6 * rooms - 0.03 * age + 0.2 * floor - 0.15 * distance
    x = np.stack([size, rooms, age, floor, tax, distance], 1)
    return x, (y + rng.normal(0, 0.3, count)).astype("float32")[:, None]


def program(times):
    x, y = houses(800)
    new_x, new_y = houses(200)
    mean, deviation = x.mean(0), x.std(0)

    def prepare(x):
        return ((x - mean) / deviation).astype("float32")

    x = prepare(x)
    for _ in range(times):
        new_x = prepare(new_x)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(50, activation="relu"),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.RMSprop(0.005), "mse")

    def quality(model):
        return explained(new_y, answers(model, new_x))

    return arrays(
        model,
        x,
        y,
        quality,
        validation_data=(new_x, new_y),
        epochs=40,
        batch_size=32,
    )


def faulty():
    return program(times=2)


def repaired():
    return program(times=1)
