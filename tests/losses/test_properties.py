"""Properties that hold for every loss, whatever its formula."""

import math

import numpy as np
import pytest
from hypothesis import given
from keras import ops

from keras_trainfix import (
    MaskedClDice,
    MaskedCrossentropy,
    MaskedHausdorff,
    MaskedLovasz,
    MaskedSoftDice,
    MaskedTversky,
    WeightedSum,
)
from tests.losses.cases import (
    CLOSE,
    JUNK,
    LOSSES,
    MODES,
    OF_SHAPES,
    REGIONS,
    SHAPE,
    any_loss,
    both,
    every_loss,
    few_examples,
    logits_of,
    make,
    maps,
    random_batch,
    sigmoid,
    softmax,
    value_of,
)
from tests.losses.reference import TOLERANCE, array, tensor


def all_losses(**options):
    """The sum of all losses, to compile one function instead of many."""
    return WeightedSum([kind(**options) for kind in (*LOSSES, *OF_SHAPES)])


loss_and_mode = pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *((kind, "eager") for kind in (*LOSSES, *OF_SHAPES)),
        *((all_losses, mode) for mode in MODES if mode != "eager"),
    ],
)

# --- better and worse predictions ---


@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("kind", [*LOSSES, MaskedClDice, MaskedHausdorff])
@few_examples
@given(case=maps(voids=(0.0, 0.3, 0.7, 1.0)))
def test_a_perfect_prediction_gives_0_whatever_lies_under_void(kind, from_logits, case):
    labels, channels, valid, rng = case
    y_pred = logits_of(labels, channels, 50)
    y_pred = y_pred if from_logits else np.float32(y_pred > 0)
    y_pred[~valid] = rng.choice(JUNK, y_pred[~valid].shape)
    value, gradient = both(labels, y_pred, kind(from_logits=from_logits))
    assert 0 <= value <= 1e-6
    assert np.isfinite(gradient).all()
    assert not gradient[~valid].any()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (MaskedSoftDice, {"include_absent": True}),
        (MaskedSoftDice, {"include_absent": True, "smooth": 1.0}),
        (MaskedSoftDice, {"squared": True, "log_cosh": True}),
        (MaskedSoftDice, {"generalized": "square", "scope": "batch"}),
        (MaskedSoftDice, {"generalized": "uniform", "include_background": False}),
        (MaskedTversky, {"alpha": 0.9, "beta": 0.1, "gamma": 0.75}),
        (MaskedTversky, {"include_background": False, "smooth": 1.0}),
        (MaskedLovasz, {"include_absent": True, "scope": "batch"}),
        (MaskedCrossentropy, {"focal_gamma": 2.0, "top_k": 0.5}),
        (MaskedCrossentropy, {"focal_gamma": 0.5, "multi_label": True}),
    ],
)
@pytest.mark.parametrize("from_logits", [True, False])
def test_a_perfect_prediction_gives_0_under_all_settings(
    rng, kind, options, from_logits
):
    for present in ([0], [4], [0, 1, 3]):
        labels = rng.choice(present, SHAPE)
        y_pred = logits_of(labels, 5, 50)
        y_pred = y_pred if from_logits else np.float32(y_pred > 0)
        value, gradient = both(labels, y_pred, kind(from_logits=from_logits, **options))
        assert abs(value) <= 1e-6
        assert np.isfinite(gradient).all()


@pytest.mark.one_backend
@every_loss
@few_examples
@given(case=maps())
def test_one_wrong_pixel_costs(kind, case):
    labels, channels, valid, rng = case
    if not valid.any():
        return
    at = tuple(rng.choice(np.argwhere(valid)))
    loss = kind(from_logits=True)
    right = logits_of(labels, channels, 20)
    wrong = right.copy()
    wrong[at] = -right[at] if channels == 1 else np.roll(right[at], 1)
    assert value_of(labels, wrong, loss) > value_of(labels, right, loss) + 1e-3

    # It makes any prediction worse, or leaves it as it is if there are ties.
    other = rng.normal(size=right.shape).astype("float32")
    worse = other.copy()
    worse[at] -= np.sign(right[at]) * 2
    difference = value_of(labels, worse, loss) - value_of(labels, other, loss)
    assert difference > 0 if kind is not MaskedLovasz else difference >= -1e-6


