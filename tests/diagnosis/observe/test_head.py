"""The head of an output: its activation and its units."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.diagnosis.nets import inputs, net, view

X = inputs()
Y = (X[:, :1] > 0).astype("int32")
ROWS = np.eye(3)[Y[:, 0] * 2]


def conv_net(activation):
    return keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            layers.Conv2D(4, 3, padding="same", activation="relu"),
            layers.Conv2D(3, 1, activation=activation),
        ]
    )


def with_layer(layer, units=3):
    return keras.Sequential(
        [keras.Input((6,)), layers.Dense(units, name="last"), layer]
    )


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden, self.last = layers.Dense(4), layers.Dense(3, "tanh", name="last")

    def call(self, x):
        return self.last(self.hidden(x))


@pytest.mark.parametrize(
    ("model", "activation"),
    [
        (lambda: net(3, "softmax"), "softmax"),
        (lambda: net(3), "linear"),
        (lambda: net(3, "sigmoid"), "sigmoid"),
        (lambda: net(3, "relu"), "relu"),
        (lambda: with_layer(layers.Softmax()), "softmax"),
        (lambda: with_layer(layers.Activation("tanh")), "tanh"),
        (lambda: with_layer(layers.ReLU()), "relu"),
        (lambda: with_layer(layers.Dropout(0.5)), "linear"),
        (lambda: with_layer(layers.Reshape((3, 1))), "linear"),
        (Subclassed, "tanh"),
        (lambda: keras.Sequential([keras.Input((6,)), net(3, "softmax")]), "softmax"),
    ],
)
def test_the_activation_of_the_head(model, activation):
    assert view(model(), X).head.activation == activation


def test_heads_of_images_and_of_operations():
    x = np.ones((4, 8, 8, 2), "float32")
    head = view(conv_net("softmax"), x).head
    assert (head.activation, head.units) == ("softmax", 3)
    entry = keras.Input((6,))
    model = keras.Model(entry, keras.ops.softmax(layers.Dense(3)(entry)))
    assert view(model, X).head.activation == "unknown"
