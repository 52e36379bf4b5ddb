"""How far the surfaces of masks are apart."""

import dataclasses
import math
import numbers
from collections.abc import Sequence

import numpy as np

from keras_trainfix.arguments import known_names
from keras_trainfix.distances import checked_spacing, distances_to, surface_of
from keras_trainfix.labels.types import IgnoreClass, Tensor
from keras_trainfix.metrics.class_scores import wanted_classes
from keras_trainfix.metrics.masks import Masks, read_masks
from keras_trainfix.metrics.setting import checked_setting
from keras_trainfix.metrics.tables import (
    checked_names,
    markdown_table,
    mean_of_known,
    score_text,
)

MEASURES = ("hausdorff", "average_distance", "surface_dice")


@dataclasses.dataclass(frozen=True)
class SurfaceTable:
    """The distances of each class. `str()` is a Markdown table.

    Attributes:
        hausdorff: NumPy float64 array `(C,)`: the mean over images of the Hausdorff
            distance at `percentile`, in the units of the spacing. NaN for a class in
            no image, and for one that is left out.
        average_distance: Likewise the average symmetric surface distance.
        surface_dice: Likewise the surface Dice at `tolerance`.
        images: NumPy integer array `(C,)`: in how many images the class has a value.
        by_image: Dict from each of the three names to the values of single images,
            NumPy float64 `(N, C)`.
        class_names: Tuple of strings.
        percentile: Float.
        tolerance: Float.
    """

    hausdorff: np.ndarray
    average_distance: np.ndarray
    surface_dice: np.ndarray
    images: np.ndarray
    by_image: dict[str, np.ndarray]
    class_names: tuple[str, ...]
    percentile: float
    tolerance: float

    def __str__(self) -> str:
        columns = [getattr(self, name) for name in MEASURES]
        rows = [
            [name, *(score_text(column[i]) for column in columns), str(self.images[i])]
            for i, name in enumerate(self.class_names)
            if self.images[i]
        ]
        rows.append(["mean", *(score_text(mean_of_known(c)) for c in columns), ""])
        header = [
            f"Hausdorff {self.percentile:g} %",
            "average distance",
            f"surface Dice at {self.tolerance:g}",
        ]
        return markdown_table(["class", *header, "images"], rows, left=(0,))


@known_names
def surface_distances(
    y_true: Tensor,
    y_pred: Tensor,
    num_classes: int,
    ignore_class: IgnoreClass = 255,
    percentile: float = 95.0,
    tolerance: float = 1.0,
    spacing: float | Sequence[float] | None = None,
    axis: int = -1,
    threshold: float = 0.5,
    from_logits: bool = False,
    multi_label: bool = False,
    include_background: bool = False,
    class_names: Sequence[str] | None = None,
    sample_weight: Tensor = None,
) -> SurfaceTable:
    """How far the surfaces of masks are apart, for each class of images or volumes.

    The surface of a mask is its pixels that touch, along an axis, a pixel outside of
    it, or the edge of the image. From each pixel of one surface, the distance to the
    nearest of the other is taken, both ways. Then, for each class of an image,

    - the Hausdorff distance is a percentile of these distances, the larger of both
      ways;
    - the average symmetric surface distance is their mean, both ways together;
    - the surface Dice is the share of them, both ways together, within `tolerance`.

    Void pixels are in no surface, and a mask does not end where void begins, as what is
    there is unknown. A class that is neither labeled nor predicted in an image has no
    value there: NaN; neither has one whose outline is nowhere known, as void surrounds
    it. Where it is only labeled or only predicted, there is no distance
    to measure: both distances are the diagonal of the image, between the centers of
    its corner pixels, and the surface Dice is 0.

    Args:
        y_true: Labels of images `(N, H, W)` or volumes `(N, D, H, W)`, in any form that
            `MeanIoU` accepts.
        y_pred: Class ids `(N, ...)`, scores or one-hot rows `(N, ..., C)`, or the
            output of one sigmoid unit.
        num_classes: Integer `C`, see `MeanIoU`.
        ignore_class: Integer, tuple of integers, or None: ids of void. Defaults to
            `255`.
        percentile: Float in `(0, 100]`; 100 is the largest distance. Defaults to `95`.
        tolerance: Float, 0 or more, in the units of `spacing`. Defaults to `1.0`.
        spacing: The distance between neighboring pixels, for example in millimeters:
            a number for each axis of an image, `(H, W)` or `(D, H, W)`, one number for
            all, or None for 1. Defaults to `None`.
        axis: Integer, the class axis of `y_pred`. Defaults to `-1`.
        threshold: Float in `(0, 1)`, see `MeanIoU`. Defaults to `0.5`.
        from_logits: Whether sigmoid units return logits. Defaults to `False`.
        multi_label: Whether each class has its own sigmoid, see `MeanIoU`. Defaults to
            `False`.
        include_background: Whether class 0 has values. Defaults to `False`.
        class_names: List of strings, one for each class, or None to use numbers.
            Defaults to `None`.
        sample_weight: Weights that broadcast from the left, or None. Pixels of weight 0
            are void, all others count alike.

    Returns:
        `SurfaceTable`.

    Raises:
        ImportError: If SciPy is not installed.
        ValueError: As `confusion_matrix`; if images have not two or three axes; or if
            `percentile`, `tolerance` or `spacing` are out of range or do not fit.

    Examples:
        >>> labels, ids = np.zeros((2, 1, 8, 8), int)
        >>> labels[0, 2:6, 2:6] = ids[0, 2:6, 3:7] = 1
        >>> table = surface_distances(labels, ids, num_classes=2, spacing=0.5)
        >>> table.hausdorff.tolist(), table.average_distance.round(3).tolist()
        ([nan, 0.5], [nan, 0.25])

    Reference:
        [Nikolov et al., 2018](https://arxiv.org/abs/1809.04430), with pixels for
        elements of the surface; [Maier-Hein et al.,
        2024](https://doi.org/10.1038/s41592-023-02151-z).
    """
    arguments = num_classes, ignore_class, axis, threshold, from_logits
    setting = checked_setting(*arguments, multi_label)
    percentile, tolerance = checked_percentile(percentile), checked_tolerance(tolerance)
    spacing = checked_spacing(spacing)
    names = checked_names(class_names, setting.num_classes)
    masks = read_masks(y_true, y_pred, sample_weight, setting)
    wanted = wanted_classes(
        setting.num_classes, setting.ignored, bool(include_background)
    )
    values = distances_of_masks(masks, wanted, percentile, tolerance, spacing)
    known = ~np.isnan(values[0])
    images = known.sum(axis=0)
    totals = np.where(known, values, 0).sum(axis=1)
    means = np.where(images, totals / np.maximum(images, 1), np.nan)
    names = names or [str(index) for index in range(setting.num_classes)]
    by_image = dict(zip(MEASURES, values, strict=True))
    rest = images, by_image, tuple(names), percentile, tolerance
    return SurfaceTable(means[0], means[1], means[2], *rest)


