"""A text classifier that is right in training and at chance on new texts.

The tokenizer is fitted again on the new texts. It numbers words by how often they
occur, so nearly every word has another number than in training. The repair is to keep
the numbers of the training texts.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://github.com/tthustla/twitter_sentiment_analysis_part11/issues/1"
CAUSE = "The words of the validation texts were numbered once more, so they are others."
FIRST = ("KTF141", "KTF142")
HALF = "chosen"
QUALITY = (0.19, 0.89)
WORDS, LENGTH = 120, 12


def texts(count):
    """Texts of words that lean to one side or the other, and the side they are on."""
    rng = generator()
    side = rng.integers(0, 2, count)
    lean = np.arange(WORDS) % 2 == side[:, None]
    chance = (1 + np.arange(WORDS) % 7) * np.where(lean, 3.0, 1.0)
    chance /= chance.sum(1, keepdims=True)
    words = [rng.choice(WORDS, LENGTH, p=each) for each in chance]
    return np.array(words), side


def numbers(words):
    """The number of each word: 1 for the most frequent."""
    order = np.argsort(-np.bincount(words.ravel(), minlength=WORDS))
    ids = np.empty(WORDS, int)
    ids[order] = np.arange(1, WORDS + 1)
    return ids


def program(of_training):
    words, y = texts(1500)
    new_words, new_y = texts(600)
    ids = numbers(words)
    x = ids[words]
    new_x = (ids if of_training else numbers(new_words))[new_words]
    model = keras.Sequential(
        [
            keras.Input((LENGTH,), dtype="int32"),
            layers.Embedding(WORDS + 1, 8),
            layers.GlobalAveragePooling1D(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")

    def quality(model):
        return recognized(new_y, answers(model, new_x) > 0.5)

    return arrays(
        model,
        x,
        y,
        quality,
        validation_data=(new_x, new_y),
        epochs=12,
        batch_size=32,
    )


def faulty():
    return program(of_training=False)


def repaired():
    return program(of_training=True)
