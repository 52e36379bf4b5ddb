"""A transformer that reads where the words are and not which.

Before the positions are added, the words are to be multiplied by the root of their
width. The positions are multiplied in their place, by all of the width, and then are
hundreds of times as large. After the normalization nothing of the words is left. The
repair is to multiply the words by the root.
"""

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://github.com/VHellendoorn/ICLR20-Great/issues/10"
CAUSE = "The positional encoding is hundreds of times larger than the embedding."
FIRST = ()
HALF = "held out"
QUALITY = (0.23, 1.0)
WORDS, STEPS, WIDTH, CLASSES = 20, 8, 32, 4


class WordsAndPositions(layers.Layer):
    """Embeddings of words plus sines and cosines of their positions."""

    def __init__(self, louder):
        super().__init__()
        self.louder = louder
        self.words = layers.Embedding(WORDS, WIDTH)
        rate = 1 / 1000 ** (2 * np.arange(WIDTH // 2) / WIDTH)
        angle = np.arange(STEPS)[:, None] * rate
        positions = np.concatenate([np.sin(angle), np.cos(angle)], -1)
        self.positions = positions.astype("float32")

    def call(self, x):
        words, positions = self.words(x), ops.convert_to_tensor(self.positions)
        if self.louder == "words":
            return words * WIDTH**0.5 + positions
        return words + positions * WIDTH


def commands(count=2000):
    """Lines of words; the class is that of the word behind the word `0`."""
    rng = generator()
    x = rng.integers(1, WORDS, (count, STEPS))
    at = rng.integers(0, STEPS - 1, count)
    x[np.arange(count), at] = 0
    return x, x[np.arange(count), at + 1] % CLASSES


def program(louder):
    x, y = commands()
    inputs = keras.Input((STEPS,), dtype="int32")
    hidden = WordsAndPositions(louder)(inputs)
    for _ in range(2):
        normal = layers.LayerNormalization()(hidden)
        hidden = hidden + layers.MultiHeadAttention(4, 16)(normal, normal)
        normal = layers.LayerNormalization()(hidden)
        normal = layers.Dense(64, activation="relu")(normal)
        hidden = hidden + layers.Dense(WIDTH)(normal)
    hidden = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(hidden))
    model = keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(hidden))
    model.compile(keras.optimizers.Adam(0.002), "sparse_categorical_crossentropy")
    new, answer = commands()

    def quality(model):
        return recognized(answer, answers(model, new).argmax(1))

    return arrays(model, x, y, quality, epochs=22, batch_size=64)


def faulty():
    return program(louder="positions")


def repaired():
    return program(louder="words")
