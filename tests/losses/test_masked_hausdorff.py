"""The Hausdorff loss: far errors cost more, and what its arguments may be."""

import numpy as np
import pytest

from keras_trainfix import MaskedHausdorff
from tests.losses.cases import both, message, value_of
from tests.losses.test_masked_boundary import disc


@pytest.mark.parametrize("alpha", [1.0, 2.0])
def test_the_loss_of_one_far_pixel(alpha):
    labels = disc()
    found = labels[..., None].astype("float32")
    found[0, 8, 15] = 1
    value = value_of(labels, found, MaskedHausdorff(alpha=alpha))
    expected = (3**alpha + 1) / labels.size  # to the disc, and to the next zero
    np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_the_distances_are_constants():
    labels = disc()
    found = np.where(labels, 0.9, 0.1).astype("float32")[..., None]
    _, gradient = both(labels, found, MaskedHausdorff(reduction="sum"))
    assert gradient[0, 8, 8, 0] == pytest.approx(-2 * 0.1 * 2 * 17, rel=1e-4)
    assert gradient[0, 8, 15, 0] == pytest.approx(2 * 0.1 * 2 * 9, rel=1e-4)


def test_a_missed_structure_costs_although_the_prediction_is_empty():
    labels = disc()
    value, gradient = both(
        labels,
        np.full((*labels.shape, 1), -2, "float32"),
        MaskedHausdorff(from_logits=True),
    )
    assert value > 0
    assert (gradient[labels == 1] < 0).all()


@pytest.mark.parametrize("alpha", [0, -1, float("inf"), float("nan")])
def test_an_exponent_out_of_range(alpha):
    text = message(lambda: MaskedHausdorff(alpha=alpha))
    assert f"`alpha` must be above 0. Received: alpha={alpha}." in text