def distances_of_masks(
    masks: Masks,
    wanted: np.ndarray,
    percentile: float,
    tolerance: float,
    spacing: tuple[float, ...] | None,
) -> np.ndarray:
    """The three measures of each image and class, float64 `(3, N, C)`."""
    images, *shape = masks.valid.shape
    if len(shape) not in (2, 3):
        raise ValueError(
            "`y_true` and `y_pred` must be images (N, H, W) or volumes (N, D, H, W), "
            f"besides the class axis. Received: pixels of shape {masks.valid.shape}. "
            "Give a single image a batch axis: `y_pred[None]`."
        )
    if spacing is not None and len(spacing) not in (1, len(shape)):
        raise ValueError(
            f"`spacing` must have {len(shape)} numbers, one for each axis of an image, "
            f"or be a single number. Received: spacing={spacing}, images of shape "
            f"{tuple(shape)}."
        )
    scale = spacing or (1.0,)
    scale = scale * len(shape) if len(scale) == 1 else scale
    diagonal = math.hypot(*((n - 1) * one for n, one in zip(shape, scale, strict=True)))
    values = np.full((3, images, len(wanted)), np.nan)
    for index in np.flatnonzero(wanted):
        for n, valid in enumerate(masks.valid):
            labeled, predicted = masks.labeled[index, n], masks.predicted[index, n]
            one, other = surface_of(labeled, valid), surface_of(predicted, valid)
            if one.any() and other.any():
                ways = _distances(one, other, scale)
                both = np.concatenate(ways)
                values[:, n, index] = (
                    max(np.percentile(way, percentile) for way in ways),
                    both.mean(),
                    (both <= tolerance).mean(),
                )
            elif labeled.any() != predicted.any():
                values[:, n, index] = diagonal, diagonal, 0
    return values


def _distances(
    one: np.ndarray, other: np.ndarray, spacing: tuple[float, ...]
) -> list[np.ndarray]:
    """The distances from each surface to the other, without what is far from both."""
    places = np.nonzero(one | other)
    box = tuple(slice(axis.min(), axis.max() + 1) for axis in places)
    one, other = one[box], other[box]
    return [
        distances_to(there, spacing)[here]
        for here, there in ((one, other), (other, one))
    ]


def checked_percentile(percentile: float) -> float:
    """`percentile` as a float.

    Raises:
        ValueError: If it is out of range.
    """
    if _is_number(percentile) and 0 < percentile <= 100:
        return float(percentile)
    raise ValueError(
        "`percentile` must be a number above 0, up to 100, the largest distance. "
        f"Received: percentile={percentile!r}."
    )


def checked_tolerance(tolerance: float) -> float:
    """`tolerance` as a float.

    Raises:
        ValueError: If it is out of range.
    """
    if _is_number(tolerance) and 0 <= tolerance < math.inf:
        return float(tolerance)
    raise ValueError(
        "`tolerance` must be a distance, 0 or more, in the units of `spacing`. "
        f"Received: tolerance={tolerance!r}."
    )


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
