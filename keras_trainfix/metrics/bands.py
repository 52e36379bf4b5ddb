"""Bands along the outlines of classes, and how the bands of two maps overlap."""

import math
import numbers

from keras import ops

from keras_trainfix import backend
from keras_trainfix.labels.dtypes import check_numbers
from keras_trainfix.labels.shapes import static_shape
from keras_trainfix.labels.types import Tensor
from keras_trainfix.labels.weights import pixel_weights
from keras_trainfix.metrics import exact
from keras_trainfix.metrics.batches import run
from keras_trainfix.metrics.class_scores import iou, outcomes
from keras_trainfix.metrics.confusion import Counts, count
from keras_trainfix.metrics.predictions import Form, prediction_form
from keras_trainfix.metrics.reading import as_array, read_pixels
from keras_trainfix.metrics.rejected import raise_if_rejected
from keras_trainfix.metrics.setting import Setting


def checked_distance(distance: float) -> int | float:
    """`distance` as an int or float.

    Raises:
        ValueError: If it is out of range.
    """
    if isinstance(distance, numbers.Integral) and not isinstance(distance, bool):
        if int(distance) >= 1:
            return int(distance)
    elif isinstance(distance, numbers.Real) and 0 < float(distance) < 1:
        return float(distance)
    raise ValueError(
        "`distance` must be an integer number of pixels, 1 or more, or a float between "
        f"0 and 1, a share of the diagonal of the image. Received: {distance=}."
    )


def count_bands(
    y_true: Tensor,
    y_pred: Tensor,
    sample_weight: Tensor,
    setting: Setting,
    distance: float,
    refuse_nan: bool = False,
) -> Counts:
    """Counts the bands of one batch, in eager and in compiled code.

    It has the arguments and the result of `count`, with one more class: pixels in no
    band. A pixel in row `i` and column `j` is in the band of label `i` and in the band
    of prediction `j`.
    """
    mask = backend.keras_mask(y_pred)
    y_true, y_pred = as_array(y_true), as_array(y_pred)
    check_numbers(y_true)
    form = prediction_form(y_true, y_pred, setting.num_classes, setting.axis)
    radius = _radius(distance, form, y_pred)
    batch = y_true, y_pred, sample_weight, mask
    if all(backend.is_concrete(x) for x in batch if x is not None):
        labels, predicted, rejected = run(_bands, batch, form, setting, radius)
        raise_if_rejected(
            rejected, y_true, y_pred, sample_weight, form, setting, refuse_nan
        )
    else:
        labels, predicted, rejected = _bands(*batch, form, setting, radius)
    size = setting.num_classes + 1
    bands = setting._replace(num_classes=size, ignored=(size,), axis=-1)
    # With a last axis of 1, integers are read as ids and never as one-hot rows.
    counts = count(labels, ops.expand_dims(predicted, -1), sample_weight, bands)
    matrix, others = map(ops.convert_to_tensor, counts)
    return Counts(matrix, others + rejected)


def scores_of_bands(limbs: Tensor) -> Tensor:
    """The boundary IoU of each class from the `exact` limbs of `count_bands`."""
    return iou(*(exact.rounded(counts) for counts in outcomes(limbs)))[:-1]


def _radius(distance: float, form: Form, y_pred: Tensor) -> int:
    """`distance` in pixels."""
    _, *sizes = pixels = form.pixels(static_shape(y_pred.shape))
    received = f"Received: y_pred.shape={tuple(y_pred.shape)}, {distance=}."
    if len(pixels) != 3:
        raise ValueError(
            "`y_true` and `y_pred` must be images, with two axes besides the batch and "
            f"class axes. {received} Reshape the slices of a volume to (N, H, W) with "
            "`keras.ops.reshape`. Give a single image a batch axis: `y_pred[None]`."
        )
    if isinstance(distance, float):
        if None in sizes:
            raise ValueError(
                "The image size must be known when the graph is compiled if "
                f"`distance` is a share of the diagonal. {received} Pass an integer, "
                "the distance in pixels, or use `set_shape` in a tf.data pipeline."
            )
        distance = max(1, round(distance * math.hypot(*sizes)))
    return min([int(distance), *(size for size in sizes if size is not None)])


def _bands(
    y_true: Tensor,
    y_pred: Tensor,
    sample_weight: Tensor,
    mask: Tensor,
    form: Form,
    setting: Setting,
    radius: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Maps of the bands of labels and predictions, and the number of invalid ones.

    A pixel has the class whose band it is in, `num_classes` in no band, and, in the
    labels, `num_classes + 1` if it does not count.
    """
    size = setting.num_classes
    target, predicted, valid, invalid = read_pixels(y_true, y_pred, form, setting)
    for weights in (mask, sample_weight):
        if weights is not None:  # `count` will report the invalid ones
            valid = ops.logical_and(valid, pixel_weights(weights, valid) != 0)
    unknown = ops.logical_and(valid, predicted == size)
    rejected = [ops.sum(ops.cast(x, "float32")) for x in (invalid, unknown)]
    target, predicted = (
        ops.where(_in_band(x, valid, radius), ops.cast(x, "int32"), size)
        for x in (target, predicted)
    )
    target = ops.where(valid, target, size + 1)
    return target, predicted, ops.stack([*rejected, ops.zeros((), "float32")])


def _in_band(ids: Tensor, valid: Tensor, radius: int) -> Tensor:
    """Whether the square around a pixel has another valid class, or leaves the image.

    Then the pixel is in the band of its own class, so the classes need no loop. The
    result is meaningless for void pixels.
    """
    ids = ops.cast(ids, "float32")
    edges = ((0, 0), (radius, radius), (radius, radius))
    is_near = False
    for signed in (ids, -ids):  # compares with the highest class, and the lowest
        known = ops.where(valid, signed, -math.inf)
        known = ops.pad(known, edges, constant_values=math.inf)
        is_near = ops.logical_or(is_near, _largest_around(known, radius) != signed)
    return is_near


def _largest_around(maps: Tensor, radius: int) -> Tensor:
    """The largest number in the square around each pixel, without the padding."""
    size = 2 * radius + 1
    for axis in (1, 2):
        before = (slice(None),) * axis
        width = 1  # of the windows so far; doubles each time
        while width < size:
            step = min(width, size - width)
            one = maps[(*before, slice(None, -step))]
            maps = ops.maximum(one, maps[(*before, slice(step, None))])
            width += step
    return maps
