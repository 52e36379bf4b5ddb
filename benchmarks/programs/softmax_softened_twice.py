"""A reader of digits whose loss stands at 2.36 from the first epoch on.

The network ends in a softmax, and the loss takes a softmax once more. On pixels up to
255 the first is soon 0 or 1 and has no gradient, and the second keeps the loss between
1.46 and 2.46. The repair is to leave the softmax to the loss.
"""

import keras
from keras import layers
from sklearn.datasets import load_digits

from benchmarks.programs.common import answers, arrays, recognized

URL = "https://github.com/tensorflow/tensorflow/issues/14405"
CAUSE = "The network ends in a softmax, and the loss takes another softmax of it."
FIRST = ("KTF204",)
BACKEND = "torch"  # on TensorFlow, Keras undoes the first softmax
HALF = "held out"
QUALITY = (0.0, 1.0)


def program(last):
    x, y = load_digits(return_X_y=True)
    x = (x.reshape(-1, 8, 8, 1) * 15.9).astype("float32")
    y = keras.utils.to_categorical(y)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation=last),
        ]
    )
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.002), loss, metrics=["accuracy"])

    def quality(model):
        return recognized(y.argmax(1), answers(model, x).argmax(1))

    return arrays(model, x, y, quality, epochs=10, batch_size=32)


def faulty():
    return program("softmax")


def repaired():
    return program("linear")
