"""A segmentation of scenes that answers with the background everywhere.

The loader divides images and masks by 255. It was written for masks of 0 and 255, and
these masks have the ids of the classes: divided and cut to integers, all are 0. The
repair is to divide only the images.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://github.com/HasnainRaz/FC-DenseNet-TensorFlow/issues/17"
CAUSE = "The masks hold ids of classes, and are divided by 255 like the images."
FIRST = ("KTF206", "KTF122")
HALF = "held out"
QUALITY = (0.0, 0.91)
SIZE = 20
COLOURS = np.array([[90, 90, 90], [60, 150, 60], [170, 60, 60], [70, 70, 190]])


def scenes(count=240):
    """Images of 0..255 with a tree, a car and a pond, and the ids of their pixels."""
    rng = generator()
    grid = np.arange(SIZE)
    masks = np.zeros((count, SIZE, SIZE), "uint8")
    for one in (1, 2, 3):
        row, column = rng.uniform(3, SIZE - 3, (2, count, 1, 1))
        radius = rng.uniform(2, 5, (count, 1, 1))
        far = (grid[:, None] - row) ** 2 + (grid - column) ** 2
        masks[far < radius**2] = one
    images = COLOURS[masks] + rng.normal(0, 35, (*masks.shape, 3))
    return images.clip(0, 255).astype("uint8"), masks.reshape(count, -1)


def program(divisor_of_masks):
    images, masks = scenes()
    x = images.astype("float32") / 255
    y = masks.astype("float32") / divisor_of_masks
    model = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            layers.Conv2D(12, 3, padding="same", activation="relu"),
            layers.Conv2D(12, 3, padding="same", activation="relu"),
            layers.Conv2D(4, 1),
            layers.Reshape((SIZE * SIZE, 4)),
            layers.Softmax(),
        ]
    )
    model.compile(
        keras.optimizers.Adam(0.005),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )

    def quality(model):
        return recognized(masks, answers(model, x).argmax(-1))

    return arrays(model, x, y, quality, epochs=15, batch_size=16)


def faulty():
    return program(divisor_of_masks=255)


def repaired():
    return program(divisor_of_masks=1)
