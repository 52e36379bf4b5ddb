"""A text classifier to which all texts are the same.

All inputs were scaled to lie between 0 and 1, as one does with pixels. These inputs are
ids of words, and `Embedding` cuts them to whole numbers: nearly all are 0. The repair
is to leave ids as they are.
"""

import keras
from keras import layers

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://github.com/titu1994/Keras-IndRNN/issues/7"
CAUSE = "The ids were scaled to 0..1 and are cut to 0 by the embedding."
FIRST = ("KTF128", "KTF421")
HALF = "held out"
QUALITY = (0.03, 1.0)
WORDS, LENGTH = 50, 10


def messages(count=800):
    """Messages as ids of words; an even id speaks for one side, an odd one against."""
    rng = generator()
    x = rng.integers(0, WORDS, (count, LENGTH))
    return x.astype("float32"), (x % 2).sum(1) > LENGTH / 2


def program(scale):
    x, y = messages()
    model = keras.Sequential(
        [
            keras.Input((LENGTH,)),
            layers.Embedding(WORDS, 8),
            layers.GlobalAveragePooling1D(),
            layers.Dense(16, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
    x = x / scale

    def quality(model):
        return recognized(y, answers(model, x)[:, 0] > 0.5)

    return arrays(model, x, y.astype("float32"), quality, epochs=12, batch_size=32)


def faulty():
    return program(WORDS - 1)


def repaired():
    return program(1)
