"""What holds of the losses whatever their formula: what every user relies on."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from keras_trainfix import (
    MaskedCrossentropy,
    MaskedLovasz,
    MaskedSoftDice,
    MaskedTversky,
    WeightedSum,
    masked_crossentropy,
    masked_soft_dice,
    masked_tversky,
)
from tests.losses.reference import (
    BACKEND,
    COMPILED,
    TOLERANCE,
    array,
    tensor,
    value_and_gradient,
)

LOSSES = [MaskedCrossentropy, MaskedSoftDice, MaskedTversky, MaskedLovasz]
REGIONS = LOSSES[1:]
SHAPE = (2, 4, 3)  # one size for most tests, as compiling is what takes time
JUNK = [np.nan, np.inf, -np.inf, 1e30, -1e30, 7.0]
CLOSE = {"rtol": 1e-5, "atol": 1e-6}
MODES = ["eager", *COMPILED]
# JAX takes many times as long for an eager example.
EXAMPLES = settings().max_examples // (5 if BACKEND == "jax" else 2)


def both(y_true, y_pred, loss, sample_weight=None, mode="eager"):
    """The value as a float, and the gradient."""
    value, gradient = value_and_gradient(loss, y_true, y_pred, sample_weight, mode)
    return float(value), gradient


def softmax(logits):
    parts = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return (parts / parts.sum(axis=-1, keepdims=True)).astype("float32")


def sigmoid(logits):
    return (1 / (1 + np.exp(-logits))).astype("float32")


def logits_of(labels, channels, size):
    """Logits, `size` or `-size`, of an answer that is right everywhere."""
    if channels == 1:
        return np.where(labels == 1, size, -size)[..., None].astype("float32")
    here = np.arange(channels) == labels[..., None]
    return np.where(here, size, -size).astype("float32")


@st.composite
def maps(draw, voids=(0.0, 0.3, 0.7)):
    """Labels with void, the number of channels, where they are valid, and numbers."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    channels = draw(st.sampled_from([1, 5]))
    number = max(channels, 2)
    present = rng.permutation(number)[: draw(st.integers(1, number))]
    labels = rng.choice(present, SHAPE)
    valid = rng.random(SHAPE) >= draw(st.sampled_from(voids))
    return np.where(valid, labels, 255).astype("uint8"), channels, valid, rng


# --- the best and the worse ---


@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("kind", LOSSES)
@settings(max_examples=EXAMPLES)
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


@pytest.mark.parametrize("kind", LOSSES)
@settings(max_examples=EXAMPLES)
@given(case=maps())
def test_one_pixel_made_wrong_costs(kind, case):
    labels, channels, valid, rng = case
    if not valid.any():
        return
    at = tuple(rng.choice(np.argwhere(valid)))
    loss = kind(from_logits=True)
    right = logits_of(labels, channels, 20)
    wrong = right.copy()
    wrong[at] = -right[at] if channels == 1 else np.roll(right[at], 1)
    assert both(labels, wrong, loss)[0] > both(labels, right, loss)[0] + 1e-3

    # And of an answer of any quality, no less and, but for ties, more.
    some = rng.normal(size=right.shape).astype("float32")
    worse = some.copy()
    worse[at] -= np.sign(right[at]) * 2
    before, after = both(labels, some, loss)[0], both(labels, worse, loss)[0]
    assert after > before if kind is not MaskedLovasz else after >= before - 1e-6


@pytest.mark.parametrize("kind", LOSSES)
@settings(max_examples=EXAMPLES)
@given(case=maps())
def test_a_step_against_the_gradient_helps(kind, case):
    labels, channels, _, rng = case
    y_pred = rng.normal(size=(*SHAPE, channels)).astype("float32")
    loss = kind(from_logits=True)
    value, gradient = both(labels, y_pred, loss)
    if gradient.any():
        step = 1e-2 * gradient / np.abs(gradient).max()
        assert both(labels, y_pred - step, loss)[0] < value


# --- what leaves the value as it is ---


@pytest.mark.parametrize("kind", LOSSES)
@settings(max_examples=EXAMPLES)
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


