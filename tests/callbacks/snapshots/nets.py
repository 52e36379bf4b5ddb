"""Small models with known predictions, and what a callback kept of them."""

import keras
import numpy as np
from keras import layers

from keras_trainfix.callbacks.snapshots import pictures, tiles

SIZE = 8  # pixels of an image, each a square of STEP pixels of a tile
STEP = tiles.TILE // SIZE
COLORS = tiles.class_colors(3)
IDS = np.random.default_rng(1).integers(0, 3, (4, SIZE, SIZE))
ROWS = np.eye(3, dtype="float32")[IDS]
X = np.random.default_rng(2).normal(size=(40, 4)).astype("float32")
Y = X[:, :1] * 2 + 1


def fitted(model, x, y, snapshots, epochs=1, **kwargs):
    """Calls `fit`, usually at a rate of 0, so that the predictions are known."""
    model.fit(x, y, epochs=epochs, verbose=0, callbacks=[snapshots], **kwargs)
    return snapshots


def amplifier(channels, activation, loss, scale=20.0):
    """A model of images whose output is `scale * (x - 0.5)`, and an activation."""
    layer = layers.Conv2D(channels, 1, activation=activation)
    model = keras.Sequential([keras.Input((SIZE, SIZE, channels)), layer])
    model.set_weights(
        [scale * np.eye(channels)[None, None], np.full(channels, -scale / 2)]
    )
    model.compile(keras.optimizers.SGD(0.0), loss)
    return model


def linear(outputs=1, activation=None, loss="mse", rate=0.0):
    keras.utils.set_random_seed(1)
    layer = layers.Dense(outputs, activation)
    model = keras.Sequential([keras.Input((4,)), layer])
    model.compile(keras.optimizers.SGD(rate), loss)
    return model


def columns_of(snapshots):
    """Dict of each heading to its cells."""
    picture = snapshots._reader.picture
    return dict(picture.first + pictures.with_headings(snapshots._columns))


def colors_of(cell):
    """The color of each pixel of the image that a cell shows."""
    return cell.tile[STEP // 2 :: STEP, STEP // 2 :: STEP]


def texts_of(snapshots, heading):
    return [cell.text for cell in columns_of(snapshots)[heading]]
