"""An autoencoder that restores each curve and draws none that looks like one.

The layer that samples the code draws its noise and then uses the deviation of the
noise in its place, a constant. So nothing holds the codes apart, and codes drawn at
random lie outside of all that the decoder knows. The repair is to use the noise.
"""

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.common import arrays, generator

URL = "https://github.com/twairball/keras_lstm_vae/issues/1"
CAUSE = "The sampling adds a constant deviation and not the noise that it has drawn."
FIRST = ()
HALF = "held out"
QUALITY = (0.03, 0.95)
STEPS, CODES, WEIGHT, DEVIATION = 24, 3, 0.02, 1.0


class Code(layers.Layer):
    """A code near the mean, and the penalty that keeps it near the normal one."""

    def __init__(self, noisy):
        super().__init__()
        self.noisy = noisy

    def call(self, parts):
        mean, spread = parts
        noise = keras.random.normal(ops.shape(mean), stddev=DEVIATION)
        excess = ops.square(mean) + ops.exp(2 * spread) - 1 - 2 * spread
        self.add_loss(WEIGHT * ops.mean(ops.sum(excess, -1)) / 2)
        return mean + ops.exp(spread) * (noise if self.noisy else DEVIATION)


def curves(count=1500):
    """Days of a power plant: a wave with its own height and hour."""
    rng = generator()
    hour = rng.uniform(-1, 1, (count, 1))
    height = rng.uniform(0.5, 1.5, (count, 1))
    time = np.linspace(0, 2 * np.pi, STEPS)
    x = height * np.sin(time + hour) + rng.normal(0, 0.05, (count, STEPS))
    return x.astype("float32")


def distance(a, b):
    return np.linalg.norm(a[:, None] - b[None], axis=-1).mean()


def unlike(a, b):
    """The energy distance of two clouds of points."""
    return 2 * distance(a, b) - distance(a, a) - distance(b, b)


def program(noisy):
    x = curves()
    inputs = keras.Input((STEPS,))
    hidden = layers.Dense(48, activation="relu")(inputs)
    parts = [layers.Dense(CODES)(hidden), layers.Dense(CODES)(hidden)]
    decoder = keras.Sequential(
        [
            keras.Input((CODES,)),
            layers.Dense(48, activation="relu"),
            layers.Dense(STEPS),
        ],
        name="decoder",
    )
    model = keras.Model(inputs, decoder(Code(noisy)(parts)))
    model.compile(keras.optimizers.Adam(0.003), "mse")
    code = generator().normal(size=(400, CODES)).astype("float32")
    some = x[:400]

    def quality(model):
        drawn = model.get_layer("decoder").predict(code, verbose=0).astype("float64")
        return float(
            1 - unlike(drawn, some) / unlike(some.mean(0, keepdims=True), some)
        )

    return arrays(model, x, x, quality, epochs=40, batch_size=32)


def faulty():
    return program(noisy=False)


def repaired():
    return program(noisy=True)
