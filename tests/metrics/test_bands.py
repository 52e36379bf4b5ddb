"""The bands of labels and predictions: where they begin and end."""

import numpy as np
import pytest

from keras_trainfix import BoundaryIoU, MeanIoU, boundary_iou
from keras_trainfix.backend import to_numpy
from keras_trainfix.metrics import exact
from tests.metrics import reference
from tests.metrics.helpers import message
from tests.metrics.reference import CLASSES, logits_of, patches

CLOSE = {"rtol": 1e-6}


def test_large_images_of_many_classes(rng):
    shape = (3, 300, 310)  # several pieces, compiled, one image at a time
    labels, predicted = (patches(rng, 12, 40, shape) for _ in range(2))
    labels[rng.random(shape) < 0.01] = 255
    predicted = np.where(rng.random(shape) < 0.9, labels % 255, predicted)
    distance = round(0.02 * np.hypot(*shape[1:]))
    expected = reference.boundary_iou(labels, predicted, labels < 255, distance, 12)
    values = boundary_iou(labels.astype("uint8"), logits_of(predicted, 12), 12)
    np.testing.assert_allclose(to_numpy(values), expected, **CLOSE)


def test_a_share_of_the_diagonal_is_rounded_and_at_least_a_pixel(maps):
    labels, predicted = maps
    for share, distance in ((0.001, 1), (0.12, 1), (0.13, 2), (0.9, 11)):
        values = boundary_iou(labels, logits_of(predicted), CLASSES, distance=share)
        expected = reference.boundary_iou(labels, predicted, labels < 255, distance)
        np.testing.assert_allclose(to_numpy(values), expected, **CLOSE)
    metric = BoundaryIoU(2, distance=0.1)
    for size, counted in ((4, 12), (40, 40**2 - 28**2)):  # 1 pixel, and 6
        metric.reset_state()
        metric.update_state(
            np.zeros((1, size, size), int), np.zeros((1, size, size, 1), int)
        )
        assert exact.to_numpy(metric.limbs())[0, 0] == counted


def test_in_bands_as_wide_as_the_image_it_is_the_iou(maps):
    labels, predicted = maps
    metrics = MeanIoU(CLASSES), BoundaryIoU(CLASSES, distance=4)
    for metric in metrics:
        metric.update_state(labels, logits_of(predicted))
    iou, boundary = (float(metric.result()) for metric in metrics)
    np.testing.assert_allclose(boundary, iou, **CLOSE)
    metrics[1].distance = 10**9  # and takes no memory
    metrics[1].reset_state()
    metrics[1].update_state(labels, logits_of(predicted))
    assert float(metrics[1].result()) == boundary


@pytest.mark.parametrize("width", [1, CLASSES, CLASSES + 1])
def test_images_as_wide_as_there_are_classes(rng, width):
    labels, predicted = (patches(rng, size=2, shape=(2, 8, width)) for _ in range(2))
    expected = reference.boundary_iou(labels, predicted, labels < 255, 1)
    values = to_numpy(boundary_iou(labels, logits_of(predicted), CLASSES, distance=1))
    np.testing.assert_allclose(values, expected, **CLOSE)
    labels = np.zeros((1, 2, width), int)
    labels[..., 0] = 1  # rows that look like one-hot rows
    values = to_numpy(boundary_iou(labels, logits_of(labels), CLASSES, distance=1))
    np.testing.assert_array_equal(
        values, [1 if width > 1 else np.nan, 1] + 2 * [np.nan]
    )


def test_where_void_begins_there_is_no_contour():
    labels = np.zeros((1, 9, 20), int)
    labels[..., 10:] = 255
    metric = BoundaryIoU(2, distance=2)
    metric.update_state(labels, np.zeros((1, 9, 20, 1), int))
    # The image ends at 2 rows at the top and the bottom, and at 2 columns.
    assert exact.to_numpy(metric.limbs())[0, 0] == 2 * 2 * 10 + 2 * 5
    labels[..., 10:] = 1
    metric.reset_state()
    metric.update_state(labels, labels[..., None])
    assert exact.to_numpy(metric.limbs())[0, 0] == 2 * 2 * 10 + 2 * 5 + 2 * 5


def test_a_contour_on_the_far_side_of_void_counts_if_it_is_near():
    labels = np.zeros((1, 30, 30), int)
    labels[:, :, 14], labels[:, :, 15:] = 255, 1
    metric = BoundaryIoU(2, distance=2)
    metric.update_state(labels, np.where(labels == 255, 0, labels)[..., None])
    inside = exact.to_numpy(metric.limbs())[0, 0] - (2 * 2 * 14 + 2 * 26)
    assert inside == 26  # the column beside void, 2 pixels from class 1


@pytest.mark.backend_only("tensorflow", reason="sizes are always known elsewhere")
def test_images_of_unknown_size_need_a_distance_in_pixels(maps):
    import tensorflow as tf

    labels, predicted = maps

    def compiled(distance):
        specs = [
            tf.TensorSpec((None, None, None), "int32"),
            tf.TensorSpec((None, None, None, CLASSES), "float32"),
        ]

        def function(y_true, y_pred):
            return boundary_iou(y_true, y_pred, CLASSES, distance=distance)

        function = tf.function(function, input_signature=specs, autograph=False)
        return function(tf.constant(labels, "int32"), tf.constant(logits_of(predicted)))

    expected = reference.boundary_iou(labels, predicted, labels < 255, 2)
    np.testing.assert_allclose(to_numpy(compiled(2)), expected, **CLOSE)
    text = message(lambda: compiled(0.02))
    assert "The image size must be known" in text
    assert "Pass an integer, the distance in pixels" in text


@pytest.mark.parametrize("distance", [0, -1, 0.0, 1.0, 1.5, True, "2", None, np.nan])
def test_a_distance_is_pixels_or_a_share(distance):
    for build in (
        lambda: BoundaryIoU(3, distance=distance),
        lambda: boundary_iou([[[0]]], [[[0]]], 3, distance=distance),
    ):
        text = message(build)
        assert "an integer number of pixels, 1 or more, or a float between" in text
        assert f"distance={distance!r}" in text


@pytest.mark.parametrize("shape", [(4,), (4, 5), (2, 4, 5, 6)])
def test_only_images_have_boundaries(shape):
    labels = np.zeros(shape, int)
    text = message(lambda: BoundaryIoU(3).update_state(labels, logits_of(labels, 3)))
    assert "must be images, with two axes besides" in text
    assert f"y_pred.shape={(*shape, 3)}" in text
    assert "to (N, H, W)" in text