@settings(max_examples=EXAMPLES)
@given(case=maps())
def test_the_parts_of_a_batch_weighted_by_their_valid_pixels(case):
    labels, channels, valid, rng = case
    y_pred = rng.normal(size=(*SHAPE, channels)).astype("float32")
    loss = MaskedCrossentropy(from_logits=True)
    counts = valid.sum(axis=(1, 2))
    parts = [both(labels[i : i + 1], y_pred[i : i + 1], loss)[0] for i in (0, 1)]
    value = both(labels, y_pred, loss)[0]
    np.testing.assert_allclose(value, counts @ parts / max(counts.sum(), 1), **CLOSE)


@pytest.mark.parametrize("kind", LOSSES)
@settings(max_examples=EXAMPLES)
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


@pytest.mark.parametrize("kind", LOSSES)
def test_the_weights_of_samples_matter_up_to_a_factor(rng, kind):
    labels = rng.integers(0, 5, SHAPE)
    y_pred = rng.normal(size=(*SHAPE, 5)).astype("float32")
    loss = kind(from_logits=True)
    first, second = (
        both(labels[i : i + 1], y_pred[i : i + 1], loss)[0] for i in (0, 1)
    )
    for weights in ([3, 1], [0.75, 0.25], [6000, 2000]):
        for shape in ((2,), (2, 1, 1)):
            given_weights = np.reshape(np.float32(weights), shape)
            value, gradient = both(labels, y_pred, loss, given_weights)
            np.testing.assert_allclose(value, 0.75 * first + 0.25 * second, **CLOSE)
    value, gradient = both(labels, y_pred, loss, np.float32([0, 1]))
    np.testing.assert_allclose(value, second, **CLOSE)
    assert not gradient[0].any()


@pytest.mark.parametrize("kind", LOSSES)
def test_a_weight_under_void_does_not_count(rng, kind):
    labels = rng.integers(0, 5, SHAPE)
    labels[0] = 255
    y_pred = rng.normal(size=(*SHAPE, 5)).astype("float32")
    loss = kind(from_logits=True)
    expected = both(labels, y_pred, loss)[0]
    for weights in ([np.nan, 1], np.where(labels == 255, np.nan, 1)):
        value, gradient = both(labels, y_pred, loss, np.float32(weights))
        np.testing.assert_allclose(value, expected, **CLOSE)
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("kind", LOSSES)
@settings(max_examples=EXAMPLES)
@given(case=maps())
def test_logits_and_their_probabilities_give_the_same(kind, multi_label, case):
    labels, channels, _, rng = case
    logits = rng.normal(size=(*SHAPE, channels)).astype("float32")
    exclusive = channels > 1 and not multi_label
    activation = ops.softmax if exclusive else ops.sigmoid
    options = {"multi_label": multi_label}
    found = both(labels, logits, kind(from_logits=True, **options))
    loss = kind(from_logits=False, **options)

    def of_logits(y_true, y_pred, sample_weight=None):
        return loss(y_true, activation(y_pred), sample_weight=sample_weight)

    expected = both(labels, logits, of_logits)
    np.testing.assert_allclose(found[0], expected[0], **CLOSE)
    np.testing.assert_allclose(found[1], expected[1], **CLOSE)


@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("kind", LOSSES)
@settings(max_examples=EXAMPLES)
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


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("from_logits", [True, False])
def test_the_class_axis_may_come_first(rng, kind, from_logits):
    labels = rng.integers(0, 5, SHAPE)
    y_pred = softmax(rng.normal(size=(*SHAPE, 5)))
    expected = both(labels, y_pred, kind(from_logits=from_logits))
    loss = kind(from_logits=from_logits, axis=1)
    value, gradient = both(labels, np.moveaxis(y_pred, -1, 1), loss)
    np.testing.assert_allclose(value, expected[0], **CLOSE)
    np.testing.assert_allclose(np.moveaxis(gradient, 1, -1), expected[1], **CLOSE)


# --- one loss in terms of another ---


@pytest.mark.parametrize("scope", ["image", "batch"])
@pytest.mark.parametrize("smooth", [0.0, 1.0])
@settings(max_examples=EXAMPLES)
@given(case=maps())
def test_a_balanced_tversky_loss_is_dice(scope, smooth, case):
    labels, channels, _, rng = case
    y_pred = rng.normal(size=(*SHAPE, channels)).astype("float32")
    options = {"from_logits": True, "scope": scope}
    # Half of the denominator of Dice, and of its smoothing.
    tversky = both(labels, y_pred, MaskedTversky(smooth=smooth / 2, **options))
    dice = both(labels, y_pred, MaskedSoftDice(smooth=smooth, **options))
    np.testing.assert_allclose(tversky[0], dice[0], **CLOSE)
    np.testing.assert_allclose(tversky[1], dice[1], **CLOSE)