@pytest.mark.one_backend
@every_loss
@few_examples
@given(case=maps())
def test_a_step_against_the_gradient_helps(kind, case):
    labels, channels, _, rng = case
    y_pred = rng.normal(size=(*SHAPE, channels)).astype("float32")
    loss = kind(from_logits=True)
    value, gradient = both(labels, y_pred, loss)
    if gradient.any():
        step = 1e-2 * gradient / np.abs(gradient).max()
        assert value_of(labels, y_pred - step, loss) < value


# --- changes that leave the value unchanged ---


@pytest.mark.one_backend
@every_loss
@few_examples
@given(case=maps())
def test_the_order_of_pixels_and_of_images_does_not_matter(kind, case):
    labels, channels, _, rng = case
    y_pred = rng.normal(size=(*SHAPE, channels)).astype("float32")
    loss = kind(from_logits=True)
    value, gradient = both(labels, y_pred, loss)

    def shuffled(values):
        flat = values.reshape(2, 12, *values.shape[3:])
        return flat[images][:, pixels].reshape(values.shape)

    images, pixels = rng.permutation(2), rng.permutation(12)
    found = both(shuffled(labels), shuffled(y_pred), loss)
    np.testing.assert_allclose(found[0], value, **CLOSE)
    np.testing.assert_allclose(found[1], shuffled(gradient), **CLOSE)


@any_loss
@few_examples
@given(case=maps())
def test_a_weight_of_0_is_void(kind, case):
    labels, channels, valid, rng = case
    y_pred = rng.normal(size=(*SHAPE, channels)).astype("float32")
    kept = rng.random(SHAPE) < 0.5
    loss = kind(from_logits=True)
    void = both(np.where(kept, labels, 255), y_pred, loss)
    y_pred[~kept] = rng.choice(JUNK, y_pred[~kept].shape)
    found = both(labels, y_pred, loss, kept.astype("float32"))
    np.testing.assert_allclose(found[0], void[0], **CLOSE)
    np.testing.assert_allclose(found[1], void[1], **CLOSE)
    assert not found[1][~(kept & valid)].any()


@any_loss
def test_sample_weights_matter_up_to_a_factor(rng, kind):
    labels, y_pred = random_batch(rng)
    loss = kind(from_logits=True)
    first, second = (
        value_of(labels[i : i + 1], y_pred[i : i + 1], loss) for i in (0, 1)
    )
    for weights in ([3, 1], [0.75, 0.25], [6000, 2000]):
        for shape in ((2,), (2, 1, 1)):
            sample_weight = np.reshape(np.float32(weights), shape)
            value, gradient = both(labels, y_pred, loss, sample_weight)
            np.testing.assert_allclose(value, 0.75 * first + 0.25 * second, **CLOSE)
    value, gradient = both(labels, y_pred, loss, np.float32([0, 1]))
    np.testing.assert_allclose(value, second, **CLOSE)
    assert not gradient[0].any()


@any_loss
def test_a_weight_under_void_does_not_count(rng, kind):
    labels, y_pred = random_batch(rng)
    labels[0] = 255
    loss = kind(from_logits=True)
    expected = value_of(labels, y_pred, loss)
    for weights in ([np.nan, 1], np.where(labels == 255, np.nan, 1)):
        value, gradient = both(labels, y_pred, loss, np.float32(weights))
        np.testing.assert_allclose(value, expected, **CLOSE)
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize("multi_label", [False, True])
@any_loss
@few_examples
@given(case=maps())
def test_logits_and_their_probabilities_give_the_same(kind, multi_label, case):
    labels, channels, _, rng = case
    logits = rng.normal(size=(*SHAPE, channels)).astype("float32")
    exclusive = channels > 1 and not multi_label
    activation = ops.softmax if exclusive else ops.sigmoid
    options = {"multi_label": multi_label}
    found = both(labels, logits, kind(from_logits=True, **options))
    expected = both(labels, logits, after(activation, kind(**options)))
    np.testing.assert_allclose(found[0], expected[0], **CLOSE)
    np.testing.assert_allclose(found[1], expected[1], **CLOSE)


