"""Boundary IoU over a data set: how well the outlines of the classes fit."""

import keras
from keras import ops

from keras_trainfix.metrics.bands import (
    checked_distance,
    count_bands,
    scores_of_bands,
)
from keras_trainfix.metrics.class_scores import wanted_classes
from keras_trainfix.metrics.count_metric import CountMetric
from keras_trainfix.metrics.reading import checked_setting


def boundary_iou(
    y_true,
    y_pred,
    num_classes,
    ignore_class=255,
    distance=0.02,
    axis=-1,
    threshold=0.5,
    from_logits=False,
):
    """Boundary IoU of each class of some images, see `BoundaryIoU`.

    Args:
        y_true: Labels, one-hot or soft rows, or binary, as for `BoundaryIoU`.
        y_pred: Scores `(N, H, W, C)`, class ids, or what one sigmoid unit gives.
        num_classes: Integer `C`, 2 or more.
        ignore_class: Ids of void: integer, tuple of integers or None. Defaults to
            `255`.
        distance: Width of the bands, integer or float. Defaults to `0.02`.
        axis: Integer, the class axis of `y_pred`. Defaults to `-1`.
        threshold: Float, above which one sigmoid unit says class 1. Defaults to `0.5`.
        from_logits: Whether one sigmoid unit gives logits. Defaults to `False`.

    Returns:
        Float32 tensor `(C,)`; NaN for classes that are ignored, and for those neither
        labelled nor predicted. In compiled code, which cannot raise, it is NaN
        everywhere if a label or prediction is none.

    Raises:
        ValueError: As `BoundaryIoU`, and in eager mode if a prediction is NaN.

    Examples:
        >>> labels, ids = np.zeros((2, 1, 8, 8), int)
        >>> labels[0, 2:6, 2:6] = ids[0, 2:6, 3:7] = 1
        >>> scores = boundary_iou(labels, ids, num_classes=2, distance=1)
        >>> [round(float(score), 3) for score in scores]
        [0.731, 0.333]
    """
    setting = checked_setting(num_classes, ignore_class, axis, threshold, from_logits)
    distance = checked_distance(distance)
    counts = count_bands(y_true, y_pred, None, setting, distance, refuse_nan=True)
    left_out = ~wanted_classes(setting.num_classes, setting.ignored)
    left_out = ops.logical_or(ops.any(counts.rejected > 0), left_out)
    return ops.where(left_out, float("nan"), scores_of_bands(counts.matrix))


@keras.saving.register_keras_serializable(package="keras_trainfix")
class BoundaryIoU(CountMetric):
    """Mean intersection over union of the boundaries of classes, void left out.

    The IoU of a large object hardly sees its outline. Here only its band counts, the
    pixels within `distance` of its contour: those in the bands of both labels and
    predictions, divided by those in either. Pixels are added up over the whole data
    set, exactly up to 2**53 on every backend, and the mean is over the classes that are
    labelled or predicted anywhere (of one sigmoid unit two, see `per_class`). NaN where
    there are none.

    A band is what erosion by a square of `2 * distance + 1` pixels removes. Where the
    image ends the object ends; where void begins it does not, as nobody knows what is
    there. Void pixels are in no band and make none, whatever is predicted for them.

    Args:
        num_classes: Integer, 2 or more. One sigmoid unit has two classes.
        ignore_class: Integer, tuple of integers, or None: ids of void, inside or
            outside the range of the classes. An ignored class leaves the mean as well.
            Defaults to `255`.
        distance: Width of the bands: an integer number of pixels, 1 or more; or a float
            in `(0, 1)`, a share of the diagonal of the image, rounded to whole pixels,
            at least 1. Defaults to `0.02`.
        axis: Integer, the class axis of the predictions. Defaults to `-1`.
        threshold: Float in `(0, 1)`, the probability above which one sigmoid unit says
            class 1. Defaults to `0.5`.
        from_logits: Whether one sigmoid unit gives logits. With a class axis it does
            not matter: the highest score counts. Defaults to `False`.
        per_class: Whether `result` is a dict: `"boundary_iou"`, and
            `"boundary_iou/<name>"` for each class, NaN where it is absent. Defaults to
            `False`, a scalar.
        class_names: List of strings, one for each class, or None for their numbers.
        name: String, the name of the metric. With `per_class` another than the default
            is the beginning of all entries, which tells those of two outputs apart.
        dtype: Dtype of the result. Counts are exact whatever it is.

    Call arguments:
        y_true: Labels of images: sparse `(N, H, W)` or `(N, H, W, 1)`, one-hot or soft
            `(N, H, W, C)`, or binary, of any integer or float dtype.
        y_pred: Scores `(N, H, W, C)`, probabilities or logits alike; integer class ids
            `(N, H, W)`; or, of two classes, what one sigmoid unit gives.
        sample_weight: Weights that broadcast from the left. A weight of 0 is void;
            others weigh the pixels of the bands.

    Raises:
        ValueError: If an argument is out of range; if labels, weights and predictions
            do not fit, are no images, or do not tell what they are; if `distance` is a
            share and a graph is compiled for images of unknown size; in eager mode, if
            a label is neither a class nor ignored, or a prediction no class or
            probability. Compiled code gives NaN, and a warning at the end of the epoch.

    Examples:
        >>> metric = BoundaryIoU(2, distance=1, per_class=True)
        >>> labels, ids = np.zeros((2, 1, 8, 8), int)
        >>> labels[0, 2:6, 2:6] = ids[0, 2:6, 3:7] = 1
        >>> metric.update_state(labels, ids)
        >>> {name: round(float(value), 3) for name, value in metric.result().items()}
        {'boundary_iou': 0.532, 'boundary_iou/0': 0.731, 'boundary_iou/1': 0.333}

    Reference:
        [Cheng et al., 2021](https://arxiv.org/abs/2103.16562). They score objects or
        images; here a class is scored over all images.
    """

    default_name = "boundary_iou"
    prefix = "boundary_iou"

    def __init__(
        self,
        num_classes,
        ignore_class=255,
        distance=0.02,
        axis=-1,
        threshold=0.5,
        from_logits=False,
        per_class=False,
        class_names=None,
        name="boundary_iou",
        dtype=None,
    ):
        super().__init__(
            num_classes,
            ignore_class,
            axis,
            threshold,
            from_logits,
            per_class,
            class_names,
            name,
            dtype,
            extra=1,
        )
        self.distance = checked_distance(distance)

    def count(self, y_true, y_pred, sample_weight):
        return count_bands(y_true, y_pred, sample_weight, self._setting, self.distance)

    def kind(self):
        return BoundaryIoU, self._setting[:2], self.distance

    def scores(self, parts):
        return self.by_class(scores_of_bands(parts))

    def get_config(self):
        return {**super().get_config(), "distance": self.distance}
