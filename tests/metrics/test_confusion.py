"""Counts are those of a loop over pixels, for any size of batch, with any weights."""

import functools

import numpy as np
import pytest
from hypothesis import given

import keras_trainfix as kt
from keras_trainfix.backend import to_numpy
from keras_trainfix.metrics import confusion
from tests.metrics import reference
from tests.metrics.helpers import (
    BIAS,
    KERNEL,
    RNG,
    compiled,
    compiled_net,
    counted,
    net,
    tensor,
)
from tests.metrics.reference import Case, cases


def test_lists_of_python_numbers():
    matrix = kt.confusion_matrix([0, 1, 1, 255], [0, 1, 0, 1], num_classes=2)
    assert to_numpy(matrix).tolist() == [[1, 0], [1, 1]]
    matrix = kt.confusion_matrix([0, 1], [0.03, 0.97], num_classes=2)
    assert to_numpy(matrix).tolist() == [[1, 0], [0, 1]]


def test_a_batch_without_a_sample_counts_nothing():
    metric = kt.MeanIoU(3)
    metric.update_state(np.zeros((0, 4), "int32"), np.zeros((0, 4, 3), "float32"))
    assert metric.confusion_matrix().sum() == 0


@functools.cache
def compiled_counting():
    """One trace for all examples, with and without weights."""
    return compiled(
        lambda y, z, w: (
            kt.confusion_matrix(y, z, 5, (255, 2)),
            kt.confusion_matrix(y, z, 5, (255, 2), sample_weight=w),
        )
    )


@given(case=cases(ignored=(255, 2)))
def test_compiled_code_counts_as_eager_code_does(case):
    weights = np.arange(24).reshape(2, 4, 3)
    arrays = case.labels, case.scores, weights.astype("float32")
    plain, weighted = compiled_counting()(*map(tensor, arrays))
    assert (to_numpy(plain) == case.matrix).all()
    expected = reference.confusion(case.labels, case.ids, 5, case.ignored, weights)
    assert (to_numpy(weighted) == expected).all()


def test_large_batches_are_counted_piece_by_piece(rng, monkeypatch):
    monkeypatch.setattr(confusion, "PIECE", 50)
    monkeypatch.setattr(confusion, "LARGE_PIECE", 90)
    monkeypatch.setattr(confusion, "COPIED_PIECE", 70)
    case = Case(rng, (3, 30, 4), 5, (255,), 0.3)
    first = np.moveaxis(case.scores, -1, 1)
    for convert in (np.asarray, tensor):
        scores = convert(case.scores)
        for labels in (*case.forms().values(), tensor(case.labels)):
            assert (counted(labels, scores, 5) == case.matrix).all()
        assert (counted(case.labels, convert(first), 5, axis=1) == case.matrix).all()


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float32"])
def test_whole_weights_are_counted_exactly(rng, dtype):
    case = Case(rng, (2, 4, 3), 5, (255,), 0.3)
    weights = rng.integers(0, 2 if dtype == "bool" else 200, (2, 4, 3)).astype(dtype)
    if dtype == "int64":
        weights *= 50_000
    metric = kt.ConfusionMatrix(5)
    metric.update_state(case.labels, case.scores, weights)
    expected = reference.confusion(case.labels, case.ids, 5, (255,), weights)
    assert (metric.confusion_matrix() == expected).all()
    assert metric.confusion_matrix().dtype == "int64"


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e5])
def test_weights_with_fractions_are_not_truncated(rng, scale):
    case = Case(rng, (2, 4, 3), 5, (255,), 0.3)
    weights = (rng.random((2, 4, 3)) ** 8 * scale).astype("float32")
    metric = kt.MeanIoU(5)
    metric.update_state(case.labels, case.scores, weights)
    matrix = reference.confusion(case.labels, case.ids, 5, (255,), weights)
    expected = matrix.astype(float)
    np.testing.assert_allclose(metric.confusion_matrix(), expected, rtol=1e-5)
    wanted = reference.scores(matrix)["mean_iou"]
    assert float(metric.result()) == pytest.approx(wanted, rel=1e-6)
    matrix = kt.confusion_matrix(case.labels, case.scores, 5, sample_weight=weights)
    np.testing.assert_allclose(to_numpy(matrix), expected, rtol=1e-5)


@pytest.mark.parametrize("shape", [(3,), (3, 1), (3, 1, 1), (3, 3), (3, 3, 3, 1)])
def test_weights_broadcast_from_the_left(rng, shape):
    case = Case(rng, (3, 3, 3), 4, (255,), 0.3)
    weights = rng.integers(0, 5, shape)
    whole = np.broadcast_to(weights.reshape((*shape, 1, 1)[:3]), (3, 3, 3))
    metric = kt.ConfusionMatrix(4)
    metric.update_state(case.labels, case.scores, weights)
    expected = reference.confusion(case.labels, case.ids, 4, (255,), whole)
    assert (metric.confusion_matrix() == expected).all()


def test_a_pixel_of_weight_0_is_void():
    metric = kt.MeanIoU(2)
    scores = np.array([[1.0, 0.0], [0.0, 1.0], [np.nan, np.nan]])
    metric.update_state(np.array([0, 1, 1]), scores, np.array([1.0, 1.0, 0.0]))
    assert float(metric.result()) == 1


@pytest.mark.backend_only("tensorflow", reason="only it traces unknown sizes")
def test_images_of_any_size_and_number():
    import tensorflow as tf

    metric = kt.MeanIoU(3)
    model = compiled_net(net(shape=(None, None)), metric, jit_compile=False)
    sizes = [(2, 4, 6), (1, 5, 3), (3, 1, 1)]
    batches = [
        (RNG.integers(-1, 2, (*size, 3)).astype("float32"), RNG.integers(0, 3, size))
        for size in sizes
    ]
    data = tf.data.Dataset.from_generator(
        lambda: iter(batches),
        output_signature=(
            tf.TensorSpec((None, None, None, 3), "float32"),
            tf.TensorSpec((None, None, None), "int64"),
        ),
    ).apply(tf.data.experimental.assert_cardinality(3))
    model.evaluate(data, verbose=0)
    expected = sum(
        reference.confusion(y, (x @ KERNEL + BIAS).argmax(-1), 3) for x, y in batches
    )
    np.testing.assert_array_equal(metric.confusion_matrix(), expected)
