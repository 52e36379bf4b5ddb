"""A recurrent network for the next bit whose accuracy never changes.

The next bit of a sequence follows from the three before it. The head is a softmax
over a single unit behind an LSTM, so the answer is 1 for every input. The repair is a
sigmoid.
"""

import keras
from keras import layers

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://stackoverflow.com/questions/46620813"
CAUSE = "A softmax over one unit is 1 for every input."
FIRST = ("KTF201",)
HALF = "held out"
QUALITY = (0.0, 1.0)


def bits(count=1500):
    """Windows of three bits, and the bit that a rule puts behind them."""
    x = generator().integers(0, 2, (count, 3, 1)).astype("float32")
    y = (x[:, 0] + x[:, 1] * x[:, 2]) % 2
    return x, y


def program(activation):
    x, y = bits()
    model = keras.Sequential(
        [
            keras.Input((3, 1)),
            layers.LSTM(8),
            layers.Dense(1, activation=activation),
        ]
    )
    model.compile(keras.optimizers.Adam(0.02), "binary_crossentropy")

    def quality(model):
        return recognized(y, answers(model, x) > 0.5)

    return arrays(model, x, y, quality, epochs=20, batch_size=32)


def faulty():
    return program("softmax")


def repaired():
    return program("sigmoid")
