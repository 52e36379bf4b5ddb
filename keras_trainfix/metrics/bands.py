"""The bands along the outlines of classes, and how those of two maps overlap."""

import functools
import math
import numbers

from keras import ops

from keras_trainfix import backend
from keras_trainfix.labels.dtypes import as_tensor
from keras_trainfix.labels.shapes import static_shape
from keras_trainfix.labels.weights import pixel_weights
from keras_trainfix.metrics import exact
from keras_trainfix.metrics.class_scores import iou, outcomes
from keras_trainfix.metrics.confusion import Counts, count
from keras_trainfix.metrics.predictions import prediction_form
from keras_trainfix.metrics.reading import as_array, read_pixels
from keras_trainfix.metrics.rejected import raise_if_rejected


def checked_distance(distance):
    """`distance` as an int or float, or the error about one that is out of range."""
    if isinstance(distance, numbers.Integral) and not isinstance(distance, bool):
        if int(distance) >= 1:
            return int(distance)
    elif isinstance(distance, numbers.Real) and 0 < float(distance) < 1:
        return float(distance)
    raise ValueError(
        "`distance` must be an integer number of pixels, 1 or more, or a float between "
        f"0 and 1, a share of the diagonal of the image. Received: {distance=}."
    )


def count_bands(y_true, y_pred, sample_weight, setting, distance, refuse_nan=False):
    """Counts the bands of one batch, in eager and in compiled code.

    Takes what `count` takes, and returns the same, for one class more: the pixels in no
    band. With a class in a row and another in a column a pixel is in both their bands.
    """
    mask = backend.keras_mask(y_pred)
    y_true, y_pred = as_array(y_true), as_array(y_pred)
    form = prediction_form(y_true, y_pred, setting.num_classes, setting.axis)
    radius = _radius(distance, form, y_pred)
    batch = y_true, y_pred, sample_weight, mask
    if all(backend.is_concrete(x) for x in batch if x is not None):
        tensors = [None if x is None else as_tensor(x) for x in batch]
        shapes = tuple(x if x is None else (tuple(x.shape), x.dtype) for x in tensors)
        labels, found, rejected = _compiled(form, setting, radius, shapes)(*tensors)
        raise_if_rejected(
            rejected, y_true, y_pred, sample_weight, form, setting, refuse_nan
        )
    else:
        labels, found, rejected = _bands(*batch, form, setting, radius)
    size = setting.num_classes + 1
    bands = setting._replace(num_classes=size, ignored=(size,), axis=-1)
    # On an axis of their own integers are ids, and no one-hot rows.
    counts = count(labels, ops.expand_dims(found, -1), sample_weight, bands)
    return Counts(counts.matrix, counts.rejected + rejected)


def scores_of_bands(parts):
    """The boundary IoU of each class from the `exact` parts of `count_bands`."""
    return iou(*(exact.rounded(part) for part in outcomes(parts)))[:-1]


def _radius(distance, form, y_pred):
    """`distance` in pixels."""
    _, *sizes = pixels = form.pixels(static_shape(y_pred.shape))
    received = f"Received: y_pred.shape={tuple(y_pred.shape)}, {distance=}."
    if len(pixels) != 3:
        raise ValueError(
            "`y_true` and `y_pred` must be of images, with two axes beside those of "
            f"the batch and the classes. {received} Slices of a volume are images: "
            "`keras.ops.reshape` them to (N, H, W). A single image needs a batch axis: "
            "`y_pred[None]`."
        )
    if isinstance(distance, float):
        if None in sizes:
            raise ValueError(
                "The sizes of the images must be known when the graph is compiled, for "
                f"a `distance` that is a share of their diagonal. {received} Pass an "
                "integer, the distance in pixels, or use `set_shape` in a tf.data "
                "pipeline."
            )
        distance = max(1, round(distance * math.hypot(*sizes)))
    return min([distance, *(size for size in sizes if size is not None)])


@functools.lru_cache(maxsize=256)
def _compiled(form, setting, radius, shapes):
    """`_bands` for the shapes and dtypes of a batch, compiled where that is faster."""
    function = functools.partial(_bands, form=form, setting=setting, radius=radius)
    return backend.compiled(function, math.prod(shapes[1][0]))


def _bands(y_true, y_pred, sample_weight, mask, form, setting, radius):
    """Maps of the bands of labels and predictions, and the numbers of rejected ones.

    A pixel has the class in whose band it is, `num_classes` in no band, and, in the
    labels, `num_classes + 1` where it does not count.
    """
    size = setting.num_classes
    ids, found, valid, invalid = read_pixels(y_true, y_pred, form, setting)
    for weights in (mask, sample_weight):
        if weights is not None:  # bad ones are left for `count` to find
            valid = ops.logical_and(valid, pixel_weights(weights, valid) != 0)
    unknown = ops.logical_and(valid, found == size)
    rejected = [ops.sum(ops.cast(x, "float32")) for x in (invalid, unknown)]
    ids, found = (
        ops.where(_in_band(x, valid, radius), ops.cast(x, "int32"), size)
        for x in (ids, found)
    )
    ids = ops.where(valid, ids, size + 1)
    return ids, found, ops.stack([*rejected, ops.zeros((), "float32")])


def _in_band(ids, valid, radius):
    """Whether a pixel has in its square a valid one of another class, or no image.

    That puts it in the band of its class, and no other class has to be looked at. Of
    void pixels it says nothing.
    """
    ids = ops.cast(ids, "float32")
    edges = ((0, 0), (radius, radius), (radius, radius))
    is_near = False
    for signed in (ids, -ids):  # the highest class of the square, and the lowest
        known = ops.where(valid, signed, -math.inf)
        known = ops.pad(known, edges, constant_values=math.inf)
        is_near = ops.logical_or(is_near, _largest_around(known, radius) != signed)
    return is_near


def _largest_around(maps, radius):
    """The largest number in the square around each pixel that is not in the padding."""
    size = 2 * radius + 1
    for axis in (1, 2):
        before = (slice(None),) * axis
        width = 1  # of the windows so far: twice as wide each time
        while width < size:
            step = min(width, size - width)
            one = maps[(*before, slice(None, -step))]
            maps = ops.maximum(one, maps[(*before, slice(step, None))])
            width += step
    return maps
