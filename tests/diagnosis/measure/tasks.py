"""Tasks with a signal, and nets for them: for the tests of what can be learned."""

import keras
import numpy as np
from keras import layers

SPARSE = "sparse_categorical_crossentropy"
BINARY = "binary_crossentropy"


def xor(rng):
    x = rng.normal(size=(256, 2))
    return x, ((x[:, 0] > 0) ^ (x[:, 1] > 0)).astype(int)


def circle(rng):
    x = rng.normal(size=(256, 2))
    return x, ((x**2).sum(1) > 1.3).astype(int)


def masks(rng, samples=24, size=32):
    grid = np.mgrid[:size, :size]
    centres = rng.integers(0, size, (samples, 2, 1, 1))
    radius = rng.integers(size // 6, size // 3, (samples, 1, 1))
    return (((grid - centres) ** 2).sum(1) < radius**2).astype("int32")


def segmenter(units, loss, size=32):
    parts = [keras.Input((size, size, 1)), layers.Conv2D(4, 3, padding="same")]
    parts += [layers.Conv2D(units, 1, activation="softmax" if units > 1 else "sigmoid")]
    model = keras.Sequential(parts)
    model.compile("adam", loss)
    return model
