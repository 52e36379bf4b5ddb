"""A reader of digits that learns all of them and fails on the folders of validation.

Batch normalization is always called as in training, so that a picture is seen against
the others in its batch. The folders are read one class after the other: what all
pictures of a batch share is taken away. The repair is to leave the mode to Keras.
"""

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits

from benchmarks.programs.common import Run, recognized

URL = "https://github.com/broadinstitute/keras-resnet/issues/46"
CAUSE = "Batch normalization is forced to training mode in validation, too."
FIRST = ("KTF428",)
HALF = "held out"
QUALITY = (0.17, 0.96)


def pictures():
    """Digits for training, and others in the order of their folders."""
    x, y = load_digits(return_X_y=True)
    x = (x / 16).reshape(-1, 8, 8, 1).astype("float32")
    order = 1000 + np.argsort(y[1000:], kind="stable")
    return x[:1000], y[:1000], x[order], y[order]


class Norm(layers.BatchNormalization):
    """A normalization that can be frozen: `mode` is that in which it is called."""

    def __init__(self, mode):
        super().__init__(momentum=0.9)
        self.mode = mode

    def call(self, inputs, training=None, mask=None):
        mode = training if self.mode is None else self.mode
        return super().call(inputs, training=mode, mask=mask)


def network(mode):
    inputs = keras.Input((8, 8, 1))
    x = inputs
    for filters in (16, 32):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = Norm(mode)(x)
        x = layers.ReLU()(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(64)(x)
    x = Norm(mode)(x)
    x = layers.ReLU()(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def program(mode):
    x, y, new_x, new_y = pictures()
    model = network(mode)
    model.compile(
        keras.optimizers.Adam(0.005),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )

    def fit(model, callbacks=()):
        return model.fit(
            x,
            y,
            validation_data=(new_x, new_y),
            epochs=15,
            batch_size=32,
            verbose=0,
            callbacks=list(callbacks),
        )

    def quality(model):
        chances = model.predict(new_x, batch_size=32, verbose=0)
        return recognized(new_y, chances.argmax(1))

    return Run(model, (x, y), fit, quality)


def faulty():
    return program(mode=True)


def repaired():
    return program(mode=None)
