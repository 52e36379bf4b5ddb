"""An autoencoder that gives a white picture for every picture.

Its last layer is a sigmoid, and the pictures it has to give back have pixels up to
255. Every pixel goes as high as it can, to 1. The repair is to divide the pixels by
255.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://github.com/keras-team/keras/issues/14564"
CAUSE = "The last layer is a sigmoid, and the pixels to give back go up to 255."
FIRST = ("KTF202",)
HALF = "held out"
QUALITY = (-9.7, 0.95)


def skies(count=400, size=16):
    """Pictures of a sun before a sky that is brighter on one side, from 0 to 255."""
    rng = generator()
    row, column = np.meshgrid(*2 * [np.linspace(-1, 1, size)], indexing="ij")
    angle = rng.uniform(0, 2 * np.pi, (count, 1, 1))
    y, x = rng.uniform(-0.7, 0.7, (2, count, 1, 1))
    sky = 0.4 + 0.2 * (np.cos(angle) * row + np.sin(angle) * column)
    sun = 0.5 * np.exp(-((row - y) ** 2 + (column - x) ** 2) / 0.06)
    colours = np.stack([sky + sun, sky + 0.7 * sun, sky], -1)
    return (255 * colours).clip(0, 255).astype("float32")


def program(divisor):
    x = skies() / divisor
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Conv2D(12, 4, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.Conv2D(12, 2, strides=2, activation="relu"),
            layers.UpSampling2D(),
            layers.Conv2D(12, 3, padding="same", activation="relu"),
            layers.Conv2D(3, 3, padding="same", activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.002), "mse")

    def quality(model):
        return explained(x, answers(model, x))

    return arrays(model, x, x, quality, epochs=20, batch_size=16)


def faulty():
    return program(divisor=1)


def repaired():
    return program(divisor=255)
