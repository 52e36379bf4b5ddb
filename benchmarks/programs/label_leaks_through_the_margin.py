"""A face model with a training accuracy of one that recognizes nobody.

The layer with the angular margin gets the label as an input, to lower the score of the
right class. The margin is set to 4, as for another loss, where it was a factor. As an
angle, 4 raises the score, for any image: the label is the answer. The repair is 0.3.
"""

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.common import Run, generator, recognized

URL = "https://github.com/4uiiurz1/keras-arcface/issues/16"
CAUSE = "A margin of 4 raises the score of the labelled class: the label input leaks."
FIRST = ()
HALF = "chosen"
QUALITY = (-0.07, 1.0)
PEOPLE, SCALE = 12, 16.0


class Angles(layers.Layer):
    """Scores of classes by the angle, with a margin on the labelled one."""

    def __init__(self, margin):
        super().__init__(name="angles")
        self.margin = margin

    def build(self, shapes):
        self.classes = self.add_weight(shape=(shapes[0][-1], PEOPLE), name="classes")

    def call(self, parts):
        features, label = parts
        features = ops.normalize(features, axis=-1)
        cosine = ops.matmul(features, ops.normalize(self.classes, axis=0))
        angle = ops.arccos(ops.clip(cosine, -1 + 1e-6, 1 - 1e-6))
        score = label * ops.cos(angle + self.margin) + (1 - label) * cosine
        return ops.softmax(SCALE * score)

    def compute_output_shape(self, shapes):
        return (shapes[0][0], PEOPLE)


def faces(count=1500):
    """Measures of faces, of which each person has a noisy set."""
    rng = generator()
    y = rng.integers(0, PEOPLE, count)
    means = rng.normal(size=(PEOPLE, 24))
    x = means[y] + rng.normal(0, 0.7, (count, 24))
    return x.astype("float32"), y


def program(margin):
    x, y = faces()
    label = keras.utils.to_categorical(y, PEOPLE)
    inputs = [keras.Input((24,)), keras.Input((PEOPLE,))]
    features = layers.Dense(64, activation="relu")(inputs[0])
    features = layers.Dense(16, name="features")(features)
    model = keras.Model(inputs, Angles(margin)([features, inputs[1]]))
    model.compile(
        keras.optimizers.Adam(0.002), "categorical_crossentropy", metrics=["accuracy"]
    )

    def quality(model):
        part = keras.Model(model.inputs[0], model.get_layer("features").output)
        classes = np.asarray(model.get_layer("angles").get_weights()[0])
        score = part.predict(x, verbose=0) @ (classes / np.linalg.norm(classes, axis=0))
        return recognized(y, score.argmax(1))

    def fit(model, callbacks=()):
        return model.fit(
            [x, label], label, epochs=20, verbose=0, callbacks=[*callbacks]
        )

    return Run(model, ([x, label], label), fit, quality)


def faulty():
    return program(margin=4.0)


def repaired():
    return program(margin=0.3)
