"""Small nets that read sequences of tokens, and tokens for them."""

import keras
import numpy as np
from keras import layers

TOKENS = 12
SPARSE = "sparse_categorical_crossentropy"


class Positions(layers.Layer):
    """Adds a learned vector to each step."""

    def build(self, shape):
        self.table = self.add_weight(shape=shape[1:], initializer="uniform")

    def call(self, x):
        return x + self.table


def tokens(samples=64, steps=8, seed=0):
    """Random ids from 1."""
    return np.random.default_rng(seed).integers(1, TOKENS, (samples, steps))


def one_behind(y):
    """The tokens before those of `y`, with 0 as the first."""
    return np.concatenate([np.zeros((len(y), 1), y.dtype), y[:, :-1]], axis=1)


def padded(samples=64, steps=100, least=4, most=12, seed=0):
    """Ids from 1, padded with 0 behind."""
    rng = np.random.default_rng(seed)
    x = rng.integers(1, TOKENS, (samples, steps))
    x[np.arange(steps) >= rng.integers(least, most, (samples, 1))] = 0
    return x


def translator(steps=8, loss=SPARSE, **attention):
    """An encoder and a decoder: recurrent, or of attention with these settings."""
    keras.utils.set_random_seed(1)
    a = keras.Input((steps,), name="source")
    b = keras.Input((steps,), name="decoder")
    e, d = (layers.Embedding(TOKENS, 16)(part) for part in (a, b))
    if attention:
        e, d = Positions()(e), Positions()(d)
        seen = layers.MultiHeadAttention(2, 8)(d, d, **attention)
        d = layers.LayerNormalization()(d + seen)
        d = layers.LayerNormalization()(d + layers.MultiHeadAttention(2, 8)(d, e))
    else:
        d = layers.GRU(16, return_sequences=True)(d, initial_state=layers.GRU(16)(e))
    model = keras.Model([a, b], layers.Dense(TOKENS, activation="softmax")(d))
    model.compile("adam", loss)
    return model


def reader(*parts, steps=8, loss=SPARSE, units=TOKENS, head="softmax", **embedding):
    """An embedding, some layers, and a head."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((steps,)),
            layers.Embedding(TOKENS, 16, **embedding),
            *parts,
            layers.Dense(units, activation=head),
        ]
    )
    model.compile("adam", loss)
    return model