def after(activation, loss):
    """`loss` of the activations of logits."""

    def of_logits(y_true, y_pred, sample_weight=None):
        return loss(y_true, activation(y_pred), sample_weight=sample_weight)

    return of_logits


@pytest.mark.parametrize("from_logits", [True, False])
@any_loss
@few_examples
@given(case=maps())
def test_one_hot_rows_equal_sparse_labels(kind, from_logits, case):
    labels, channels, valid, rng = case
    y_pred = rng.normal(size=(*SHAPE, channels)).astype("float32")
    if not from_logits:
        y_pred = sigmoid(y_pred) if channels == 1 else softmax(y_pred)
    rows = np.float32(np.arange(channels) == labels[..., None])
    if channels == 1:
        rows = np.where(valid, labels, 255).astype("float32")[..., None]
    loss = kind(from_logits=from_logits)
    found, expected = both(rows, y_pred, loss), both(labels, y_pred, loss)
    np.testing.assert_allclose(found[0], expected[0], **CLOSE)
    np.testing.assert_allclose(found[1], expected[1], **CLOSE)


@any_loss
@pytest.mark.parametrize("from_logits", [True, False])
def test_the_class_axis_may_come_first(rng, kind, from_logits):
    labels, y_pred = random_batch(rng)
    y_pred = softmax(y_pred)
    expected = both(labels, y_pred, kind(from_logits=from_logits))
    loss = kind(from_logits=from_logits, axis=1)
    value, gradient = both(labels, np.moveaxis(y_pred, -1, 1), loss)
    np.testing.assert_allclose(value, expected[0], **CLOSE)
    np.testing.assert_allclose(np.moveaxis(gradient, 1, -1), expected[1], **CLOSE)


# --- gradients that must exist ---


@pytest.mark.parametrize(("channels", "size"), [(1, 50), (5, 25)])
@loss_and_mode
def test_sure_predictions_have_a_finite_gradient(kind, channels, size, mode):
    labels = np.zeros(SHAPE, int)
    logits = logits_of(labels, channels, size)
    activation = ops.sigmoid if channels == 1 else ops.softmax
    for loss in (make(kind, from_logits=True), after(activation, kind())):
        value, gradient = both(labels, logits, loss, mode=mode)
        assert value <= 1e-6
        assert np.abs(gradient).max() <= 1e-6


@pytest.mark.parametrize("from_logits", [True, False])
@every_loss
def test_an_empty_mask_has_a_gradient_against_its_false_positives(kind, from_logits):
    y_pred = np.full((*SHAPE, 1), -2.0, "float32")
    y_pred[0, 1, 1] = y_pred[1, 2, 2] = 3.0
    y_pred = y_pred if from_logits else sigmoid(y_pred)
    _, gradient = both(np.zeros(SHAPE, int), y_pred, kind(from_logits=from_logits))
    assert (gradient >= 0).all()
    assert gradient[0, 1, 1, 0] > 1e-3
    assert gradient[1, 2, 2, 0] > 1e-3


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        *((kind, {}) for kind in REGIONS),
        (MaskedSoftDice, {"smooth": 1.0}),
        (MaskedSoftDice, {"generalized": "simple"}),
        (MaskedTversky, {"smooth": 1.0}),
    ],
)
def test_each_of_several_units_learns_its_empty_mask(kind, options):
    rows = np.zeros((*SHAPE, 2), "float32")
    rows[..., :2, 0] = 1  # the other unit has an empty mask
    loss = kind(from_logits=True, multi_label=True, **options)
    _, gradient = both(rows, np.zeros((*SHAPE, 2), "float32"), loss)
    assert (gradient[..., 1].sum(axis=(1, 2)) > 1e-3).all()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        *((kind, {}) for kind in LOSSES),
        *((kind, {"include_background": False}) for kind in REGIONS),
    ],
)
def test_a_background_image_teaches_the_background(rng, kind, options):
    _, y_pred = random_batch(rng)
    loss = kind(from_logits=True, **options)
    _, gradient = both(np.zeros(SHAPE, int), y_pred, loss)
    assert gradient[..., 0].sum() < -1e-3


