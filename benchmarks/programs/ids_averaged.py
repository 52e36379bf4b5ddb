"""A segmentation that finds the wrong things along every path and stream.

The masks hold the ids of classes and are made smaller like the images, by averaging.
Between ground (0) and rail (4) that gives a path (2), which is not there. The repair is
to take the nearest id instead of the mean.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://github.com/divamgupta/image-segmentation-keras/issues/11"
CAUSE = "Masks of ids were made smaller by averaging: ids of others appear."
FIRST = ("KTF151",)
HALF = "chosen"
QUALITY = (0.18, 0.83)
SIZE, FACTOR = 16, 4
COLOURS = np.array(
    [[5, 5, 4], [2, 7, 2], [8, 7, 5], [2, 3, 9], [1, 1, 1]],
)


def maps(count=200):
    """Air photos of ground with thin lines of four kinds, and the ids of the pixels."""
    rng = generator()
    wide = SIZE * FACTOR
    row, column = np.meshgrid(np.arange(wide), np.arange(wide), indexing="ij")
    masks = np.zeros((count, wide, wide))
    for mask in masks:
        for one in rng.permutation([1, 2, 3, 4]):
            angle = rng.uniform(0, np.pi)
            top, left = rng.uniform(0.2 * wide, 0.8 * wide, 2)
            far = np.cos(angle) * (row - top) + np.sin(angle) * (column - left)
            mask[np.abs(far) < 1.5] = one
    images = COLOURS[masks.astype(int)] / 10 + rng.normal(0, 0.1, (*masks.shape, 3))
    return images.astype("float32"), masks


def averaged(pictures):
    """Pictures made smaller, each pixel the mean of those it stands for."""
    blocks = (len(pictures), SIZE, FACTOR, SIZE, FACTOR, *pictures.shape[3:])
    return pictures.reshape(blocks).mean((2, 4))


def nearest(pictures):
    """Pictures made smaller, each pixel one of those it stands for."""
    return pictures[:, FACTOR // 2 :: FACTOR, FACTOR // 2 :: FACTOR]


def program(smaller):
    images, masks = maps()
    x = averaged(images)
    y = np.round(smaller(masks)).astype("int32").reshape(len(x), -1)
    truth = nearest(masks)
    model = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            layers.Conv2D(24, 3, padding="same", activation="relu"),
            layers.Conv2D(24, 3, padding="same", activation="relu"),
            layers.Conv2D(5, 1),
            layers.Reshape((SIZE * SIZE, 5)),
            layers.Softmax(),
        ]
    )
    model.compile(
        keras.optimizers.Adam(0.005),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )

    def quality(model):
        return recognized(truth, answers(model, x).argmax(-1))

    return arrays(model, x, y, quality, epochs=25, batch_size=16)


def faulty():
    return program(averaged)


def repaired():
    return program(nearest)
