"""Gradients, and a training step that is the one of `fit`."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_trainfix import backend
from keras_trainfix.backend import to_numpy

NAME = keras.backend.backend()


@pytest.fixture
def x(rng):
    return rng.normal(size=(8, 3)).astype("float32")


def test_gradient(x):
    found = backend.gradient(lambda tensor: ops.sum(tensor**3), x)
    np.testing.assert_allclose(found, 3 * x**2, rtol=1e-5)


@pytest.mark.backend_only("torch", reason="the others record nothing by themselves")
def test_no_gradient():
    weight = keras.Variable([2.0])
    assert (weight.value * 1).requires_grad
    with backend.no_gradient():
        assert not (weight.value * 1).requires_grad


@pytest.fixture
def scaled():
    """The function `(scale * x**2, x)` with a gradient that is ten times too large."""

    def forward(x, scale):
        return (scale * x**2, x), (x, scale)

    def run_backward(kept, of_square, of_x):
        x, scale = kept
        return 10 * (2 * scale * x * of_square + of_x)

    return backend.custom_gradient(forward, run_backward)


def test_custom_gradient(scaled, x):
    scale = ops.convert_to_tensor(np.full(x.shape, 3, "float32"))

    def loss(tensor):
        square, same = scaled(tensor, scale)
        return ops.sum(square) + 5 * ops.sum(same)

    values = scaled(ops.convert_to_tensor(x), scale)
    np.testing.assert_allclose(to_numpy(values[0]), 3 * x**2, rtol=1e-6)
    np.testing.assert_array_equal(to_numpy(values[1]), x)
    found = backend.gradient(loss, x)
    np.testing.assert_allclose(found, 10 * (6 * x + 5), rtol=1e-5)


@pytest.mark.parametrize("with_first", [False, True])
def test_a_second_derivative_is_right_or_raises(scaled, x, with_first):
    """Alone, and in a sum with the function, as in a gradient penalty."""
    scale = ops.convert_to_tensor(np.full(x.shape, 3, "float32"))

    def both(tensor):
        first = ops.sum(scaled(tensor, scale)[0]) if with_first else 0.0
        return second(tensor) + first

    def second(tensor):
        if NAME == "jax":
            import jax

            return ops.sum(jax.grad(lambda x: ops.sum(scaled(x, scale)[0]))(tensor))
        if NAME == "tensorflow":
            import tensorflow as tf

            with tf.GradientTape() as tape:
                tape.watch(tensor)
                value = ops.sum(scaled(tensor, scale)[0])
            return ops.sum(tape.gradient(value, tensor))
        import torch

        value = ops.sum(scaled(tensor, scale)[0])
        return torch.autograd.grad(value, tensor, create_graph=True)[0].sum()

    if NAME == "jax":
        expected = 60 + 60 * x * with_first
        np.testing.assert_allclose(backend.gradient(both, x), expected, rtol=1e-5)
    else:
        with pytest.raises(
            NotImplementedError, match="differentiated once.*JAX backend"
        ):
            backend.gradient(both, x)


def net(**settings):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(4, "tanh"),
            layers.BatchNormalization(),
            layers.Dense(1, **settings),
        ]
    )
    model.compile(keras.optimizers.Adam(0.1), "mse")
    return model


@pytest.mark.parametrize("graph", [False, True])
def test_a_training_step_is_that_of_fit(x, graph):
    """With a sample weight, a regularizer, and moving statistics."""
    y, weight = x[:, :1], np.abs(x[:, 1])
    expected = net(kernel_regularizer="l2")
    losses = [expected.train_on_batch(x, y, sample_weight=weight) for _ in range(3)]
    model = net(kernel_regularizer="l2")
    optimizer = keras.optimizers.Adam(0.1)
    optimizer.build(model.trainable_variables)
    step = backend.training_step(model, optimizer, graph)
    batch = [ops.convert_to_tensor(array) for array in (x, y, weight)]
    first = float(to_numpy(step(*batch)[0]))
    for _ in range(2):
        _, gradients = step(*batch)
    np.testing.assert_allclose(first, losses[0], rtol=1e-5)
    for a, b in zip(expected.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    assert [tuple(g.shape) for g in gradients] == [
        tuple(v.shape) for v in model.trainable_variables
    ]
    assert int(to_numpy(optimizer.iterations)) == 3
    assert int(to_numpy(model.optimizer.iterations)) == 0


def test_a_loss_without_gradient_changes_nothing(x):
    model = net()
    model.compile("sgd", lambda y_true, y_pred: ops.mean(y_true))
    before = [to_numpy(v) for v in model.trainable_variables]
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.build(model.trainable_variables)
    batch = [ops.convert_to_tensor(array) for array in (x, x[:, :1])]
    _, gradients = backend.training_step(model, optimizer, False)(*batch, None)
    for gradient in gradients:
        assert gradient is None or not to_numpy(gradient).any()
    for a, b in zip(before, model.trainable_variables, strict=True):
        np.testing.assert_array_equal(a, to_numpy(b))


def test_a_gradient_of_0_is_told_from_none():
    one, two, three = (keras.Variable(np.zeros((2, 2))) for _ in range(3))

    def function():
        values = [variable * 1.0 for variable in (one, two)]  # Keras 3.6 detaches
        cut = keras.ops.stop_gradient(keras.ops.matmul(*values))
        return keras.ops.sum(keras.ops.relu(values[0]) * 0.0 + cut + three)

    assert backend.have_gradients(function, [one, two, three]) == [True, False, True]
