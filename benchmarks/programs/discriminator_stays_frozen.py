"""A discriminator whose loss is the same in every epoch.

The discriminator is compiled, then frozen to be a part of the combined model, and
trained on its own afterwards. In old Keras `trainable` counted when a model was
compiled; now it counts when the model trains. The repair is to unfreeze it first.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://github.com/eriklindernoren/Keras-GAN/issues/22"
CAUSE = "The discriminator is frozen for the combined model and never unfrozen."
FIRST = ("KTF303", "KTF304")
HALF = "held out"
QUALITY = (0.06, 0.99)
NOISE = 4


def program(unfrozen):
    rng = generator()
    generator_of_points = keras.Sequential(
        [
            keras.Input((NOISE,)),
            layers.Dense(16, activation="tanh"),
            layers.Dense(2),
        ]
    )
    model = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(32, activation="relu"),
            layers.Dense(32, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.005), "binary_crossentropy")
    model.trainable = False
    noise = keras.Input((NOISE,))
    combined = keras.Model(noise, model(generator_of_points(noise)))
    combined.compile("adam", "binary_crossentropy")
    model.trainable = unfrozen

    angle = rng.uniform(0, 2 * np.pi, (800, 1))
    real = 2.5 * np.concatenate([np.cos(angle), np.sin(angle)], 1)
    fake = answers(generator_of_points, rng.normal(size=(800, NOISE)))
    x = np.concatenate([real, fake]).astype("float32")
    y = np.repeat([1.0, 0.0], 800)[:, None].astype("float32")

    def quality(model):
        return recognized(y, answers(model, x) > 0.5)

    return arrays(model, x, y, quality, epochs=25, batch_size=32)


def faulty():
    return program(unfrozen=False)


def repaired():
    return program(unfrozen=True)
