"""A text classifier whose pretrained word vectors belong to other words.

The data set keeps the first three ids for marks, so word 1 of its index has id 4. The
matrix of vectors is filled by the index alone and frozen: every word has the vector of
another one. The repair shifts the rows by three.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://github.com/fchollet/deep-learning-with-python-notebooks/issues/145"
CAUSE = "The rows of the frozen embedding are shifted against the ids of the words."
FIRST = ()
HALF = "chosen"
QUALITY = (0.11, 0.86)
MARKS, WORDS, STEPS, WIDTH = 3, 600, 12, 16


def reviews(count=500):
    """Ids of words, the word vectors by index, and whether the text is friendly."""
    rng = generator()
    feeling = rng.normal(size=WORDS)
    vectors = 0.3 * rng.normal(size=(WORDS, WIDTH))
    vectors[:, 0] = feeling
    index = rng.integers(0, WORDS, (count, STEPS))
    y = feeling[index].mean(1) > 0
    return index + MARKS, y.astype("float32")[:, None], vectors


def program(shift):
    x, y, vectors = reviews()
    new, new_y = x[400:], y[400:]
    matrix = np.zeros((WORDS + MARKS, WIDTH))
    matrix[shift : shift + WORDS] = vectors
    embedding = layers.Embedding(WORDS + MARKS, WIDTH, trainable=False)
    model = keras.Sequential(
        [
            keras.Input((STEPS,), dtype="int32"),
            embedding,
            layers.GlobalAveragePooling1D(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    embedding.set_weights([matrix])
    model.compile(keras.optimizers.Adam(0.03), "binary_crossentropy")

    def quality(model):
        return recognized(new_y, answers(model, new) > 0.5)

    return arrays(model, x[:400], y[:400], quality, epochs=30, batch_size=32)


def faulty():
    return program(0)


def repaired():
    return program(MARKS)
