"""A reader of digits that has learned little after as many epochs as it took before.

To make it faster, the batch was made larger, until it held all the pictures. An epoch
is one step then, and there are as many steps as epochs. The repair is the batch it had.
"""

import keras
from keras import layers
from sklearn.datasets import load_digits

from benchmarks.programs.common import answers, arrays, recognized

URL = "https://github.com/keras-team/keras/issues/574"
CAUSE = "A batch holds all the samples, so that an epoch is a single step."
FIRST = ("KTF410",)
HALF = "chosen"
QUALITY = (0.18, 0.9)


def program(batch):
    x, y = load_digits(return_X_y=True)
    x = (x / 16).reshape(-1, 8, 8).astype("float32")
    model = keras.Sequential(
        [
            keras.Input((8, 8)),
            layers.LSTM(32, return_sequences=True),
            layers.LSTM(32),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )

    def quality(model):
        return recognized(y, answers(model, x).argmax(1))

    return arrays(model, x, y, quality, epochs=10, batch_size=batch)


def faulty():
    return program(batch=2048)


def repaired():
    return program(batch=16)
