"""A detector whose boxes stay where they were at the beginning.

The loss is one minus the intersection over union. A new network answers boxes near
the corner, and they meet none of the true ones: the intersection is 0, whichever way
they move. The repair adds the distance of the centers and sizes.
"""

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://github.com/lilanxiao/Rotated_IoU/issues/9"
CAUSE = "Where two boxes do not overlap, the gradient of the loss is 0."
FIRST = (
    "KTF405: No gradient reaches any weight",
    "KTF413",
    "KTF414",
    "KTF601: mean_squared_error",
)
HALF = "chosen"
QUALITY = (-11.2, 0.92)
SIZE = 20


def pictures(count=400):
    """Bright boxes on noise; centers and sizes in pixels."""
    rng = generator()
    size = rng.integers(3, 7, (count, 2))
    corner = 4 + (rng.uniform(size=(count, 2)) * (SIZE - size - 3)).astype(int)
    grid = np.arange(SIZE)
    within = (grid >= corner[..., None]) & (grid < (corner + size)[..., None])
    x = rng.normal(0, 0.1, (count, SIZE, SIZE))
    x += within[:, 0, :, None] & within[:, 1, None, :]
    y = np.concatenate([corner + size / 2, size], 1)
    return x[..., None].astype("float32"), y.astype("float32")


def overlap(y, p):
    """The intersection of boxes over their union."""
    size = ops.maximum(p[:, 2:], 0)
    low = ops.maximum(y[:, :2] - y[:, 2:] / 2, p[:, :2] - size / 2)
    high = ops.minimum(y[:, :2] + y[:, 2:] / 2, p[:, :2] + size / 2)
    shared = ops.prod(ops.maximum(high - low, 0), axis=1)
    return shared / (ops.prod(size, axis=1) + ops.prod(y[:, 2:], axis=1) - shared)


def program(distance):
    x, y = pictures()
    model = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 1)),
            layers.Conv2D(8, 3, strides=2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
            layers.Dense(4),
        ]
    )

    def loss(y, p):
        apart = ops.mean(ops.square(y - p), axis=1)
        return 1 - overlap(y, p) + distance * apart

    model.compile(keras.optimizers.Adam(0.003), loss)

    def quality(model):
        return explained(y, answers(model, x))

    return arrays(model, x, y, quality, epochs=30, batch_size=32)


def faulty():
    return program(distance=0)


def repaired():
    return program(distance=1)
