"""Scores of classes from a confusion matrix."""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from keras_trainfix.backend import library
from keras_trainfix.labels import ignored_ids
from keras_trainfix.labels.dtypes import wide
from keras_trainfix.labels.types import IgnoreClass, Tensor


def iou_from_confusion(matrix: Tensor, ignore_class: IgnoreClass = None) -> Tensor:
    """Intersection over union of each class, TP / (TP + FP + FN).

    Args:
        matrix: Counts `(C, C)` with labels as rows and predictions as columns, or
            tables `(C, 2, 2)` of classes of which a pixel may have several: a tensor,
            or an array or list, for which float64 is used.
        ignore_class: Integer, tuple of integers, or None: classes to leave out.
            Defaults to `None`.

    Returns:
        Tensor `(C,)`, or a NumPy array for an array or list. NaN for classes that are
        left out, and for those neither labeled nor predicted: take the mean of the
        others with `np.nanmean`.

    Raises:
        ValueError: If `matrix` has another shape.

    Examples:
        >>> iou_from_confusion([[3, 1, 0], [0, 2, 0], [0, 0, 0]]).round(3).tolist()
        [0.75, 0.667, nan]
    """
    return _from_confusion(iou, matrix, ignore_class)


def dice_from_confusion(matrix: Tensor, ignore_class: IgnoreClass = None) -> Tensor:
    """Dice score (F1) of each class, 2 TP / (2 TP + FP + FN).

    Args:
        matrix: Counts, as for `iou_from_confusion`.
        ignore_class: Integer, tuple of integers, or None: classes to leave out.
            Defaults to `None`.

    Returns:
        Tensor or NumPy array `(C,)`; NaN as in `iou_from_confusion`.

    Raises:
        ValueError: If `matrix` has another shape.

    Examples:
        >>> dice_from_confusion([[3, 1], [0, 2]]).round(3).tolist()
        [0.857, 0.8]
    """
    return _from_confusion(dice, matrix, ignore_class)


def accuracy_from_confusion(matrix: Tensor, ignore_class: IgnoreClass = None) -> Tensor:
    """Accuracy (recall) of each class, TP / (TP + FN).

    Args:
        matrix: Counts, as for `iou_from_confusion`.
        ignore_class: Integer, tuple of integers, or None: classes to leave out.
            Defaults to `None`.

    Returns:
        Tensor or NumPy array `(C,)`; NaN for classes that are left out, and for those
        without a label.

    Raises:
        ValueError: If `matrix` has another shape.

    Examples:
        >>> accuracy_from_confusion([[3, 1], [0, 2]]).tolist()
        [0.75, 1.0]
    """
    return _from_confusion(accuracy, matrix, ignore_class)


def outcomes(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """True positives, false positives and false negatives of each class.

    Args:
        matrix: Tensor or NumPy array `(..., C, C)` with labels as rows.

    Returns:
        Three of shape `(..., C)`. Each is a sum of entries, without a difference.
    """
    lib = library(matrix)
    diagonal = lib.eye(matrix.shape[-1], dtype="bool")
    correct, wrong = lib.where(diagonal, matrix, 0), lib.where(diagonal, 0, matrix)
    return (
        lib.sum(correct, axis=-1),
        lib.sum(wrong, axis=-2),
        lib.sum(wrong, axis=-1),
    )


def outcomes_of_entries(tables: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """True positives, false positives and false negatives of each class.

    Args:
        tables: Tensor or NumPy array `(..., C, 2, 2)` with labels as rows.

    Returns:
        Three of shape `(..., C)`.
    """
    return tables[..., 1, 1], tables[..., 0, 1], tables[..., 1, 0]


def iou(correct: Tensor, extra: Tensor, missed: Tensor) -> Tensor:
    """Intersection over union; NaN where the union is empty."""
    return ratio(correct, correct + extra + missed)


def dice(correct: Tensor, extra: Tensor, missed: Tensor) -> Tensor:
    """Dice score; NaN where the class is neither labeled nor predicted."""
    return ratio(2 * correct, 2 * correct + extra + missed)


def accuracy(correct: Tensor, extra: Tensor, missed: Tensor) -> Tensor:
    """Recall; NaN where the class has no label."""
    return ratio(correct, correct + missed)


def mean_of_known(values: Tensor, wanted: np.ndarray) -> Tensor:
    """The mean of the wanted `values` that are not NaN; NaN if there are none."""
    lib = library(values)
    counted = lib.logical_and(wanted, lib.logical_not(lib.isnan(values)))
    total, ones = lib.where(counted, values, 0), lib.ones_like(values)
    return ratio(lib.sum(total), lib.sum(lib.where(counted, ones, 0)))


def _from_confusion(
    score: Callable[..., Any], matrix: Tensor, ignore_class: IgnoreClass
) -> Tensor:
    matrix = wide(matrix) if ops.is_tensor(matrix) else np.asarray(matrix, "float64")
    shape = tuple(matrix.shape)
    multi_label = len(shape) == 3 and shape[1:] == (2, 2)
    if not multi_label and (len(shape) != 2 or shape[0] != shape[1]):
        raise ValueError(
            "`matrix` must be counts of shape (C, C), labels by predictions, or tables "
            f"(C, 2, 2). Received: matrix of shape {shape}. Pass the result of "
            "`confusion_matrix`."
        )
    lib = library(matrix)
    # Negative counts mark invalid input, see `confusion_matrix`.
    matrix = lib.where(lib.any(matrix < 0), float("nan"), matrix)
    wanted = wanted_classes(shape[0], ignored_ids(ignore_class))
    if multi_label:
        counts = outcomes_of_entries(matrix)
    else:  # pixels of ignored classes are void
        counts = outcomes(lib.where(wanted[:, None], matrix, 0))
    return lib.where(wanted, score(*counts), float("nan"))


def wanted_classes(
    num_classes: int, ignored: tuple[int, ...], include_background: bool = True
) -> np.ndarray:
    """Which classes enter a mean, a NumPy boolean vector.

    Without the background that is every class but 0, unless there is no other.
    """
    wanted = ~np.isin(np.arange(num_classes), ignored)
    if not include_background and num_classes > 1:
        wanted[0] = False
    return wanted


def ratio(part: Tensor, whole: Tensor) -> Tensor:
    """`part / whole`, NaN where `whole` is 0."""
    lib = library(whole)
    ratio = part / lib.where(whole > 0, whole, 1)
    return lib.where(whole > 0, ratio, float("nan"))
