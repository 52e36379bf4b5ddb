"""The arithmetic of each backend equals NumPy's in float64."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_trainfix import backend
from keras_trainfix.backend import to_numpy


def tensor(array, dtype=None):
    return ops.convert_to_tensor(np.asarray(array, dtype))


@pytest.fixture
def scores(rng):
    return rng.normal(0, 3, (2, 5, 4)).astype("float32")


@pytest.fixture
def ids(rng):
    return rng.integers(0, 4, (2, 5)).astype("int32")


def at(rows, ids):
    """The entry of each row at its id."""
    return np.take_along_axis(rows, ids[..., None], -1)[..., 0]


def test_maximum(rng):
    x, y = rng.random((2, 3, 4)).astype(backend.widest("float"))
    np.testing.assert_array_equal(
        to_numpy(backend.maximum(tensor(x), tensor(y))), np.maximum(x, y)
    )
    x, y = tensor([1.0, np.nan, -np.inf], "float32"), tensor([0.0], "float32")
    np.testing.assert_array_equal(to_numpy(backend.maximum(x, y)), [1, np.nan, 0])


@pytest.mark.parametrize("is_on_cpu", [True, False])
def test_product(rng, is_on_cpu, monkeypatch):
    monkeypatch.setattr(backend.arithmetic, "on_cpu", lambda tensor: is_on_cpu)
    x, y = (rng.normal(size=shape).astype("float32") for shape in [(3, 5), (5, 2)])
    result = to_numpy(backend.product(tensor(x), tensor(y)))
    np.testing.assert_allclose(result, x.astype("float64") @ y, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize("shift", [0, 300, -300], ids=["small", "huge", "tiny"])
def test_softmax(scores, ids, log, shift):
    """Also where exp overflows or underflows."""
    at_ids, exps, scale = map(
        to_numpy, backend.softmax(tensor(scores + np.float32(shift)), tensor(ids), log)
    )
    expected = np.exp(scores.astype("float64"))
    expected /= expected.sum(-1, keepdims=True)
    tolerance = {"rtol": 1e-4 if shift else 1e-5}  # the scores have fewer digits left
    shares = exps * np.broadcast_to(scale, ids.shape)[..., None]
    np.testing.assert_allclose(shares, expected, **tolerance)
    entry = at(expected, ids)
    np.testing.assert_allclose(at_ids, np.log(entry) if log else entry, **tolerance)


@pytest.mark.parametrize("log", [True, False])
def test_softmax_of_nan_is_nan_in_its_row_only(scores, ids, log):
    scores[0, 0, 1] = np.nan
    at_ids, exps, scale = map(
        to_numpy, backend.softmax(tensor(scores), tensor(ids), log)
    )
    scale = np.broadcast_to(scale, ids.shape)
    assert np.isfinite(exps).all()
    assert np.isnan(at_ids[0, 0])
    assert np.isnan(scale[0, 0])
    assert np.isfinite(at_ids[0, 1:]).all()
    assert np.isfinite(scale[1]).all()


def test_scaled_and_shifted(rng):
    shapes = [(6, 4), (6, 2, 3), (6, 2, 3)]
    slopes, weights, offsets = (rng.normal(size=s).astype("float32") for s in shapes)
    result = backend.scaled_and_shifted(*map(tensor, (slopes, weights, offsets)))
    expected = weights[..., None] * slopes[:, None, None, :] + offsets[..., None]
    np.testing.assert_allclose(to_numpy(result), expected, rtol=1e-5, atol=1e-6)


def test_at_class(scores, ids):
    result = to_numpy(backend.at_class(tensor(scores), tensor(ids)))
    np.testing.assert_array_equal(result, at(scores, ids))


def test_of_class(rng):
    values = rng.normal(size=(2, 4)).astype("float32")
    ids = rng.integers(0, 4, (2, 3, 5)).astype("int32")
    result = to_numpy(backend.of_class(tensor(values), tensor(ids)))
    np.testing.assert_array_equal(result, values[[[[0]], [[1]]], ids])


def test_add_at_class(scores, ids, rng):
    values = rng.normal(size=ids.shape).astype("float32")
    result = backend.add_at_class(*map(tensor, (scores.copy(), ids, values)))
    expected = scores.copy()
    for index in np.ndindex(ids.shape):
        expected[(*index, ids[index])] += values[index]
    np.testing.assert_allclose(to_numpy(result), expected, rtol=1e-6)


def test_sums_by_class(rng):
    """The last class occurs nowhere."""
    values = rng.normal(size=(2, 3, 50)).astype("float32")
    ids = rng.integers(0, 4, values.shape).astype("int32")
    result = to_numpy(backend.sums_by_class(tensor(values), tensor(ids), 5))
    expected = np.stack([np.where(ids == i, values, 0).sum(-1) for i in range(5)], -1)
    assert result.shape == (2, 3, 5)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("axis", [1, -1])
def test_arg_max(scores, axis):
    ids, is_nan = backend.arg_max(tensor(scores), axis)
    np.testing.assert_array_equal(to_numpy(ids), scores.argmax(axis))
    assert not to_numpy(is_nan).any()


def test_arg_max_of_nan():
    ids, is_nan = backend.arg_max(tensor([[np.nan, np.nan], [2, 1]], "float32"), -1)
    assert to_numpy(is_nan).tolist() == [True, False]
    assert to_numpy(ids)[1] == 0


def test_count_ids(rng):
    ids = rng.integers(0, 6, (7, 11)).astype("int32")
    result = to_numpy(backend.count_ids(tensor(ids), 8))
    np.testing.assert_array_equal(result, np.bincount(ids.ravel(), minlength=8))
    assert result.dtype.kind == "i"


@pytest.mark.parametrize(
    "function",
    [
        lambda x, ids: backend.softmax(x, ids),
        lambda x, ids: backend.at_class(x, ids),
        lambda x, ids: backend.arg_max(x, -1),
        lambda x, ids: backend.count_ids(ids, 4),
    ],
    ids=["softmax", "at_class", "arg_max", "count_ids"],
)
def test_shapes_are_known_before_the_values(function, scores, ids):
    """As Keras asks where a model is built."""

    class Own(keras.layers.Layer):
        def call(self, inputs):
            return function(*inputs)

    symbols = [keras.Input(scores.shape[1:]), keras.Input(ids.shape[1:], dtype="int32")]
    outputs = keras.tree.flatten(Own()(symbols))
    results = keras.tree.flatten(function(tensor(scores), tensor(ids)))
    for output, result in zip(outputs, results, strict=True):
        assert output.shape[1:] == tuple(result.shape)[1:]
