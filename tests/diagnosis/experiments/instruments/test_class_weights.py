"""How weights follow the counts of classes."""

import numpy as np
import pytest

from keras_trainfix.diagnosis.experiments.instruments.class_weights import (
    class_weights,
    weights_by_class,
)
from tests.diagnosis.nets import inputs, net, view

IDS = np.repeat([0, 1, 2], [60, 30, 10])
COUNTS = np.bincount(IDS)


@pytest.mark.parametrize("power", [-1, 0, 0.5, 1, 2])
def test_the_exponent_of_the_counts(power):
    seen = weights_by_class(IDS, (COUNTS.astype(float) ** power)[IDS])
    assert seen.slope == pytest.approx(power)
    assert seen.correlation == pytest.approx(np.sign(power))
    assert sum(seen.weighted_shares) == pytest.approx(1)


def test_balanced_weights_give_each_class_the_same():
    seen = weights_by_class(IDS, np.ones(100))
    weights = np.array([seen.balanced[k] for k in range(3)])
    np.testing.assert_allclose(weights * COUNTS, 100 / 3, rtol=1e-3)


def test_weights_of_samples_are_no_weights_of_classes():
    rng = np.random.default_rng(0)
    by_class = COUNTS.astype(float)[IDS]
    assert weights_by_class(IDS, by_class * rng.uniform(0.9, 1.1, 100)) is not None
    assert weights_by_class(IDS, by_class * np.exp(rng.normal(size=100))) is None


def test_labels_without_weight_do_not_count():
    weights = np.where(IDS == 2, 0.0, 1.0)
    assert weights_by_class(IDS, weights).classes == [0, 1]
    assert weights_by_class(IDS, np.where(IDS == 0, 1.0, 0.0)) is None


def test_each_output_has_its_answer():
    y = IDS[:, None] == 0
    model = net(1, "sigmoid", "binary_crossentropy")
    assert class_weights(view(model, inputs(100), y).snapshot) is None
    one = view(model, inputs(100), y, class_weight={0: 1.0, 1: 3.0})
    assert class_weights(one.snapshot)[0].weights == pytest.approx([1, 3])
