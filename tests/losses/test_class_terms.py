"""The terms in one pass agree with a softmax, and their gradient is taken once."""

import numpy as np
import pytest

import keras_trainfix as kt
from keras_trainfix.losses.class_terms import class_terms
from tests.losses.cases import CLOSE, softmax
from tests.losses.reference import BACKEND, array, tensor


@pytest.fixture
def batch(rng):
    """Logits, ids, where they are valid, and weights, of 2 images of 2 x 3 pixels."""
    logits = rng.normal(size=(2, 2, 3, 4)).astype("float32")
    valid = rng.random((2, 2, 3)) < 0.7
    weights = np.where(valid, rng.random((2, 2, 3)), 0).astype("float32")
    return logits, rng.integers(0, 4, (2, 2, 3)).astype("int32"), valid, weights


def terms(batch, **options):
    return class_terms(*map(tensor, batch), **options)


def test_agrees_with_a_softmax(batch):
    logits, ids, valid, weights = batch
    p, one_hot = softmax(logits), np.eye(4)[ids]
    found = terms(batch)
    expected = np.where(valid, -np.log(np.sum(p * one_hot, -1)), 0)
    np.testing.assert_allclose(array(found["crossentropy"]), expected, **CLOSE)
    overlap, predicted = map(array, found["region"])
    weights = weights[..., None]
    np.testing.assert_allclose(overlap, (weights * p * one_hot).sum((1, 2)), **CLOSE)
    np.testing.assert_allclose(predicted, (weights * p).sum((1, 2)), **CLOSE)


def test_only_the_needed_terms_are_computed(batch):
    both = terms(batch)
    crossentropy = terms(batch, needed=("crossentropy",))
    region = terms(batch, needed=("region",))
    assert (list(crossentropy), list(region)) == (["crossentropy"], ["region"])
    expected = array(both["crossentropy"])
    np.testing.assert_allclose(array(crossentropy["crossentropy"]), expected, **CLOSE)
    for found, wanted in zip(region["region"], both["region"], strict=True):
        np.testing.assert_allclose(array(found), array(wanted), **CLOSE)


def test_nan_matters_only_where_a_pixel_is_valid(batch):
    logits, ids, valid, weights = batch
    expected = terms(batch)
    logits = np.where(valid[..., None], logits, np.nan)
    found = terms((logits, ids, valid, weights))
    for one, other in zip(
        [found["crossentropy"], *found["region"]],
        [expected["crossentropy"], *expected["region"]],
        strict=True,
    ):
        np.testing.assert_allclose(array(one), array(other), **CLOSE)
    logits[tuple(np.argwhere(valid)[0])] = np.nan
    found = terms((logits, ids, valid, weights))
    assert np.isnan(array(found["crossentropy"])).sum() == 1
    assert all(np.isnan(array(part)).any() for part in found["region"])


def test_a_second_derivative_is_right_or_refused(rng):
    labels = rng.integers(0, 3, (1, 1, 2))
    logits = rng.normal(size=(1, 1, 2, 3)).astype("float32")

    def compute(z):
        return kt.masked_crossentropy(labels, z, from_logits=True)

    if BACKEND == "jax":
        import jax

        def slope(z):
            return jax.numpy.sum(jax.grad(compute)(z) ** 2)

        def reference(z):
            p = jax.nn.softmax(z) - jax.nn.one_hot(labels, 3)
            return jax.numpy.sum((p / 2) ** 2)

        got, expected = jax.grad(slope)(logits), jax.grad(reference)(logits)
        np.testing.assert_allclose(array(got), array(expected), atol=1e-6)
    elif BACKEND == "tensorflow":
        import tensorflow as tf

        z = tf.constant(logits)
        with tf.GradientTape() as outer:
            outer.watch(z)
            with tf.GradientTape() as inner:
                inner.watch(z)
                loss = compute(z)
            slope = tf.reduce_sum(inner.gradient(loss, z) ** 2)
        with pytest.raises(NotImplementedError, match="differentiated once"):
            outer.gradient(slope, z)
    else:
        import torch

        z = torch.tensor(logits, requires_grad=True)
        (gradient,) = torch.autograd.grad(compute(z), z, create_graph=True)
        with pytest.raises(NotImplementedError, match="differentiated once"):
            (gradient**2).sum().backward()
