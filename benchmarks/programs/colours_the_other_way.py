"""A classifier of lights that is right in training and wrong on the camera's pictures.

The pictures for training were read as red, green and blue. Those for validation are
read by another library, which gives blue first, so red lights look blue. The repair is
to turn the channels round.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://github.com/rodrigo2019/keras_yolo2/issues/19"
CAUSE = "The pictures of validation have the channels in the opposite order."
FIRST = ("KTF141",)
HALF = "held out"
QUALITY = (0.0, 1.0)


def lights(count, size=16):
    """Pictures of a red, a green or a blue light at night, and which it is."""
    rng = generator()
    grid = np.arange(size)
    y = rng.integers(0, 3, count)
    row, column = rng.uniform(3, size - 3, (2, count, 1, 1))
    far = (grid[:, None] - row) ** 2 + (grid - column) ** 2
    shine = np.exp(-far / rng.uniform(3, 8, (count, 1, 1)))[..., None]
    x = 0.15 + 0.6 * shine * np.eye(3)[y][:, None, None]
    x += 0.2 * shine + rng.normal(0, 0.08, x.shape)
    return x.clip(0, 1).astype("float32"), y


def read_by_camera(x):
    """What the other library gives: blue, green, red."""
    return x[..., ::-1].copy()


def program(prepare):
    x, y = lights(500)
    new_x, new_y = lights(200)
    new_x = prepare(read_by_camera(new_x))
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 3, activation="relu"),
            layers.GlobalMaxPooling2D(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(0.005),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )

    def quality(model):
        return recognized(new_y, answers(model, new_x).argmax(1))

    return arrays(
        model,
        x,
        y,
        quality,
        validation_data=(new_x, new_y),
        epochs=15,
        batch_size=32,
    )


def faulty():
    return program(lambda x: x)


def repaired():
    return program(lambda x: x[..., ::-1].copy())
