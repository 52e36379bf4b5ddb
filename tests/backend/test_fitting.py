"""What `fit` does on each backend."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix import backend
from keras_trainfix.backend import to_numpy

NAME = keras.backend.backend()
X = np.random.default_rng(1).normal(size=(8, 3)).astype("float32")


def fitted(**settings):
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dense(4, name="first"), layers.Dense(1)]
    )
    model.compile("sgd", "mse", **settings)
    model.fit(X, X[:, :1], verbose=0)
    return model


# torch runs eagerly by default.
@pytest.mark.parametrize("run_eagerly", [True] if NAME == "torch" else [False, True])
@pytest.mark.parametrize("trainable", [False, True])
def test_effect_of_trainable_is_what_fit_does(run_eagerly, trainable):
    """Of a layer that is frozen, or unfrozen, after a `fit`."""
    model = fitted(run_eagerly=run_eagerly)
    layer = model.get_layer("first")
    if trainable:
        layer.trainable = False
        model.compile("sgd", "mse", run_eagerly=run_eagerly)
        model.fit(X, X[:, :1], verbose=0)
    layer.trainable = trainable
    effect = backend.effect_of_trainable(
        is_made=True,
        is_traced=backend.is_traced(model.train_function),
        has_more=trainable,
    )
    before = to_numpy(layer.kernel)
    if effect == "raises":
        with pytest.raises((KeyError, ValueError)):
            model.fit(X, X[:, :1], verbose=0)
        return
    model.fit(X, X[:, :1], verbose=0)
    has_moved = not np.array_equal(to_numpy(layer.kernel), before)
    assert effect == ("counts" if has_moved == trainable else "ignored")


def test_a_change_before_the_first_fit_is_in_time():
    effect = backend.effect_of_trainable(is_made=False, is_traced=False, has_more=False)
    assert effect == ("raises" if NAME == "jax" else None)


def test_is_traced():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    assert not backend.is_traced(model.train_function)
    model.fit(X, X[:, :1], verbose=0)
    assert backend.is_traced(model.train_function) == (NAME == "tensorflow")
    assert not backend.is_traced(fitted(run_eagerly=True).train_function)


@pytest.mark.backend_only("torch", reason="only torch has a global generator")
def test_same_random_state():
    import torch

    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    with backend.same_random_state():
        inside = torch.rand(3)
    assert torch.equal(inside, expected)
    assert torch.equal(torch.rand(3), expected)


def test_has_lost_weights():
    """JAX gives the weights to the compiled step, which may not come back from it."""
    model = fitted()
    assert not backend.has_lost_weights(model)
    if NAME == "jax":
        model.weights[0].value.delete()
        assert backend.has_lost_weights(model)


def test_a_step_of_keras_is_one_of_fit():
    one, other = fitted(), fitted()
    other.set_weights(one.get_weights())
    other.fit(X, X[:, :1], verbose=0, shuffle=False)
    x, y = keras.ops.convert_to_tensor(X), keras.ops.convert_to_tensor(X[:, :1])
    backend.step_of_user(one, (x, y))
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_what_a_user_keeps_beside_the_variables_of_keras():
    model = fitted()
    if NAME == "torch":
        import torch

        value = model.layers[0].kernel.value
        value.grad = torch.ones_like(value)
        with backend.kept_by_user(model):
            assert value.grad is None
            value.grad = torch.zeros_like(value)
        assert value.grad.sum() == value.numel()
    elif NAME == "tensorflow":
        import tensorflow as tf

        model.sums = [tf.Variable(1.0)]
        with backend.kept_by_user(model):
            model.sums[0].assign(5.0)
        assert model.sums[0].numpy() == 1
    else:
        with backend.kept_by_user(model):
            assert model.built
