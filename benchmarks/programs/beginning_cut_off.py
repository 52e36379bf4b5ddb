"""A sorter of letters that is no better than chance on new letters.

A letter says in its first words what it is about, and then goes on for long.
`pad_sequences` brings all to one length, and cuts what is too long at the beginning
unless told otherwise. The repair is to cut at the end.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://github.com/keras-team/keras/issues/7901"
CAUSE = "Long texts are cut at the beginning, where all the telling words are."
FIRST = ()
HALF = "held out"
QUALITY = (0.0, 0.99)
WORDS, KEPT = 400, 25


def letters(count=1200):
    """Texts as lists of ids, of 25 to 120 words; the first eight tell the subject."""
    rng = generator()
    y = rng.integers(0, 4, count)
    texts = []
    for subject in y:
        telling = 1 + 20 * subject + rng.integers(0, 20, 8)
        other = rng.integers(1, 81, 8)
        first = np.where(rng.uniform(0, 1, 8) < 0.7, telling, other)
        rest = 81 + (rng.power(3, rng.integers(22, 112)) * 319).astype(int)
        texts.append([*first, *rest])
    return texts, y


def program(side):
    texts, y = letters()
    x = keras.utils.pad_sequences(texts, maxlen=KEPT, truncating=side)
    model = keras.Sequential(
        [
            keras.Input((KEPT,), dtype="int32"),
            layers.Embedding(WORDS + 1, 16),
            layers.GlobalAveragePooling1D(),
            layers.Dense(16, activation="relu"),
            layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(0.003),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    new = slice(1000, None)

    def quality(model):
        return recognized(y[new], answers(model, x[new]).argmax(1))

    return arrays(
        model,
        x[:1000],
        y[:1000],
        quality,
        validation_data=(x[new], y[new]),
        epochs=15,
        batch_size=32,
    )


def faulty():
    return program("pre")


def repaired():
    return program("post")