def test_tversky_of_weights_1_is_the_iou_of_hard_masks_and_so_is_lovasz(rng):
    labels = rng.integers(0, 5, SHAPE)
    found = rng.integers(0, 5, SHAPE)
    y_pred = np.eye(5, dtype="float32")[found]
    losses = []
    for label, answer in zip(labels, found, strict=True):
        parts = [(label == c, answer == c) for c in np.unique(label)]
        losses.append(np.mean([1 - (a & b).sum() / (a | b).sum() for a, b in parts]))
    for loss in (MaskedTversky(alpha=1.0, beta=1.0), MaskedLovasz()):
        value, _ = both(labels, y_pred, loss)
        np.testing.assert_allclose(value, np.mean(losses), **CLOSE)


@settings(max_examples=EXAMPLES)
@given(case=maps())
def test_log_cosh_is_of_the_loss_of_each_image(case):
    labels, channels, _, rng = case
    y_pred = rng.normal(size=(*SHAPE, channels)).astype("float32")
    options = {"from_logits": True, "reduction": "none"}
    plain = array(MaskedSoftDice(**options)(labels, y_pred))
    found = array(MaskedSoftDice(log_cosh=True, **options)(labels, y_pred))
    expected = np.log(np.cosh(plain.astype("float64")))
    np.testing.assert_allclose(found, expected, **CLOSE)


@settings(max_examples=EXAMPLES)
@given(case=maps(), gamma=st.sampled_from([0.5, 2.0]))
def test_focal_tversky_is_a_power_of_each_class(case, gamma):
    labels, channels, _, rng = case
    y_pred = rng.normal(size=(*SHAPE, channels)).astype("float32")
    options = {"from_logits": True, "reduction": "none"}
    for index in range(channels):
        class_weight = {c: float(c == index) for c in range(max(channels, 2))}
        class_weight = None if channels == 1 else class_weight
        plain, focal = (
            array(
                MaskedTversky(gamma=power, class_weight=class_weight, **options)(
                    labels, y_pred
                )
            )
            for power in (1.0, gamma)
        )
        np.testing.assert_allclose(focal, plain**gamma, **CLOSE)


@settings(max_examples=EXAMPLES)
@given(case=maps())
def test_the_weighted_sum_is_the_sum_of_its_losses(case):
    labels, channels, _, rng = case
    y_pred = rng.normal(size=(*SHAPE, channels)).astype("float32")
    weights = rng.random(SHAPE).astype("float32")
    losses = [kind(from_logits=True) for kind in LOSSES]
    parts = [both(labels, y_pred, loss, weights) for loss in losses]
    factors = [1.0, 0.5, 0.0, 2.0]
    value, gradient = both(labels, y_pred, WeightedSum(losses, factors), weights)
    for found, index in ((value, 0), (gradient, 1)):
        expected = sum(f * part[index] for f, part in zip(factors, parts, strict=True))
        np.testing.assert_allclose(found, expected, **CLOSE)


@pytest.mark.parametrize("top_k", [1.0, 24, 10**9])
def test_the_largest_of_all_pixels_are_all(rng, top_k):
    labels = rng.integers(0, 5, SHAPE)
    y_pred = rng.normal(size=(*SHAPE, 5)).astype("float32")
    expected = both(labels, y_pred, MaskedCrossentropy(from_logits=True))
    found = both(labels, y_pred, MaskedCrossentropy(from_logits=True, top_k=top_k))
    np.testing.assert_allclose(found[0], expected[0], **CLOSE)
    np.testing.assert_allclose(found[1], expected[1], **CLOSE)


@pytest.mark.parametrize("top_k", [0.1, 0.2, 0.3, 0.6, 0.7, 0.9])
def test_a_share_of_the_pixels_is_that_many(rng, top_k):
    y_pred = rng.normal(size=(1, 1000, 1)).astype("float32")
    loss = MaskedCrossentropy(from_logits=True, top_k=top_k)
    for number in (10, 50, 130, 1000):
        labels = np.where(np.arange(1000) < number, 0, 255)[None]
        _, gradient = both(labels, y_pred, loss)
        assert np.count_nonzero(gradient) == round(top_k * number)


