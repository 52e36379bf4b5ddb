"""Signed distances to the outlines of labels, computed where data are prepared."""

from typing import Any

import numpy as np
from keras import ops

from keras_trainfix import backend
from keras_trainfix.arguments import known_names
from keras_trainfix.distances import Spacing, distances_to, spacing_of_axes
from keras_trainfix.labels import class_rows, read_labels
from keras_trainfix.labels.types import IgnoreClass


@known_names
def signed_distance(
    y: Any,
    num_classes: int,
    ignore_class: IgnoreClass = 255,
    spacing: Spacing = None,
    multi_label: bool = False,
) -> np.ndarray:
    """The signed distance of each pixel to the boundary of each class.

    Outside a class it is the distance to the nearest pixel of the class; inside,
    minus the distance to the nearest pixel of another. Void pixels belong to neither,
    so that they create no boundary, and get 0. A class without a boundary in an image,
    because it has no pixel there or all of them, gets 0 everywhere.

    Computed once, where the data are prepared, it spares `MaskedBoundary` and
    `MaskedHausdorff` the distances of the labels. Append the maps to the labels:
    `y = np.concatenate([y[..., None], signed_distance(y, 3)], axis=-1)`.

    Args:
        y: Labels of images or volumes, with a batch axis: sparse `(N, ...)` or
            `(N, ..., 1)`, one-hot or soft `(N, ..., num_classes)`. They are read as
            one-hot if the last axis has `num_classes` entries.
        num_classes: Integer, the number of output channels of the model; 1 for a
            single sigmoid unit.
        ignore_class: Integer, tuple of integers, or None: ids of void. Defaults to
            `255`.
        spacing: Float or a sequence of floats above 0, one for each axis of the
            images: the distance between neighboring pixels. Defaults to None, 1.
        multi_label: Whether a pixel may have several classes or none. Defaults to
            `False`.

    Returns:
        NumPy float32 array `(N, ..., num_classes)`.

    Raises:
        ValueError: If the labels are neither images nor volumes or do not fit
            `num_classes`, if one is neither a class nor ignored, or if `spacing` does
            not fit the axes of the images.
        ImportError: If SciPy is not installed. `keras_trainfix[distances]` has it.

    Examples:
        >>> y = np.array([[[0, 0, 1, 1, 255, 0]]])
        >>> signed_distance(y, num_classes=1)[0, 0, :, 0].tolist()
        [2.0, 1.0, -1.0, -2.0, 0.0, 2.0]
    """
    y = backend.to_numpy(y) if ops.is_tensor(y) else np.asarray(y)
    is_rows = num_classes > 1 and y.ndim > 3 and y.shape[-1] == num_classes
    pixels = y.shape[:-1] if is_rows or (y.ndim > 3 and y.shape[-1] == 1) else y.shape
    if len(pixels) not in (3, 4):
        raise ValueError(
            "`y` must be images (N, H, W) or volumes (N, D, H, W), with or without a "
            f"last axis of classes. Received: y.shape={y.shape}. Give a single image a "
            "batch axis: `y[None]`."
        )
    sizes = spacing_of_axes(spacing, len(pixels) - 1)
    labels = read_labels(y, (*pixels, num_classes), ignore_class, -1, multi_label)
    masks = backend.to_numpy(class_rows(labels, num_classes)) > 0.5
    valid = backend.to_numpy(labels.valid)
    found = np.zeros(masks.shape, "float32")
    for image, of_image in enumerate(valid):
        for index in range(num_classes):
            mask = masks[image, ..., index]
            inside, outside = mask & of_image, ~mask & of_image
            if inside.any() and outside.any():
                signed = np.where(
                    inside,
                    -distances_to(outside, sizes),
                    distances_to(inside, sizes),
                )
                found[image, ..., index] = np.where(of_image, signed, 0)
    return found
