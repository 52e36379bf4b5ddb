"""A model of two outputs of which one never learns.

A house gets a price in dollars and one of three styles, from a body that both share.
The squared error of the price is a billion times the cross-entropy of the style. The
repair is to give the price in units of its spread.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import Run, generator, recognized

URL = "https://github.com/keras-team/keras/issues/10306"
CAUSE = "One output is in dollars, and its loss drowns that of the other."
FIRST = ("KTF415", "KTF111")
HALF = "chosen"
QUALITY = (0.0, 0.98)


def houses(count=1000):
    """Five facts about a house, its price, and its style."""
    rng = generator()
    x = rng.normal(size=(count, 5)).astype("float32")
    price = 2e5 + 5e4 * (x[:, :1] + x[:, 1:2] * x[:, 2:3])
    style = np.digitize(x[:, 3] + np.abs(x[:, 4]), [0.3, 1.3])
    return x, price.astype("float32"), style


def program(unit, middle):
    x, price, style = houses()
    inputs = keras.Input((5,))
    hidden = layers.Dense(48, activation="relu")(inputs)
    hidden = layers.Dense(48, activation="relu")(hidden)
    outputs = {
        "price": layers.Dense(1, name="price")(hidden),
        "style": layers.Dense(3, activation="softmax", name="style")(hidden),
    }
    model = keras.Model(inputs, outputs)
    losses = {"price": "mse", "style": "sparse_categorical_crossentropy"}
    model.compile(keras.optimizers.Adam(0.003), losses)
    y = {"price": (price - middle) / unit, "style": style}

    def fit(model, callbacks=()):
        return model.fit(
            x, y, epochs=20, batch_size=32, verbose=0, callbacks=list(callbacks)
        )

    def quality(model):
        p = model.predict(x, verbose=0)
        return recognized(style, p["style"].argmax(1))

    return Run(model, (x, y), fit, quality)


def faulty():
    return program(1, 0)


def repaired():
    return program(7e4, 2e5)
