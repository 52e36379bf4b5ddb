"""A network that is trained on for new classes and does not change at all.

All layers from a certain name on are to be trained, and those before it not. Keras
numbers the names, and in this model none has that number, so the loop freezes every
layer, the new head too. The repair is to count the layers from the end.
"""

import keras
from keras import layers

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://github.com/GantMan/nsfw_model/issues/33"
CAUSE = "No layer has the name from which on they are trained: all stay frozen."
FIRST = ("KTF303",)
HALF = "held out"
QUALITY = (0.0, 1.0)
SIDE, LAST, OLD, NEW = 12, "conv2d_56", 4, 3


def patterns(kinds, count=500):
    """Noisy images, each with a small pattern somewhere."""
    rng = generator()
    y = rng.integers(0, len(kinds), count)
    x = rng.normal(0, 0.3, (count, SIDE, SIDE))
    for image, kind in zip(x, y, strict=True):
        row, column = rng.integers(0, SIDE - 4, 2)
        image[row : row + 4, column : column + 4] += kinds[kind]
    return x[..., None].astype("float32"), y


def network():
    return keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 1)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.Conv2D(16, 3, activation="relu"),
            layers.GlobalMaxPooling2D(),
        ]
    )


def with_head(base, classes):
    model = keras.Sequential(
        [*base.layers, layers.Dense(classes, activation="softmax")]
    )
    model.build((None, SIDE, SIDE, 1))
    return model


def from_name_on(model):
    found = False
    for layer in model.layers:
        found = found or layer.name == LAST
        layer.trainable = found


def from_last_convolution_on(model):
    for index, layer in enumerate(model.layers):
        layer.trainable = index > 0


def program(freeze):
    rng = generator()
    kinds = rng.normal(0, 1, (OLD + NEW, 4, 4))
    base = network()
    old = with_head(base, OLD)
    old.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    old.fit(*patterns(kinds[:OLD]), epochs=5, verbose=0)
    model = with_head(base, NEW)
    freeze(model)
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    x, y = patterns(kinds[OLD:])

    def quality(model):
        return recognized(y, answers(model, x).argmax(1))

    return arrays(model, x, y, quality, epochs=20, batch_size=32)


def faulty():
    return program(from_name_on)


def repaired():
    return program(from_last_convolution_on)
