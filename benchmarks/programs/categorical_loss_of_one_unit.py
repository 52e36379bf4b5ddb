"""A classifier of tumours whose loss is 0 from the first step on.

It ends in one unit with a sigmoid and is trained with the categorical cross-entropy,
which divides the answer by the sum over the classes: of one unit, that is always 1.
The repair is the binary cross-entropy.
"""

import keras
from keras import layers
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler

from benchmarks.programs.common import answers, arrays, explained

URL = "https://github.com/keras-team/keras/issues/14729"
CAUSE = "The categorical cross-entropy of one sigmoid unit is 0 whatever it answers."
FIRST = ("KTF205",)
HALF = "held out"
QUALITY = (-0.07, 0.97)


def program(loss):
    x, y = load_breast_cancer(return_X_y=True)
    x = StandardScaler().fit_transform(x).astype("float32")
    model = keras.Sequential(
        [
            keras.Input((30,)),
            layers.Dense(16, activation="relu", kernel_initializer="random_uniform"),
            layers.Dropout(0.1),
            layers.Dense(16, activation="relu", kernel_initializer="random_uniform"),
            layers.Dropout(0.1),
            layers.Dense(1, activation="sigmoid", kernel_initializer="random_uniform"),
        ]
    )
    model.compile(keras.optimizers.Adam(), loss, metrics=["accuracy"])

    def quality(model):
        return explained(y, answers(model, x))

    return arrays(model, x, y, quality, epochs=60, batch_size=32)


def faulty():
    return program("categorical_crossentropy")


def repaired():
    return program("binary_crossentropy")