@pytest.mark.parametrize("generalized", ["square", "simple", "uniform"])
def test_classes_left_out_do_not_change_the_smoothing(generalized):
    # Of the smallest class that counts, whatever the size of the background.
    y_pred = np.full((1, 12, 3), 1 / 3, "float32")
    for number in (1, 4):
        counts = [number, 4 - number, 4, 4]
        labels = np.repeat([0, 255, 1, 2], counts)[None]
        loss = MaskedSoftDice(
            include_background=False, generalized=generalized, smooth=1.0
        )
        value, _ = both(labels, y_pred, loss)
        hits, total = 2 * 4 / 3, 2 * (4 + (8 + number) / 3)
        np.testing.assert_allclose(value, 1 - (2 * hits + 1) / (total + 1), **CLOSE)


# --- the gradient is there where it is needed ---


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("gap", [60, 200])
def test_a_softmax_that_is_surely_wrong_can_learn(mode, gap):
    loss = MaskedCrossentropy()

    def of_logits(y_true, y_pred, sample_weight=None):
        return loss(y_true, ops.softmax(y_pred))

    logits = np.float32([[gap, 0.0, -1.0]])
    value, gradient = both(np.array([1]), logits, of_logits, mode=mode)
    assert math.isfinite(value)
    assert value > 55
    if gap < 87:  # beyond it float32 has rounded the probability to 0
        np.testing.assert_allclose(gradient[0], [1, -1, 0], atol=1e-4)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("gap", [100, 1000])
@pytest.mark.parametrize("focal_gamma", [0.0, 2.0])
def test_logits_that_are_surely_wrong_keep_their_gradient(mode, gap, focal_gamma):
    loss = MaskedCrossentropy(from_logits=True, focal_gamma=focal_gamma)
    logits = np.float32([[gap, 0.0]])
    value, gradient = both(np.array([1]), logits, loss, mode=mode)
    np.testing.assert_allclose(value, gap, rtol=1e-6)
    np.testing.assert_allclose(gradient, [[1, -1]], rtol=1e-6)
    value, gradient = both(np.array([0]), logits[:, :1], loss, mode=mode)
    np.testing.assert_allclose(value, gap, rtol=1e-6)
    np.testing.assert_allclose(gradient, [[1]], rtol=1e-6)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("channels", "size"), [(1, 50), (5, 25)])
@pytest.mark.parametrize("kind", LOSSES)
def test_sure_answers_have_a_finite_gradient(kind, channels, size, mode):
    labels = np.zeros(SHAPE, int)
    logits = logits_of(labels, channels, size)

    def of_probabilities(y_true, y_pred, sample_weight=None):
        activation = ops.sigmoid if channels == 1 else ops.softmax
        return kind()(y_true, activation(y_pred))

    for loss in (kind(from_logits=True), of_probabilities):
        value, gradient = both(labels, logits, loss, mode=mode)
        assert value <= 1e-6
        assert np.abs(gradient).max() <= 1e-6


@pytest.mark.parametrize("focal_gamma", [0.5, 1.0, 2.0])
def test_logits_that_are_surely_right_have_a_finite_gradient(focal_gamma):
    loss = MaskedCrossentropy(from_logits=True, focal_gamma=focal_gamma)
    for logits, labels in (([[100.0, 0.0]], [0]), ([[-100.0]], [0])):
        value, gradient = both(np.array(labels), np.float32(logits), loss)
        assert value <= 1e-6
        assert np.abs(gradient).max() <= 1e-6


@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("kind", LOSSES)
def test_an_empty_mask_has_a_gradient_against_its_false_positives(kind, from_logits):
    y_pred = np.full((*SHAPE, 1), -2.0, "float32")
    y_pred[0, 1, 1] = y_pred[1, 2, 2] = 3.0
    y_pred = y_pred if from_logits else sigmoid(y_pred)
    _, gradient = both(np.zeros(SHAPE, int), y_pred, kind(from_logits=from_logits))
    assert (gradient >= 0).all()
    assert gradient[0, 1, 1, 0] > 1e-3
    assert gradient[1, 2, 2, 0] > 1e-3


