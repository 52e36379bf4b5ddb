"""A recognizer of movements whose loss is NaN from the first batch on.

Its layers compute in half precision, to be faster. An own layer divides each step by
its norm plus 1e-8, which is zero in half precision, and steps without any movement have
the norm zero. The repair is a larger number.
"""

import keras
from keras import layers, ops

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://github.com/keras-team/keras/issues/11832"
CAUSE = "The own layer's 1e-8 is zero in float16: zero is divided by zero."
FIRST = ("KTF418", "KTF409", "KTF412")
HALF = "held out"
QUALITY = (0.0, 1.0)
STEPS, SENSORS, CLASSES = 20, 6, 4


class UnitLength(layers.Layer):
    """Divides each step by its norm, so that strong and weak movements are alike."""

    def __init__(self, least):
        super().__init__()
        self.least = least

    def call(self, x):
        norm = ops.sqrt(ops.sum(ops.square(x), axis=-1, keepdims=True))
        return x / (norm + self.least)


def movements(count=1200):
    """Readings of a wristband, with some steps at rest."""
    rng = generator()
    y = rng.integers(0, CLASSES, count)
    direction = rng.normal(size=(CLASSES, SENSORS))
    strength = rng.uniform(0.5, 2, (count, 1, 1))
    x = direction[y][:, None] + rng.normal(0, 0.8, (count, STEPS, SENSORS))
    rest = rng.uniform(size=(count, STEPS, 1)) < 0.2
    return (strength * x * ~rest).astype("float32"), y


def program(least):
    x, y = movements()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        inputs = keras.Input((STEPS, SENSORS))
        hidden = UnitLength(least)(inputs)
        hidden = layers.Dense(32, activation="relu")(hidden)
        hidden = layers.GlobalAveragePooling1D()(hidden)
        hidden = layers.Dense(32, activation="relu")(hidden)
        outputs = layers.Dense(CLASSES, activation="softmax", dtype="float32")(hidden)
        model = keras.Model(inputs, outputs)
        model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    finally:
        keras.config.set_dtype_policy("float32")

    def quality(model):
        return recognized(y, answers(model, x).argmax(1))

    return arrays(model, x, y, quality, epochs=15, batch_size=32)


def faulty():
    return program(least=1e-8)


def repaired():
    return program(least=1e-3)
