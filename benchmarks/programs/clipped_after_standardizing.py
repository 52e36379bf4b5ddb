"""A classifier of textures that sees a few gray values.

Pictures are standardized, and then go through an augmentation that clips to 0..255 and
returns bytes. Standardized pixels lie between -3 and 3, so half of them become 0 and
the others 0, 1 or 2. The repair is to standardize afterwards.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://github.com/tensorflow/models/pull/8780"
CAUSE = "Pixels are cut to bytes after they were standardized, so little is left."
FIRST = ("KTF103", "KTF421")
HALF = "held out"
QUALITY = (0.0, 1.0)
SIZE = 16


def cloths(count=480):
    """Dark cloths with faint stripes in one of three directions and a bright label."""
    rng = generator()
    y = rng.integers(0, 3, count)
    row, column = np.meshgrid(*2 * [np.arange(SIZE)], indexing="ij")
    along = np.stack([row, column, row + column])[y]
    phase = rng.uniform(0, 6, (count, 1, 1))
    x = 40 + 8 * np.sin(1.6 * along + phase) + rng.normal(0, 2, along.shape)
    x[:, :4, :4] = 250
    return x[..., None], y


def brighter(x, rng):
    """Bytes of pictures that are a little brighter or darker."""
    x = x * rng.uniform(0.9, 1.1, (len(x), 1, 1, 1))
    return np.clip(x, 0, 255).astype("uint8")


def standardized(x):
    return (x - x.mean((1, 2), keepdims=True)) / x.std((1, 2), keepdims=True)


def program(prepared):
    x, y = cloths()
    x = prepared(x, generator()).astype("float32")
    model = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 1)),
            layers.Conv2D(12, 3, activation="relu"),
            layers.Conv2D(12, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")

    def quality(model):
        return recognized(y, answers(model, x).argmax(1))

    return arrays(model, x, y, quality, epochs=20, batch_size=32)


def faulty():
    return program(lambda x, rng: brighter(standardized(x), rng))


def repaired():
    return program(lambda x, rng: standardized(brighter(x, rng)))
