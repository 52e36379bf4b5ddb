"""Copies of models, also of those that Keras cannot copy."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix.diagnosis.trial.attempt import new_weights
from keras_trainfix.models.clone import cloned


def own(y_true, y_pred):
    return keras.ops.mean(keras.ops.abs(y_true - y_pred))


def nets():
    inputs = keras.Input((3,))
    hidden = layers.Dense(4, "relu", name="hidden")(inputs)
    functional = keras.Model(inputs, layers.Softmax(name="last")(hidden))
    sequential = keras.Sequential(
        [keras.Input((3,)), layers.Dense(4, name="hidden"), layers.ReLU(name="last")]
    )
    return [functional, sequential]


@pytest.mark.parametrize("model", nets(), ids=["functional", "sequential"])
def test_a_copy_of_a_model_with_a_loss_and_a_metric_of_the_user(model):
    model.compile("adam", own, metrics=[own])
    copy = cloned(model)
    assert not copy.compiled
    assert model.compiled
    assert np.any(copy.get_weights()[0] != model.get_weights()[0])
    assert len(new_weights(model)) == 2


@pytest.mark.parametrize("model", nets(), ids=["functional", "sequential"])
def test_a_layer_is_replaced(model):
    copy = cloned(model, {"last": layers.Activation("sigmoid", name="last")})
    copy.set_weights(model.get_weights())
    x = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    hidden = model.get_layer("hidden")(x)
    expected = keras.ops.convert_to_numpy(keras.ops.sigmoid(hidden))
    np.testing.assert_allclose(copy.predict(x, verbose=0), expected, rtol=1e-5)


def test_a_model_that_cannot_be_copied_stays_compiled():
    class Own(keras.Model):
        def __init__(self, units):
            super().__init__()
            self.dense = layers.Dense(units)

        def call(self, x):
            return self.dense(x)

    model = Own(2)
    model(np.zeros((1, 3)))
    model.compile("adam", "mse")
    assert new_weights(model) is None
    assert model.compiled
