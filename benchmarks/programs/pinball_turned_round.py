"""An order forecast that should cover nine days of ten and covers one.

The loss of a quantile is written with the forecast first, as in a tutorial whose loss
was symmetric. Keras passes the target first, so what should cost little costs much.
The repair is to exchange the two arguments.
"""

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://github.com/tensorflow/tensorflow/issues/38067"
CAUSE = "The own quantile loss takes the prediction first: the low quantile is fitted."
FIRST = ()
HALF = "chosen"
QUALITY = (-2.44, 0.84)
QUANTILE, NINE_OF_TEN = 0.9, 1.2816


def too_little(forecast, demand):
    missing = demand - forecast
    return ops.mean(ops.maximum(QUANTILE * missing, (QUANTILE - 1) * missing), -1)


def demand_first(demand, forecast):
    return too_little(forecast, demand)


def sales(count=2500):
    """The loaves sold on a day, and how many suffice on nine such days of ten."""
    rng = generator()
    x = rng.normal(size=(count, 6))
    usual = 10 + 1.5 * x[:, 0] - x[:, 1] + np.abs(x[:, 2])
    spread = 1 + np.maximum(x[:, 3], 0)
    y = usual + spread * rng.normal(size=count)
    return (
        x.astype("float32"),
        y[:, None].astype("float32"),
        usual + NINE_OF_TEN * spread,
    )


def program(loss):
    x, y, enough = sales()
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(32, activation="relu"),
            layers.Dense(32, activation="relu"),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.003), loss)

    def quality(model):
        return explained(enough, answers(model, x))

    return arrays(model, x, y, quality, epochs=25, batch_size=32)


def faulty():
    return program(too_little)


def repaired():
    return program(demand_first)
