"""A detector whose boxes lie far beside what they should surround.

Photos of all sizes are resized to one, and the corners of the boxes are left as they
were, in pixels of the original photo. Where the photo had more pixels, the same picture
has another target. The repair is to scale the corners as the photo was scaled.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://github.com/pierluigiferrari/ssd_keras/issues/138"
CAUSE = "The images are resized to one size, the corners of the boxes are not."
FIRST = ()
HALF = "held out"
QUALITY = (-142.77, 0.93)
SIDE = 24


def photos(count=1200):
    """Resized photos with a bright box, its corners in them, and the photos' sizes."""
    rng = generator()
    width = rng.uniform(0.2, 0.5, (count, 2))
    start = rng.uniform(0, 1 - width)
    corners = np.concatenate([start, start + width], 1)
    place = (np.arange(SIDE) + 0.5) / SIDE
    inside = (place > start[..., None]) & (place < (start + width)[..., None])
    x = (inside[:, 1, :, None] & inside[:, 0, None, :]) * 0.7
    x = x + rng.uniform(0, 0.3, x.shape)
    sizes = SIDE * rng.uniform(0.5, 10, (count, 1))
    return x[..., None].astype("float32"), corners, sizes


def program(scaled):
    x, corners, sizes = photos()
    boxes = corners * SIDE
    y = boxes if scaled else corners * sizes
    model = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 1)),
            layers.Conv2D(8, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(4),
        ]
    )
    model.compile(keras.optimizers.Adam(0.002), "mse")

    def quality(model):
        return explained(boxes, answers(model, x))

    return arrays(model, x, y.astype("float32"), quality, epochs=25, batch_size=32)


def faulty():
    return program(scaled=False)


def repaired():
    return program(scaled=True)
