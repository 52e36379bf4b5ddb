"""A segmentation whose images and masks are turned by different random numbers.

Two generators augment images and masks. They were given the same seed but share one
stream of random numbers, so a mask is flipped when its image is not. The repair draws
once for both.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import Run, answers, generator, overlap

URL = "https://github.com/keras-team/keras/issues/12075"
CAUSE = "Images and masks are flipped and turned by different random numbers."
FIRST = ("KTF138", "KTF140", "KTF139")
HALF = "chosen"
QUALITY = (-0.12, 0.97)


def cells(count=320, size=16):
    """A bright round cell before a textured ground, and its mask."""
    rng = generator()
    grid = np.arange(size)
    row, column = rng.uniform(3, size - 3, (2, count, 1, 1))
    radius = rng.uniform(2, 4, (count, 1, 1))
    distance = (grid[:, None] - row) ** 2 + (grid - column) ** 2
    mask = (distance < radius**2).astype("float32")
    x = rng.normal(0.3, 0.1, mask.shape) + 0.5 * mask
    return x.astype("float32")[..., None], mask[..., None]


class Batches(keras.utils.PyDataset):
    """Batches that are flipped and turned at random."""

    def __init__(self, x, y, together):
        super().__init__()
        self.x, self.y, self.together = x, y, together
        self.rng = generator()

    def __len__(self):
        return len(self.x) // 16

    def __getitem__(self, index):
        part = slice(16 * index, 16 * index + 16)
        turn = self.draw()
        return turned(self.x[part], turn), turned(
            self.y[part], turn if self.together else self.draw()
        )

    def draw(self):
        return self.rng.integers(0, 4, 16)


def turned(pictures, quarters):
    return np.stack([np.rot90(p, k) for p, k in zip(pictures, quarters, strict=True)])


def program(together):
    x, y = cells()
    model = keras.Sequential([keras.Input((16, 16, 1))])
    for _ in range(3):
        model.add(layers.Conv2D(12, 3, padding="same", activation="relu"))
    model.add(layers.Conv2D(1, 1, activation="sigmoid"))
    model.compile(keras.optimizers.Adam(0.005), "binary_crossentropy")
    source = Batches(x, y, together)

    def fit(model, callbacks=()):
        return model.fit(source, epochs=12, verbose=0, callbacks=list(callbacks))

    return Run(model, (source,), fit, lambda model: overlap(y, answers(model, x)))


def faulty():
    return program(together=False)


def repaired():
    return program(together=True)
