"""A recurrent network that cannot tell how long nothing was bought.

Series of purchases end at different times and are padded with 0. `Masking` skips the
padding, and with it all days on which nothing was bought, which are 0 as well. The
network sees the purchases and no time between them. The repair pads with -1.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://github.com/Element-Research/rnn/issues/433"
CAUSE = "`Masking` skips every 0, and days without purchases are 0 too."
FIRST = ("KTF150",)
HALF = "chosen"
QUALITY = (0.03, 0.98)
DAYS = 18


def purchases(count=600):
    """Purchases by day, the number of days, and how long the last one is ago."""
    rng = generator()
    length = rng.integers(12, DAYS + 1, (count, 1))
    day = np.arange(DAYS)
    days = (rng.uniform(size=(count, 3)) ** 0.7 * length).astype(int)
    bought = np.zeros((count, DAYS))
    np.put_along_axis(bought, days, rng.uniform(1, 2, days.shape), 1)
    return bought, day < length, (length - 1 - days.max(1, keepdims=True)) / 5


def program(padding):
    bought, within, y = purchases()
    x = np.where(within, bought, padding)[..., None].astype("float32")
    model = keras.Sequential(
        [
            keras.Input((DAYS, 1)),
            layers.Masking(padding),
            layers.GRU(16),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse")

    def quality(model):
        return explained(y, answers(model, x))

    return arrays(model, x, y.astype("float32"), quality, epochs=15, batch_size=32)


def faulty():
    return program(0.0)


def repaired():
    return program(-1.0)
