"""Sums are exact far beyond what float32 can hold."""

import numpy as np
import pytest

import keras_trainfix as kt
from keras_trainfix.backend import to_numpy
from keras_trainfix.metrics import exact
from tests.metrics import reference
from tests.metrics.helpers import compiled, tensor
from tests.metrics.reference import Case


@pytest.mark.parametrize("size", [2**24, 2**31, 2**40, 2**53 - 2**20])
def test_counts_stay_exact_up_to_2_to_the_53(rng, size):
    start = rng.integers(1, size, (3, 3))
    start[0, 0] = size
    metric = kt.ConfusionMatrix(3)
    metric.load_confusion_matrix(start)
    case = Case(rng, (4, 5), 3, (255,), 0.2)
    for _ in range(3):
        metric.update_state(case.labels, case.scores)
    expected = start + 3 * case.matrix
    assert (metric.confusion_matrix() == expected).all()
    assert (np.asarray(metric.result()) == expected).all()
    for other in (kt.MeanIoU(3), kt.DiceScore(3), kt.PixelAccuracy(3)):
        other.merge_state(metric)
        wanted = reference.scores(expected)[other.name]
        assert float(other.result()) == pytest.approx(wanted, rel=1e-6)


def test_the_union_may_pass_2_to_the_31_before_any_count_does():
    metric = kt.MeanIoU(2)
    metric.load_confusion_matrix([[1_500_000_000, 0], [700_000_000, 1]])
    expected = (1.5e9 / 2.2e9 + 1 / 700_000_001) / 2
    assert float(metric.result()) == pytest.approx(expected, rel=1e-6)


def test_many_updates_carry_over(rng):
    case = Case(rng, (2, 4, 3), 5, (255,), 0.3)
    metric = kt.MeanIoU(5)
    metric.update_state(case.labels, case.scores)
    for _ in range(40):  # doubles each time
        metric.merge_state([metric])
    assert (metric.confusion_matrix() == case.matrix * 2**40).all()


def test_the_sum_of_many_weights_is_that_of_float64(rng):
    size = 300_000
    weights = rng.random(size).astype("float32")
    labels, ids = rng.integers(0, 2, size), rng.integers(0, 2, size)
    metric = kt.ConfusionMatrix(2)
    metric.update_state(labels, ids, weights)
    expected = np.bincount(labels * 2 + ids, weights.astype("float64")).reshape(2, 2)
    np.testing.assert_allclose(metric.confusion_matrix(), expected, rtol=1e-7)


def test_limbs_of_several_devices_can_be_added_elementwise(rng):
    numbers = rng.integers(0, 2**53, (4, 3))
    limbs = sum(exact.from_numpy(row) for row in numbers)
    assert (exact.to_numpy(tensor(limbs)) == numbers.sum(0)).all()
    np.testing.assert_allclose(
        to_numpy(exact.rounded(tensor(limbs))), numbers.sum(0), rtol=2e-7
    )


def test_compiled_sums_keep_their_rounding_error():
    pair = tensor([0.0, 0.0])
    add = compiled(exact.add_to_pair)
    amounts = np.float32([1e8, 1.25, -1e8, 2**-20])
    for amount in amounts:
        pair = add(pair, tensor(amount))
    total = to_numpy(pair).astype("float64").sum()
    assert total == amounts.astype("float64").sum()
