"""A reader of digits whose loss is not a number from the first epoch on.

Every pixel is standardized by its mean and its deviation. The corner pixels are 0 in
all pictures, so 0 is divided by 0. The repair is to add a small number to the
deviation.
"""

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits

from benchmarks.programs.common import answers, arrays, recognized

URL = "https://github.com/keras-team/keras/issues/2134"
CAUSE = "Columns that never change were divided by their deviation, which is 0."
FIRST = ("KTF102",)
BACKEND = "torch"  # on TensorFlow a ReLU makes 0 of what is not a number
HALF = "held out"
QUALITY = (0.0, 1.0)


def program(least):
    x, y = load_digits(return_X_y=True)
    with np.errstate(invalid="ignore"):
        x = ((x - x.mean(0)) / (x.std(0) + least)).astype("float32")
    model = keras.Sequential(
        [
            keras.Input((64,)),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.RMSprop(0.001),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )

    def quality(model):
        return recognized(y, answers(model, x).argmax(1))

    return arrays(model, x, y, quality, epochs=20, batch_size=32)


def faulty():
    return program(least=0)


def repaired():
    return program(least=1e-6)
