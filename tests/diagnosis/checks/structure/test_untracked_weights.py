"""Weights that the model does not know of are an error that names their layers."""

import keras
from keras import layers

from tests.diagnosis.nets import inputs
from tests.diagnosis.single import run

X = inputs()


class Created(keras.Model):
    """A net that creates its hidden layer in each call, or once."""

    def __init__(self, in_call):
        super().__init__()
        self.hidden = None if in_call else layers.Dense(4)
        self.head = layers.Dense(1)

    def call(self, x):
        return self.head((self.hidden or layers.Dense(4, name="fresh"))(x))


def net(in_call):
    model = Created(in_call)
    model(X[:1])
    model.compile("adam", "mse")
    return model


def test_a_layer_that_each_call_creates():
    finding = run("KTF423", net(True), X, X[:, :1])
    assert finding.severity == "error"
    assert "'fresh' with 28 trainable numbers" in finding.message
    assert "created again in each call" in finding.message
    assert run("KTF423", net(False), X, X[:, :1]) is None