# --- nothing valid, and values that are not finite ---


@pytest.mark.parametrize("channels", [1, 5])
@loss_and_mode
def test_without_a_valid_pixel_value_and_gradient_are_0(kind, channels, mode):
    y_pred = np.resize(np.float32(JUNK), (*SHAPE, channels))
    loss = make(kind, from_logits=True)
    value, gradient = both(np.full(SHAPE, 255), y_pred, loss, mode=mode)
    assert value == 0
    np.testing.assert_array_equal(gradient, 0)


@any_loss
def test_an_image_without_a_valid_pixel_is_left_out(rng, kind):
    labels, y_pred = random_batch(rng)
    loss = kind(from_logits=True)
    expected = both(labels[:1], y_pred[:1], loss)
    labels[1] = 255
    value, gradient = both(labels, y_pred, loss)
    np.testing.assert_allclose(value, expected[0], **CLOSE)
    np.testing.assert_allclose(gradient[:1], expected[1], **CLOSE)
    np.testing.assert_array_equal(gradient[1], 0)


@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("channels", [1, 5])
@any_loss
def test_nan_at_a_valid_pixel_is_not_hidden(rng, kind, channels, from_logits):
    y_pred = rng.random((*SHAPE, channels)).astype("float32")
    y_pred[1, 2, 2] = np.nan
    loss = kind(from_logits=from_logits)
    assert math.isnan(value_of(np.ones(SHAPE, int), y_pred, loss))


# --- precision ---


@pytest.mark.parametrize(
    ("dtype", "from_logits"), [("float16", False), ("bfloat16", True)]
)
@any_loss
def test_large_images_in_half_precision(rng, kind, from_logits, dtype):
    labels = rng.integers(0, 2, (1, 512, 512))
    y_pred = np.float32(rng.normal(size=(1, 512, 512, 2)))
    y_pred = y_pred if from_logits else softmax(y_pred)
    half = tensor(y_pred, dtype)
    loss = kind(from_logits=from_logits)
    value = loss(labels, half)
    rounded = array(ops.cast(half, "float32"))
    assert math.isfinite(float(value))
    np.testing.assert_allclose(float(value), float(loss(labels, rounded)), rtol=1e-6)


@pytest.mark.parametrize("shape", [(1024, 1024), (2**20,)])
def test_a_million_pixels_are_summed_precisely(shape):
    p, t = float(np.float32(0.3)), 0.25
    y_pred = np.full((1, *shape, 1), 0.3, "float32")
    labels = np.zeros((1, *shape), "uint8")
    labels.reshape(-1)[: 2**18] = 1
    expected = {
        MaskedCrossentropy(): -(t * math.log(p) + (1 - t) * math.log(1 - p)),
        MaskedSoftDice(): 1 - 2 * t * p / (t + p),
        MaskedTversky(alpha=1.0, beta=1.0): 1 - t * p / (t + p - t * p),
    }
    if len(shape) > 1:
        # No pixel of the mask is right before its error, 1 - p, is paid.
        expected[MaskedLovasz()] = 1 - p
    for loss, value in expected.items():
        found = float(loss(labels, y_pred))
        np.testing.assert_allclose(found, value, rtol=TOLERANCE["float32"])
