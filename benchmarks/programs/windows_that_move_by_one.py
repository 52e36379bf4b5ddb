"""A classifier that memorizes a few dozen samples and recognizes no other.

A `PyDataset` takes for batch number i the samples from i to i + 32 where it should
begin at 32 i. All batches together hold 82 of 1600 samples. The repair is to multiply.
"""

import keras
from keras import layers

from benchmarks.programs.common import Run, answers, generator, recognized

URL = "https://github.com/keras-team/keras/issues/11731"
CAUSE = "The batches begin at samples 0, 1, 2, so they are nearly the same."
FIRST = ("KTF135",)
HALF = "held out"
QUALITY = (0.28, 1.0)
BATCH, CLASSES = 32, 16


def spectra(count=1600, channels=200):
    """Noisy spectra of sixteen minerals."""
    rng = generator()
    y = rng.integers(0, CLASSES, count)
    lines = rng.normal(0, 0.25, (CLASSES, channels))
    return (lines[y] + rng.normal(size=(count, channels))).astype("float32"), y


class Batches(keras.utils.PyDataset):
    """The samples, one batch after another."""

    def __init__(self, x, y, stride):
        super().__init__()
        self.x, self.y, self.stride = x, y, stride

    def __len__(self):
        return len(self.x) // BATCH

    def __getitem__(self, index):
        part = slice(self.stride * index, self.stride * index + BATCH)
        return self.x[part], self.y[part]


def program(stride):
    x, y = spectra()
    model = keras.Sequential(
        [
            keras.Input((x.shape[1],)),
            layers.Dense(64, activation="relu"),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.002), "sparse_categorical_crossentropy")
    source = Batches(x, y, stride)

    def fit(model, callbacks=()):
        return model.fit(source, epochs=12, verbose=0, callbacks=list(callbacks))

    def quality(model):
        return recognized(y, answers(model, x).argmax(1))

    return Run(model, (source,), fit, quality)


def faulty():
    return program(stride=1)


def repaired():
    return program(stride=BATCH)
