"""Boundary IoU over a data set: how well the outlines of the classes fit."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_trainfix.arguments import known_names
from keras_trainfix.labels.types import IgnoreClass, Tensor
from keras_trainfix.metrics.bands import (
    checked_distance,
    count_bands,
    scores_of_bands,
)
from keras_trainfix.metrics.class_scores import wanted_classes
from keras_trainfix.metrics.confusion import Counts
from keras_trainfix.metrics.count_metric import CountMetric
from keras_trainfix.metrics.setting import checked_setting


@known_names
def boundary_iou(
    y_true: Tensor,
    y_pred: Tensor,
    num_classes: int,
    ignore_class: IgnoreClass = 255,
    distance: float = 0.02,
    axis: int = -1,
    threshold: float = 0.5,
    from_logits: bool = False,
) -> Tensor:
    """Boundary IoU of each class over one batch of images, see `BoundaryIoU`.

    Args:
        y_true: Labels `(N, H, W)` in any form that `BoundaryIoU` accepts.
        y_pred: Scores `(N, H, W, C)`, class ids, or the output of one sigmoid unit.
        num_classes: Integer `C`, 2 or more.
        ignore_class: Integer, tuple of integers, or None: ids of void. Defaults to
            `255`.
        distance: Width of the bands, in pixels if an integer, or as a share of the
            image diagonal if a float. Defaults to `0.02`.
        axis: Integer, the class axis of `y_pred`. Defaults to `-1`.
        threshold: Float in `(0, 1)`, the probability above which one sigmoid unit means
            class 1. Defaults to `0.5`.
        from_logits: Whether one sigmoid unit returns logits. Defaults to `False`.

    Returns:
        Float32 tensor `(C,)`; NaN for classes that are ignored, and for those neither
        labeled nor predicted. In compiled code, which cannot raise, it is NaN
        everywhere if any label or prediction is invalid.

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
    """Mean intersection over union of the boundaries of classes, with void left out.

    Plain IoU barely changes with the outline of a large object. Here only the band of
    an object counts, its pixels within `distance` of the contour: the pixels in the
    bands of both labels and predictions, divided by those in either. Pixels are added
    up over the whole data set, exactly up to 2**53 on every backend, and the mean is
    over the classes that are labeled or predicted anywhere; NaN if there are none. One
    sigmoid unit has two classes, which `per_class` shows one by one.

    A band is what erosion with a square of `2 * distance + 1` pixels removes. Objects
    end where the image ends. They do not end where void begins, as what is there is
    unknown. Void pixels belong to no band and create none, whatever is predicted there.

    Arguments that are not listed here are the same as in `MeanIoU`.

    Args:
        num_classes: Integer, 2 or more. One sigmoid unit has two classes.
        distance: Width of the bands: an integer number of pixels, 1 or more; or a float
            in `(0, 1)`, a share of the image diagonal, rounded to whole pixels and at
            least 1. Defaults to `0.02`.
        per_class: Whether `result` is a dict: `"boundary_iou"`, and
            `"boundary_iou/<name>"` for each class, NaN if it is absent. Defaults to
            `False`, a scalar.
        name: String, the name of the metric. Defaults to `"boundary_iou"`.

    Call arguments:
        y_true: Labels of images: sparse `(N, H, W)` or `(N, H, W, 1)`, one-hot or soft
            `(N, H, W, C)`, or binary, of any integer or float dtype.
        y_pred: Scores `(N, H, W, C)`, either probabilities or logits; integer class ids
            `(N, H, W)`; or, with two classes, the output of one sigmoid unit.
        sample_weight: Weights that broadcast from the left. Pixels of weight 0 are
            void; other weights apply to the pixels of the bands.

    Raises:
        ValueError: As `MeanIoU`; if `y_pred` has no two axes besides the batch and
            class axes; or if `distance` is a share and a graph is compiled for images
            of unknown size.

    Examples:
        >>> metric = BoundaryIoU(2, distance=1, per_class=True)
        >>> labels, ids = np.zeros((2, 1, 8, 8), int)
        >>> labels[0, 2:6, 2:6] = ids[0, 2:6, 3:7] = 1
        >>> metric.update_state(labels, ids)
        >>> {name: round(float(value), 3) for name, value in metric.result().items()}
        {'boundary_iou': 0.532, 'boundary_iou/0': 0.731, 'boundary_iou/1': 0.333}

    Reference:
        [Cheng et al., 2021](https://arxiv.org/abs/2103.16562). They score objects or
        images; here each class is scored over all images.
    """

    default_name = "boundary_iou"
    prefix = "boundary_iou"
    extra_classes = 1  # the pixels in no band

    def __init__(
        self,
        num_classes: int,
        ignore_class: IgnoreClass = 255,
        distance: float = 0.02,
        axis: int = -1,
        threshold: float = 0.5,
        from_logits: bool = False,
        per_class: bool = False,
        class_names: Sequence[str] | None = None,
        name: str | None = "boundary_iou",
        dtype: Any = None,
        include_background: bool = True,
    ) -> None:
        arguments = num_classes, ignore_class, axis, threshold, from_logits
        super().__init__(
            *(arguments, per_class, class_names, name, dtype),
            distance=checked_distance(distance),
            include_background=include_background,
        )

    def count(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor) -> Counts:
        return count_bands(y_true, y_pred, sample_weight, self._setting, self.distance)

    def merge_key(self) -> tuple[Any, ...]:
        return BoundaryIoU, self._setting[:2], self.distance

    def scores(self, limbs: Tensor) -> dict[str, Any]:
        return self.by_class(scores_of_bands(limbs))
