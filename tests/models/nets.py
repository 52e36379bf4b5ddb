"""Models with two batch normalization layers, `first` and `second`, to any depth."""

import keras
import numpy as np
from keras import layers
from keras.layers import BatchNormalization

from keras_trainfix.backend import to_numpy
from keras_trainfix.models.batch_norm_layers import all_layers


def sequential():
    return keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            layers.Conv2D(4, 3),
            BatchNormalization(name="first"),
            layers.ReLU(),
            layers.Dropout(0.5),
            layers.Conv2D(4, 3),
            BatchNormalization(name="second"),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )


def nested():
    backbone = keras.Sequential(
        [keras.Input((6, 6, 3)), layers.Conv2D(4, 3), BatchNormalization(name="first")],
        name="backbone",
    )
    inputs = keras.Input((6, 6, 3))
    # Released versions of Keras ignore this `training=False` in `fit`.
    x = backbone(inputs, training=False)
    x = BatchNormalization(name="second")(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(2)(x))


class Block(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.steps = [layers.Conv2D(4, 3), BatchNormalization(name="first")]

    def build(self, input_shape):
        for step in self.steps:
            step.build(input_shape)
            input_shape = step.compute_output_shape(input_shape)

    def call(self, inputs, training=None):
        return self.steps[1](self.steps[0](inputs), training=training)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.block = Block()
        self.heads = {"main": layers.Dense(2)}
        self.norm = BatchNormalization(name="second")

    def call(self, inputs, training=None):
        x = self.block(inputs, training=training)
        x = keras.ops.reshape(x, (-1, 64))
        return self.heads["main"](self.norm(x, training=training))


def subclassed():
    model = Subclassed()
    model(np.zeros((1, 6, 6, 3), "float32"))
    return model


def wrapped():
    return keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            layers.TimeDistributed(BatchNormalization(name="first")),
            layers.Flatten(),
            layers.Dense(4),
            BatchNormalization(name="second"),
            layers.Dense(2),
        ]
    )


def shared():
    inputs = keras.Input((6, 6, 3))
    norm = BatchNormalization(name="first")
    x = layers.Flatten()(layers.Add()([norm(inputs), norm(inputs * 2)]))
    x = BatchNormalization(name="second", axis=1)(x)
    return keras.Model(inputs, layers.Dense(2)(x))


def trained(build, x, y):
    model = build()
    model.compile(keras.optimizers.Adam(0.01), "mse")
    model.fit(x, y, batch_size=8, epochs=2, verbose=0)
    return model


def norms(model, kind=BatchNormalization):
    return [layer for layer in all_layers(model) if isinstance(layer, kind)]


def statistics(model):
    return [
        to_numpy(weight)
        for layer in norms(model)
        for weight in (layer.moving_mean, layer.moving_variance)
    ]


def affines(model):
    return [
        to_numpy(weight)
        for layer in norms(model)
        for weight in (layer.gamma, layer.beta)
    ]


def equal(before, after):
    return [bool((a == b).all()) for a, b in zip(before, after, strict=True)]
