"""A segmentation whose images and masks were listed in different orders.

Images and masks have the same file names and lie in two folders. One folder is read
in the order of its names and the other as the disk gives it, so a mask belongs to
another image. The repair is to sort both.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, generator, overlap

URL = "https://github.com/keras-team/keras/issues/7702"
CAUSE = "The masks are in another order than the images, so they belong to others."
FIRST = ("KTF139", "KTF140")
HALF = "chosen"
QUALITY = (0.21, 0.92)


def leaves(count=300, size=16):
    """Dark leaves, ellipses of any size and tilt, and their masks."""
    rng = generator()
    row, column = np.meshgrid(*2 * [np.arange(size)], indexing="ij")
    angle = rng.uniform(0, np.pi, (count, 1, 1))
    center = rng.uniform(5, size - 5, (2, count, 1, 1))
    radii = rng.uniform(2, 5, (2, count, 1, 1))
    along = (row - center[0]) * np.cos(angle) + (column - center[1]) * np.sin(angle)
    across = (column - center[1]) * np.cos(angle) - (row - center[0]) * np.sin(angle)
    y = ((along / radii[0]) ** 2 + (across / radii[1]) ** 2 < 1).astype("float32")
    x = 0.7 - 0.4 * y + rng.normal(0, 0.15, y.shape)
    return x[..., None].astype("float32"), y[..., None]


def program(order_of_masks):
    x, y = leaves()
    names = [f"leaf{number}.png" for number in range(len(x))]
    model = keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.Conv2D(1, 1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.003), "binary_crossentropy")
    images = x[np.argsort(names)]
    masks = y[order_of_masks(names)]

    def quality(model):
        return overlap(y, answers(model, x))

    return arrays(model, images, masks, quality, epochs=12, batch_size=16)


def faulty():
    return program(lambda names: np.arange(len(names)))


def repaired():
    return program(np.argsort)
