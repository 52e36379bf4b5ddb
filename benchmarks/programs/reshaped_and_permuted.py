"""A segmentation whose last layers tear the classes of a pixel apart.

The end of a network for channels first, `Reshape((classes, pixels))` and a `Permute`,
is used on channels last. The softmax of a pixel then runs over values of other pixels.
It learns much better with the single `Reshape((pixels, classes))`.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://github.com/divamgupta/image-segmentation-keras/issues/41"
CAUSE = "A `Reshape` for channels first mixes pixels and classes of channels last."
FIRST = ("KTF429",)
HALF = "chosen"
QUALITY = (0.07, 0.97)
SIZE = 16


def fields(count=300):
    """Noisy pictures of a disk and a square, and the class of each pixel."""
    rng = generator()
    grid = np.arange(SIZE)
    y = np.zeros((count, SIZE, SIZE), "int32")
    for i in range(count):
        row, column = rng.integers(0, SIZE - 7, 2)
        y[i, row : row + 7, column : column + 7] = 1
        row, column = rng.uniform(4, SIZE - 4, 2)
        y[i][(grid[:, None] - row) ** 2 + (grid - column) ** 2 < 14] = 2
    color = np.array([[0.2, 0.3], [0.8, 0.3], [0.4, 0.9]])
    x = color[y] + rng.normal(0, 0.2, (count, SIZE, SIZE, 2))
    return x.astype("float32"), y.reshape(count, -1)


def program(*end):
    x, y = fields()
    model = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 2)),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.Conv2D(3, 1),
            *end,
            layers.Softmax(),
        ]
    )
    model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy")

    def quality(model):
        return recognized(y, answers(model, x).argmax(-1))

    return arrays(model, x, y, quality, epochs=10, batch_size=16)


def faulty():
    return program(layers.Reshape((3, SIZE * SIZE)), layers.Permute((2, 1)))


def repaired():
    return program(layers.Reshape((SIZE * SIZE, 3)))
