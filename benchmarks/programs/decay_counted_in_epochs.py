"""A text classifier whose learning rate is gone after a few hundred steps.

The decay of a schedule was meant per epoch. `ExponentialDecay` counts steps, so with
`decay_steps=1` the rate falls a hundred times faster. The loss moves a little in the
first epoch and never again. The repair is the number of steps of an epoch.
"""

import keras
from keras import layers

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://github.com/cjiang2/VDCNN/issues/4"
CAUSE = "The schedule counts steps, and its decay was meant for epochs."
FIRST = ("KTF402",)
HALF = "held out"
QUALITY = (0.06, 1.0)
STEPS = 40  # of an epoch


def texts(count=40 * 32, steps=16, words=40):
    """Word ids; the class is where the one rare pair of words stands, or if it does."""
    rng = generator()
    x = rng.integers(4, words, (count, steps))
    y = rng.integers(0, 4, count)
    at = rng.integers(0, steps - 1, count)
    for i in range(count):
        x[i, at[i] : at[i] + 2] = y[i] % 2, 2 + y[i] // 2
    return x, y


def program(decay_steps):
    x, y = texts()
    model = keras.Sequential(
        [
            keras.Input((16,), dtype="int32"),
            layers.Embedding(40, 16),
            layers.Conv1D(32, 3, activation="relu", padding="same"),
            layers.GlobalMaxPooling1D(),
            layers.Dense(4, activation="softmax"),
        ]
    )
    rate = keras.optimizers.schedules.ExponentialDecay(0.01, decay_steps, 0.7)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")

    def quality(model):
        return recognized(y, answers(model, x).argmax(1))

    return arrays(model, x, y, quality, epochs=10, batch_size=32)


def faulty():
    return program(1)


def repaired():
    return program(STEPS)
