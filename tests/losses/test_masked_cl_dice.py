"""clDice: center lines, what void is, classes without a skeleton, settings."""

import numpy as np
import pytest

from keras_trainfix import MaskedClDice, MaskedSoftDice, masked_cl_dice
from tests.losses.cases import both, message, value_of

SIZE = 24


def vessels(widths=(5, 1)):
    """Labels of horizontal bars, one in each half of the image."""
    labels = np.zeros((1, SIZE, SIZE), int)
    for index, width in enumerate(widths):
        start = 4 + 12 * index
        labels[0, start : start + width] = 1
    return labels


def probabilities(labels):
    return labels[..., None].astype("float32")


def test_a_gap_costs_the_same_in_a_thin_and_in_a_thick_vessel():
    labels = vessels()
    values = {}
    for kind in (MaskedClDice, MaskedSoftDice):
        for name, rows in (("thick", slice(4, 9)), ("thin", slice(16, 17))):
            broken = probabilities(labels)
            broken[0, rows, 10:14] = 0
            values[kind, name] = value_of(labels, broken, kind())
    ratio = values[MaskedClDice, "thick"] / values[MaskedClDice, "thin"]
    assert 0.7 < ratio < 1.4
    assert values[MaskedSoftDice, "thick"] > 4 * values[MaskedSoftDice, "thin"]


def test_the_width_costs_nothing():
    labels, wider = vessels((3, 1)), vessels((5, 3))
    wider = np.roll(wider, -1, axis=1)  # the same centers
    assert value_of(labels, probabilities(wider), MaskedClDice(smooth=0.0)) == 0


def test_void_neither_ends_a_vessel_nor_continues_it():
    labels = vessels()
    found = probabilities(labels)
    found[0, 16, 3:6] = 0
    expected = both(labels, found, MaskedClDice())
    framed = np.full((1, SIZE + 5, SIZE + 3), 255)
    framed[:, 2:-3, 1:-2] = labels
    under = np.full((*framed.shape, 1), np.nan, "float32")
    under[:, 2:-3, 1:-2] = found
    value, gradient = both(framed, under, MaskedClDice())
    np.testing.assert_allclose(value, expected[0], rtol=1e-6)
    np.testing.assert_allclose(gradient[:, 2:-3, 1:-2], expected[1], atol=1e-7)
    gradient[:, 2:-3, 1:-2] = 0
    assert not gradient.any()


@pytest.mark.parametrize("smooth", [0.0, 1.0])
def test_a_constant_prediction_learns(smooth):
    loss = MaskedClDice(from_logits=True, smooth=smooth)
    logits = np.zeros((1, SIZE, SIZE, 1), "float32")
    value, gradient = both(vessels(), logits, loss)
    assert 0.1 < value < 1
    assert (gradient[0, 16] < 0).all()


@pytest.mark.parametrize("smooth", [0.0, 1.0])
@pytest.mark.parametrize("channels", [1, 3])
def test_an_empty_mask_has_a_gradient_against_its_false_positives(channels, smooth):
    loss = MaskedClDice(from_logits=True, smooth=smooth)
    logits = np.zeros((1, 4, 5, channels), "float32")
    value, gradient = both(np.zeros((1, 4, 5), int), logits, loss)
    np.testing.assert_allclose(value, 1 / 2 if channels == 1 else 1 / 3, rtol=1e-6)
    assert (gradient[..., -1] > 1e-3).all()


def test_a_structure_too_wide_for_the_iterations_has_no_say():
    labels = vessels((9,))
    nothing = np.zeros((1, SIZE, SIZE, 1), "float32")
    assert value_of(labels, nothing, MaskedClDice(iterations=3)) == 0
    assert value_of(labels, nothing, MaskedClDice(iterations=4)) > 0.9


def test_the_background_counts_if_asked():
    labels = vessels()
    rows = np.eye(2, dtype="float32")[np.roll(labels, 2, axis=1)]
    without = value_of(labels, rows, MaskedClDice(class_weight=[5, 1]))
    alone = value_of(labels, rows[..., 1:], MaskedClDice())
    np.testing.assert_allclose(without, alone, rtol=1e-6)
    options = {"include_background": True}
    first = MaskedClDice(class_weight=[1, 0], **options)
    second = MaskedClDice(class_weight=[0, 1], **options)
    mean = value_of(labels, rows, MaskedClDice(**options))
    parts = [value_of(labels, rows, loss) for loss in (first, second)]
    np.testing.assert_allclose(mean, np.mean(parts), rtol=1e-6)
    assert parts[0] != parts[1] == pytest.approx(without)


def test_of_a_volume():
    tube = np.zeros((1, 5, 6, 8), int)
    tube[0, 2, 3] = 1
    broken = probabilities(tube)
    broken[0, 2, 3, :2] = 0
    found = float(masked_cl_dice(tube, broken, smooth=0.0))
    np.testing.assert_allclose(found, 1 - 2 * 0.75 / 1.75, rtol=1e-6)


@pytest.mark.parametrize("iterations", [-1, 2.5, True, None])
def test_iterations_out_of_range(iterations):
    text = message(lambda: MaskedClDice(iterations=iterations))
    assert "integer, 0 or more" in text
    assert f"Received: iterations={iterations!r}." in text


@pytest.mark.parametrize("smooth", [-1, float("inf"), float("nan")])
def test_smoothing_out_of_range(smooth):
    text = message(lambda: MaskedClDice(smooth=smooth))
    assert f"must be 0 or more. Received: smooth={smooth}." in text


def test_an_unknown_scope():
    text = message(lambda: MaskedClDice(scope="pixel"))
    assert "Received: scope='pixel'." in text


def test_foreground_everywhere_has_no_center_lines():
    # The docstring warns of it: the loss is 0, and that of Dice is not.
    labels = vessels()
    everywhere = np.ones((1, SIZE, SIZE, 1), "float32")
    assert value_of(labels, everywhere, MaskedClDice()) == 0
    assert value_of(labels, everywhere, MaskedSoftDice()) > 0.5
