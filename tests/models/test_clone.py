"""Copies of models, also of those that Keras cannot copy."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix.diagnosis.trial.attempt import new_weights
from keras_trainfix.models.clone import cloned, with_calls_changed


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


class Plain(layers.Layer):
    """Not registered, and with an `__init__` that takes its own argument only."""

    def __init__(self, width):
        super().__init__()
        self.dense = layers.Dense(width)

    def call(self, x):
        return self.dense(x)


class Bare(keras.Model):
    def __init__(self):
        super().__init__()
        self.plain = Plain(2)

    def call(self, x):
        return self.plain(x)


def sequential(*parts):
    return keras.Sequential([keras.Input((3,)), *parts])


def functional(*parts):
    inputs = keras.Input((3,))
    return keras.Model(inputs, sequential(*parts)(inputs))


scale = 2.5
OWN = {
    "layer": lambda: sequential(Plain(2)),
    "layer in a nested model": lambda: functional(layers.Dense(4), Plain(2)),
    "model": Bare,
    "model in a model": lambda: sequential(Bare(), layers.Dense(2)),
    "lambda": lambda: functional(layers.Lambda(lambda x: scale * x), layers.Dense(2)),
}


@pytest.mark.parametrize("name", OWN)
def test_classes_of_the_user_need_no_registration(name):
    model = OWN[name]()
    x = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    expected = keras.ops.convert_to_numpy(model(x))
    copy = cloned(model)
    copy.set_weights(model.get_weights())
    result = keras.ops.convert_to_numpy(copy(x))
    np.testing.assert_allclose(result, expected, rtol=1e-5)
    copy.set_weights([0 * w for w in copy.get_weights()])  # shares nothing
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(model(x)), expected)


def test_a_copy_without_the_weights_is_no_copy():
    class Late(keras.Model):
        def build(self, shape):
            self.dense = layers.Dense(2)

        def call(self, x):
            return self.dense(x)

    model = Late()
    model(np.zeros((1, 3)))
    with pytest.raises(ValueError, match="same shapes.*2 weights, and a copy with 0"):
        cloned(model)


def test_trainable_is_copied():
    model = sequential(Plain(2), layers.Dense(1))
    model.layers[0].trainable = False
    assert [layer.trainable for layer in cloned(model).layers] == [False, True]


def test_frozen_and_adapted_weights_are_not_drawn_again():
    normalization = layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0, 5.0, 6.0])
    frozen = layers.Dense(4, trainable=False)
    model = keras.Sequential(
        [keras.Input((3,)), normalization, frozen, layers.BatchNormalization()]
    )
    model.layers[-1].moving_mean.assign(np.full(4, np.nan))
    drawn = dict(zip([w.path for w in model.weights], new_weights(model), strict=True))
    for layer in (normalization, frozen):
        for weight in layer.weights:
            np.testing.assert_array_equal(drawn[weight.path], weight)
    assert not drawn[model.layers[-1].moving_mean.path].any()
    assert all(np.isfinite(values).all() for values in drawn.values())


@pytest.mark.parametrize("model", nets(), ids=["functional", "sequential"])
def test_another_call_of_a_layer(model):
    hidden = model.get_layer("hidden")
    other = with_calls_changed(model, [hidden], lambda f, x: 2 * f(x))
    x = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    expected = model.get_layer("last")(2 * hidden(x))
    np.testing.assert_allclose(
        other.predict(x, verbose=0), keras.ops.convert_to_numpy(expected), rtol=1e-5
    )
    assert other.get_layer("hidden") is hidden
