"""Statistics of batches equal NumPy's, and observing changes nothing."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers
from keras.layers import BatchNormalization

from keras_trainfix import FrozenBatchNorm
from keras_trainfix.backend import to_numpy
from keras_trainfix.models.batch_statistics import (
    Statistics,
    call_on_batch,
    moments,
    observed,
    uses_batch_statistics,
)


def statistics_of(x):
    return Statistics(len(x), x.mean(0), x.var(0))


@given(
    sizes=st.lists(st.integers(1, 9), min_size=2, max_size=4),
    mean=st.sampled_from([0.0, 1e6]),
    seed=st.integers(0, 1000),
)
def test_merged_statistics_are_those_of_all_values(sizes, mean, seed):
    rng = np.random.default_rng(seed)
    parts = [rng.normal(mean, 2, (size, 3)) for size in sizes]
    merged = statistics_of(parts[0])
    for part in parts[1:]:
        merged = merged.merged(statistics_of(part))
    expected = statistics_of(np.concatenate(parts))
    assert merged.size == expected.size
    np.testing.assert_allclose(merged.mean, expected.mean, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(merged.variance, expected.variance, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("axis", [1, -1])
@pytest.mark.parametrize("is_masked", [False, True])
def test_moments(rng, axis, is_masked):
    x = rng.normal(1e4, 1, (6, 5, 4)).astype("float32")
    kept = np.ones(np.delete(x.shape, axis), bool)
    if is_masked:
        kept[2:, 1] = False
    size, mean, variance = moments(
        keras.ops.convert_to_tensor(x), axis, kept if is_masked else None
    )
    rows = np.moveaxis(x, axis, -1)[kept].astype("float64")
    assert float(size) == len(rows)
    np.testing.assert_allclose(to_numpy(mean), rows.mean(0), rtol=1e-6)
    np.testing.assert_allclose(to_numpy(variance), rows.var(0), rtol=1e-3)


def test_observed(rng):
    model = keras.Sequential(
        [
            keras.Input((4,)),
            BatchNormalization(name="first"),
            layers.Dropout(0.9),
            BatchNormalization(name="second"),
        ]
    )
    first, second = model.get_layer("first"), model.get_layer("second")
    x = rng.normal(3, 2, (16, 4)).astype("float32")
    before, plain = model.get_weights(), to_numpy(model(x))
    with observed([first, second], by_batch=[first]) as seen:
        output = to_numpy(model(x))
        model(x + 1)
    assert seen[id(first)].size == 32
    both = np.concatenate([x, x + 1])
    np.testing.assert_allclose(seen[id(first)].mean, both.mean(0), rtol=1e-5)
    np.testing.assert_allclose(seen[id(first)].variance, both.var(0), rtol=1e-4)
    # The first normalizes with the batch, the second with its moving statistics.
    expected = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3) / np.sqrt(1 + 1e-3)
    np.testing.assert_allclose(output, expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(to_numpy(model(x)), plain)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert type(first) is type(second) is BatchNormalization


def test_the_layers_come_back_after_an_error():
    layer = BatchNormalization()
    layer.build((None, 2))
    with pytest.raises(ZeroDivisionError), observed([layer], [layer]):
        raise ZeroDivisionError
    assert type(layer) is BatchNormalization


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (BatchNormalization(), True),
        (BatchNormalization(trainable=False), False),
        (FrozenBatchNorm(), False),
    ],
)
def test_uses_batch_statistics(layer, expected):
    assert uses_batch_statistics(layer) is expected


def test_call_on_batch_explains_its_errors():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    x = np.ones((3, 4), "float32")
    np.testing.assert_allclose(to_numpy(call_on_batch(model, x, 0)), to_numpy(model(x)))
    with pytest.raises(ValueError, match=r"must fit the model.*batch 7.*\(3, 2\)"):
        call_on_batch(model, x[:, :2], 7)
    x[0, 0] = np.inf
    with pytest.raises(ValueError, match=r"be finite.*1 value .*batch 7.*\(3, 4\)"):
        call_on_batch(model, x, 7)
