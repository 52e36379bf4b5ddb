"""A classifier of gestures that stays where it begins.

The recurrent part is built within the function of a `Lambda` layer. It is made anew
whenever the function is called, with new random weights, and none of them is trained.
The repair is to make it once, as a layer of the model.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://github.com/keras-team/keras-applications/issues/168"
CAUSE = "A `Lambda` makes its layers in each call, so they are new and never trained."
FIRST = ("KTF423",)
BACKEND = "torch"  # a function of TensorFlow may not make variables again
HALF = "held out"
QUALITY = (0.1, 1.0)
STEPS = 12


def gestures(count=500):
    """Ways of a hand: a circle to the left, one to the right, a wave, a line."""
    rng = generator()
    time = np.linspace(0, 1, STEPS)
    y = rng.integers(0, 4, count)
    phase = rng.uniform(0, 2 * np.pi, (count, 1))
    turn = 2 * np.pi * time + phase
    waves = np.sin(2 * np.pi * 2 * time + phase)
    ways = [
        (np.cos(turn), np.sin(turn)),
        (np.cos(-turn), np.sin(-turn)),
        (np.cos(phase) + 0 * turn, waves),
        (2 * (time - 0.5) + 0 * turn, np.sin(phase) * (time - 0.5)),
    ]
    x = np.stack([np.stack(way, -1) for way in ways])[y, np.arange(count)]
    return (x + rng.normal(0, 0.15, x.shape)).astype("float32"), y


def recurrent():
    return keras.Sequential([layers.Bidirectional(layers.LSTM(16))])


def program(part):
    x, y = gestures()
    model = keras.Sequential(
        [
            keras.Input((STEPS, 2)),
            part,
            layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(0.01),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )

    def quality(model):
        return recognized(y, answers(model, x).argmax(1))

    return arrays(model, x, y, quality, epochs=15, batch_size=32)


def faulty():
    return program(layers.Lambda(lambda x: recurrent()(x), output_shape=(32,)))


def repaired():
    return program(recurrent())
