"""A generator whose samples leave the data behind and never come back.

The generator is trained through the discriminator with the label zero, "because what it
makes is fake". So it learns to be found out. The repair is the label of the real ones.
"""

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.common import Run, generator

URL = "https://github.com/jacobgil/keras-dcgan/issues/11"
CAUSE = "The generator's loss has the label of the fake samples: it helps to be caught."
FIRST = ()
HALF = "held out"
QUALITY = (-34.83, 0.97)
BACKEND = "torch"
CODES = 8


def voltages(count=1600):
    """Voltage and current of a diode, a bent line with noise."""
    rng = generator()
    voltage = rng.uniform(-1, 1, count)
    current = np.abs(voltage) * 1.5 - 0.5
    x = np.stack([voltage, current], 1) + rng.normal(0, 0.08, (count, 2))
    return x.astype("float32")


class Pair(keras.Model):
    """A generator and a discriminator, which are trained in turns."""

    def __init__(self, wanted):
        super().__init__()
        self.wanted = wanted
        self.generator = keras.Sequential(
            [
                keras.Input((CODES,)),
                layers.Dense(48, activation="relu"),
                layers.Dense(48, activation="relu"),
                layers.Dense(2),
            ]
        )
        self.discriminator = keras.Sequential(
            [
                keras.Input((2,)),
                layers.Dense(48, activation="leaky_relu"),
                layers.Dense(48, activation="leaky_relu"),
                layers.Dense(1),
            ]
        )

    def call(self, x):
        return self.discriminator(x)

    def compile(self, first, second, loss):
        super().compile(optimizer=first)
        self.second = second
        self.judge = loss

    def descend(self, loss, part, optimizer):
        self.zero_grad()
        loss.backward()
        weights = part.trainable_weights
        optimizer.apply([w.value.grad for w in weights], weights)

    def train_step(self, data):
        real = data[0] if isinstance(data, tuple) else data
        count = len(real)
        code = keras.random.normal((count, CODES))
        fake = self.generator(code)
        both = ops.concatenate([real, ops.stop_gradient(fake)])
        label = ops.concatenate([ops.ones((count, 1)), ops.zeros((count, 1))])
        found = self.judge(label, self.discriminator(both))
        self.descend(found, self.discriminator, self.optimizer)
        verdict = self.discriminator(self.generator(code))
        fooled = self.judge(self.wanted * ops.ones((count, 1)), verdict)
        self.descend(fooled, self.generator, self.second)
        return {"discriminator": found, "generator": fooled}


def distance(a, b):
    return np.linalg.norm(a[:, None] - b[None], axis=-1).mean()


def unlike(a, b):
    """The energy distance of two clouds of points."""
    return 2 * distance(a, b) - distance(a, a) - distance(b, b)


def program(wanted):
    x = voltages()
    model = Pair(wanted)
    adam = [keras.optimizers.Adam(rate, beta_1=0.5) for rate in (0.001, 0.001)]
    model.compile(*adam, keras.losses.BinaryCrossentropy(from_logits=True))
    code = generator().normal(size=(500, CODES)).astype("float32")
    some = x[:500]

    def quality(model):
        fake = np.asarray(model.generator.predict(code, verbose=0), "float64")
        return float(1 - unlike(fake, some) / unlike(some.mean(0, keepdims=True), some))

    def fit(model, callbacks=()):
        return model.fit(x, epochs=25, verbose=0, callbacks=list(callbacks))

    return Run(model, (x,), fit, quality)


def faulty():
    return program(wanted=0)


def repaired():
    return program(wanted=1)