@pytest.mark.parametrize("kind", REGIONS)
@pytest.mark.parametrize("options", [{}, {"smooth": 1.0}, {"generalized": "simple"}])
def test_every_unit_of_several_learns_its_empty_mask(kind, options):
    if "generalized" in options and kind is not MaskedSoftDice:
        pytest.skip("of Dice only")
    if kind is MaskedLovasz and options:
        pytest.skip("it is not smoothed")
    rows = np.zeros((*SHAPE, 2), "float32")
    rows[..., :2, 0] = 1  # the other unit has an empty mask
    loss = kind(from_logits=True, multi_label=True, **options)
    _, gradient = both(rows, np.zeros((*SHAPE, 2), "float32"), loss)
    assert (gradient[..., 1].sum(axis=(1, 2)) > 1e-3).all()


@pytest.mark.parametrize("kind", LOSSES)
def test_a_background_image_teaches_the_background(rng, kind):
    y_pred = rng.normal(size=(*SHAPE, 5)).astype("float32")
    for options in ({}, {"include_background": False}):
        if options and kind is MaskedCrossentropy:
            continue
        loss = kind(from_logits=True, **options)
        _, gradient = both(np.zeros(SHAPE, int), y_pred, loss)
        assert gradient[..., 0].sum() < -1e-3


# --- nothing valid, and what is not finite ---


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("channels", [1, 5])
@pytest.mark.parametrize("kind", LOSSES)
def test_without_a_valid_pixel_value_and_gradient_are_0(kind, channels, mode):
    y_pred = np.resize(np.float32(JUNK), (*SHAPE, channels))
    loss = kind(from_logits=True)
    value, gradient = both(np.full(SHAPE, 255), y_pred, loss, mode=mode)
    assert value == 0
    np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize("kind", LOSSES)
def test_an_image_without_a_valid_pixel_is_left_out(rng, kind):
    labels = rng.integers(0, 5, SHAPE)
    y_pred = rng.normal(size=(*SHAPE, 5)).astype("float32")
    loss = kind(from_logits=True)
    expected = both(labels[:1], y_pred[:1], loss)
    labels[1] = 255
    value, gradient = both(labels, y_pred, loss)
    np.testing.assert_allclose(value, expected[0], **CLOSE)
    np.testing.assert_allclose(gradient[:1], expected[1], **CLOSE)
    np.testing.assert_array_equal(gradient[1], 0)


@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("channels", [1, 5])
@pytest.mark.parametrize("kind", LOSSES)
def test_nan_at_a_valid_pixel_is_not_hidden(rng, kind, channels, from_logits):
    y_pred = rng.random((*SHAPE, channels)).astype("float32")
    y_pred[1, 2, 2] = np.nan
    assert math.isnan(
        both(np.ones(SHAPE, int), y_pred, kind(from_logits=from_logits))[0]
    )


# --- precision ---


@pytest.mark.parametrize(
    ("dtype", "from_logits"), [("float16", False), ("bfloat16", True)]
)
@pytest.mark.parametrize("kind", LOSSES)
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
def test_a_million_pixels_are_added_up_exactly(shape):
    p = float(np.float32(0.3))
    y_pred = np.full((1, *shape, 1), 0.3, "float32")
    labels = np.zeros((1, *shape), "uint8")
    labels.reshape(-1)[: 2**18] = 1
    exact = {"rtol": TOLERANCE["float32"]}
    t = 0.25
    expected = -(t * math.log(p) + (1 - t) * math.log(1 - p))
    found = float(masked_crossentropy(labels, y_pred))
    np.testing.assert_allclose(found, expected, **exact)
    expected = 1 - 2 * t * p / (t + p)
    np.testing.assert_allclose(
        float(masked_soft_dice(labels, y_pred)), expected, **exact
    )
    expected = 1 - t * p / (t + p - t * p)
    found = float(masked_tversky(labels, y_pred, alpha=1.0, beta=1.0))
    np.testing.assert_allclose(found, expected, **exact)
    if len(shape) == 1:
        return
    # No pixel of the mask is right before its error, 1 - p, is paid.
    found = float(MaskedLovasz()(labels, y_pred))
    np.testing.assert_allclose(found, 1 - p, **exact)
