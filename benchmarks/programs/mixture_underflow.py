"""A mixture density network whose loss becomes infinite, and then NaN.

The likelihood of each component is computed first and its logarithm afterwards. A
target that is 15 standard deviations from every component has likelihood 0 in
float32. The repair is to add in logarithms.
"""

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://github.com/keras-team/keras/issues/1061"
CAUSE = "The loss takes the logarithm of a likelihood that underflows to 0."
FIRST = ("KTF412",)
HALF = "held out"
QUALITY = (float("-inf"), 0.98)
COMPONENTS = 3


def waves(count=1500):
    """A noisy wave with targets from -25 to 25."""
    rng = generator()
    x = rng.uniform(-2, 2, (count, 1))
    y = 20 * np.sin(2 * x) + rng.normal(0, 2, x.shape)
    return x.astype("float32"), y.astype("float32")


def parts(p):
    means, widths, weights = ops.split(p, 3, axis=-1)
    return means, 0.5 + ops.softplus(widths), ops.log_softmax(weights, axis=-1)


def logarithms(y, p):
    """The logarithm of weight times likelihood, by component."""
    means, widths, weights = parts(p)
    return weights - ops.square((y - means) / widths) / 2 - ops.log(widths)


def negative_likelihood(y, p):
    return -ops.log(ops.sum(ops.exp(logarithms(y, p)), axis=-1))


def negative_likelihood_in_logarithms(y, p):
    return -ops.logsumexp(logarithms(y, p), axis=-1)


def program(loss):
    x, y = waves()
    model = keras.Sequential(
        [
            keras.Input((1,)),
            layers.Dense(32, activation="tanh"),
            layers.Dense(32, activation="tanh"),
            layers.Dense(3 * COMPONENTS),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), loss)

    def quality(model):
        means, _, weights = np.split(answers(model, x), 3, axis=1)
        weights = np.exp(weights - weights.max(1, keepdims=True))
        mean = (means * weights).sum(1) / weights.sum(1)
        return explained(y, mean)

    return arrays(model, x, y, quality, epochs=40, batch_size=64)


def faulty():
    return program(negative_likelihood)


def repaired():
    return program(negative_likelihood_in_logarithms)
