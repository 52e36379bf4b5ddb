"""A forecast of a swinging load that is flat, although the series is perfectly regular.

The windows are as long as in the tutorial, a single step. One value does not tell
whether the load is on its way up or down, and a quarter of a period ahead that is all
that matters. The repair is a longer window.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://geek-answers.imtqy.com/articles/1267675/index.html"
CAUSE = "Each window holds one step, which does not tell the direction of the series."
FIRST = ("KTF433",)
HALF = "chosen"
QUALITY = (0.0, 1.0)
PERIOD, AHEAD = 40, 10


def windows(look_back, count=1600):
    """Windows of a pendulum's position, and where it is some steps later."""
    rng = generator()
    time = np.arange(count + 100)
    series = np.sin(2 * np.pi * time / PERIOD) + rng.normal(0, 0.03, len(time))
    ends = 50 + np.arange(count)
    x = np.stack([series[end - look_back : end] for end in ends])
    y = series[ends - 1 + AHEAD]
    return x[..., None].astype("float32"), y[:, None].astype("float32")


def program(look_back):
    x, y = windows(look_back)
    model = keras.Sequential(
        [keras.Input((look_back, 1)), layers.LSTM(16), layers.Dense(1)]
    )
    model.compile(keras.optimizers.Adam(0.005), "mse")

    def quality(model):
        return explained(y, answers(model, x))

    return arrays(model, x, y, quality, epochs=15, batch_size=32)


def faulty():
    return program(look_back=1)


def repaired():
    return program(look_back=12)
