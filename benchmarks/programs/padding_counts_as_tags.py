"""A tagger of words that gives the same tag to all words and is 97 % right.

Short sentences are padded to the length of the longest one, and padding has a tag of
its own. Nearly all of the loss is about padding, and the few steps that are about
words come to nothing. The repair is to leave it out of the loss.
"""

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://github.com/aneesh-joshi/LSTM_POS_Tagger/issues/8"
CAUSE = "29 of 30 tags are padding, and the loss counts them like those of words."
FIRST = ("KTF125",)
HALF = "chosen"
QUALITY = (0.04, 1.0)
STEPS, WORDS, TAGS = 150, 40, 4


def sentences(count=400):
    """Sentences of 3 to 7 words; a tag follows from a word and the one before it."""
    rng = generator()
    x = rng.integers(1, WORDS, (count, STEPS))
    x[np.arange(STEPS) >= rng.integers(3, 8, (count, 1))] = 0
    before = np.pad(x, ((0, 0), (1, 0)))[:, :-1]
    return x, np.where(x > 0, 1 + (x % 2) * 2 + before % 2, 0)


def of_words(y, p):
    """The cross-entropy of all tags but those of padding."""
    error = keras.losses.sparse_categorical_crossentropy(y, p)
    is_word = ops.cast(ops.not_equal(y, 0), error.dtype)
    return ops.sum(is_word * error) / ops.sum(is_word)


def program(loss):
    x, y = sentences()
    model = keras.Sequential(
        [
            keras.Input((STEPS,), dtype="int32"),
            layers.Embedding(WORDS, 16),
            layers.Conv1D(32, 2, padding="causal", activation="relu"),
            layers.Dense(TAGS + 1, activation="softmax"),
        ]
    )
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    model.compile(optimizer, loss)

    def quality(model):
        tags = answers(model, x).argmax(-1)
        return recognized(y[x > 0], tags[x > 0])

    return arrays(model, x, y, quality, epochs=10, batch_size=32)


def faulty():
    return program("sparse_categorical_crossentropy")


def repaired():
    return program(of_words)
