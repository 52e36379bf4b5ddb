"""A reader of words that loses one letter of the alphabet and mixes up the rest.

Letters are numbered from 0, and the CTC loss takes 0 for the blank between letters and
for the end of a word. A word with the first letter looks shorter than it is. The
repair is to number letters from 1.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, generator

URL = "https://github.com/Holmeyoung/crnn-pytorch/issues/34"
CAUSE = "The CTC loss takes 0 for its blank, and 0 is a letter here."
FIRST = ("KTF121", "KTF217")
HALF = "chosen"
QUALITY = (0.03, 1.0)
LETTERS, LENGTH, STEPS = 3, 4, 12


def writing(count=600):
    """Words of four letters, each written over some steps, with gaps between."""
    rng = generator()
    words = rng.integers(0, LETTERS, (count, LENGTH))
    x = np.zeros((count, STEPS, 6))
    shapes = np.array([[1, 0, 1, 0, 0, 1], [0, 1, 1, 0, 1, 0], [1, 1, 0, 1, 0, 0]])
    for letter in range(LENGTH):
        x[:, 3 * letter : 3 * letter + 2] = shapes[words[:, letter], None]
    x += rng.normal(0, 0.2, x.shape)
    return x.astype("float32"), words


def read(scores):
    """The words with the likeliest symbol of each step, repetitions and 0 removed."""
    words = []
    for symbols in scores.argmax(-1):
        changes = symbols[np.diff(symbols, prepend=-1) != 0]
        words.append(changes[changes > 0].tolist())
    return words


def program(first):
    x, words = writing()
    y = words + first
    model = keras.Sequential(
        [
            keras.Input((STEPS, 6)),
            layers.Conv1D(32, 3, padding="same", activation="relu"),
            layers.Dense(LETTERS + 1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), keras.losses.CTC())

    def quality(model):
        found = read(answers(model, x))
        wanted = y.tolist()
        right = [word == true for word, true in zip(found, wanted, strict=True)]
        return float(np.mean(right))

    return arrays(model, x, y, quality, epochs=15, batch_size=32)


def faulty():
    return program(first=0)


def repaired():
    return program(first=1)
