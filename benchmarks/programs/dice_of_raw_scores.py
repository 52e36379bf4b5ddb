"""A segmentation whose loss falls far below zero while its masks get no better.

The Dice loss is given the output of the last convolution, to which no sigmoid was
applied. Large scores on the object make the quotient as large as one likes, and the
background hardly counts. The repair is the sigmoid.
"""

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.common import answers, arrays, generator, overlap

URL = "https://github.com/jakeret/tf_unet/issues/15"
CAUSE = "The Dice loss is computed on logits, which are not between 0 and 1."
FIRST = ("KTF203", "KTF202")
HALF = "held out"
QUALITY = (-0.13, 0.86)
SIDE = 24


def dice(mask, answer):
    mask, answer = (ops.reshape(part, (-1, SIDE * SIDE)) for part in (mask, answer))
    shared = ops.sum(mask * answer, -1)
    return 1 - (2 * shared + 1) / (ops.sum(mask, -1) + ops.sum(answer, -1) + 1)


def cells(count=400):
    """Bright cells on a background with dark dust."""
    rng = generator()
    place = np.arange(SIDE)
    x, y = rng.normal(0, 0.3, (count, SIDE, SIDE)), np.zeros((count, SIDE, SIDE))
    for kind in (1, 1, -1):
        middle = rng.uniform(4, SIDE - 4, (2, count, 1, 1))
        radius = rng.uniform(2, 4.5, (count, 1, 1))
        away = np.hypot(place[:, None] - middle[0], place - middle[1])
        x += kind * (away < radius)
        y = np.maximum(y, (kind > 0) * (away < radius))
    return x[..., None].astype("float32"), y[..., None].astype("float32")


def program(activation):
    x, y = cells()
    inputs = keras.Input((SIDE, SIDE, 1))
    fine = layers.Conv2D(8, 3, padding="same", activation="relu")(inputs)
    coarse = layers.MaxPooling2D()(fine)
    coarse = layers.Conv2D(16, 3, padding="same", activation="relu")(coarse)
    coarse = layers.UpSampling2D()(coarse)
    merged = layers.Concatenate()([fine, coarse])
    merged = layers.Conv2D(8, 3, padding="same", activation="relu")(merged)
    model = keras.Model(inputs, layers.Conv2D(1, 1, activation=activation)(merged))
    model.compile(keras.optimizers.Adam(0.003), dice)

    def quality(model):
        return overlap(y, answers(model, x) > 0.5)

    return arrays(model, x, y, quality, epochs=15, batch_size=16)


def faulty():
    return program(None)


def repaired():
    return program("sigmoid")
