"""A network that marks cells and answers zero everywhere.

The target of each image is a map that is 0 but for one point per cell. Zero is nearly
right everywhere, so the sigmoid is driven there, where it is flat, before the network
knows what a cell is. The repair gives the points more weight.
"""

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://github.com/WeidiXie/cell_counting_v2/issues/9"
CAUSE = "All but one of 200 pixels are 0, and the squared error counts all alike."
FIRST = ("KTF125", "KTF205")
HALF = "held out"
QUALITY = (0.0, 0.95)
SIZE = 20


def cells(count=200):
    """Crosses among single bright pixels, and the centers of the crosses."""
    rng = generator()
    x = (rng.uniform(size=(count, SIZE, SIZE)) < 0.1).astype("float32")
    y = np.zeros_like(x)
    for picture, centers in zip(x, y, strict=True):
        for row, column in rng.integers(1, SIZE - 1, (2, 2)):
            picture[row - 1 : row + 2, column] = 1
            picture[row, column - 1 : column + 2] = 1
            centers[row, column] = 1
    x += rng.normal(0, 0.1, x.shape)
    return x[..., None].astype("float32"), y[..., None]


def of_points(y, p):
    """The squared error, in which a point counts a hundred times."""
    return ops.mean((1 + 99 * y) * ops.square(y - p))


def program(loss):
    x, y = cells()
    model = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 1)),
            layers.Conv2D(12, 3, padding="same", activation="relu"),
            layers.Conv2D(12, 3, padding="same", activation="relu"),
            layers.Conv2D(1, 1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), loss)

    def quality(model):
        return explained(np.ravel(y)[:, None], np.ravel(answers(model, x)))

    return arrays(model, x, y, quality, epochs=20, batch_size=16)


def faulty():
    return program("mse")


def repaired():
    return program(of_points)
