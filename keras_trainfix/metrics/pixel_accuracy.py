"""Pixel accuracy over a data set."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_trainfix import backend
from keras_trainfix.labels.types import IgnoreClass, Tensor
from keras_trainfix.metrics import exact
from keras_trainfix.metrics.class_scores import accuracy, ratio
from keras_trainfix.metrics.confusion_metric import ConfusionMetric


@keras.saving.register_keras_serializable(package="keras_trainfix")
class PixelAccuracy(ConfusionMetric):
    """Share of valid pixels with the right class, or its mean over classes.

    One confusion matrix is kept over the whole data set, exact up to 2**53 pixels on
    every backend. `average="micro"` is the overall accuracy, the share of all valid
    pixels. `"macro"` is the mean of the accuracies (recalls) of the classes that have
    labels, in which a rare class counts as much as any other. With `multi_label`, the
    overall accuracy is the share of all valid entries, pixels times classes, that are
    right. Without the background, only pixels of other classes count.

    The call arguments, and all arguments that are not listed here, are the same as in
    `MeanIoU`.

    Args:
        num_classes: Integer, 2 or more. One sigmoid unit has two classes.
        average: `"micro"` or `"macro"`, the scalar result. Defaults to `"micro"`.
        per_class: Whether `result` is a dict: `"pixel_accuracy"` (micro),
            `"mean_class_accuracy"` (macro), and `"accuracy/<name>"` for each class,
            NaN if it has no label. Defaults to `False`, a scalar.
        name: String, the name of the metric. Defaults to `"pixel_accuracy"`.

    Raises:
        ValueError: As `MeanIoU`, and if `average` is unknown.

    Examples:
        >>> labels, ids = np.array([0, 0, 0, 1, 255]), np.array([0, 0, 0, 0, 1])
        >>> metric = PixelAccuracy(2, per_class=True)
        >>> metric.update_state(labels, ids)
        >>> scores = metric.result()
        >>> float(scores["pixel_accuracy"]), float(scores["mean_class_accuracy"])
        (0.75, 0.5)

    Reference:
        [Long et al., 2015](https://arxiv.org/abs/1411.4038), section 5.
    """

    default_name = "pixel_accuracy"
    prefix = "accuracy"

    def __init__(
        self,
        num_classes: int,
        ignore_class: IgnoreClass = 255,
        axis: int = -1,
        threshold: float = 0.5,
        from_logits: bool = False,
        average: str = "micro",
        per_class: bool = False,
        class_names: Sequence[str] | None = None,
        name: str | None = "pixel_accuracy",
        dtype: Any = None,
        multi_label: bool = False,
        include_background: bool = True,
    ) -> None:
        if average not in ("micro", "macro"):
            raise ValueError(
                "`average` must be 'micro' (over pixels) or 'macro' (over classes). "
                f"Received: average={average!r}."
            )
        arguments = num_classes, ignore_class, axis, threshold, from_logits
        super().__init__(
            *(arguments, per_class, class_names, name, dtype),
            average=average,
            multi_label=multi_label,
            include_background=include_background,
        )

    def scores(self, limbs: Tensor) -> dict[str, Any]:
        is_default = self.name == self.default_name
        mean = "mean_class_accuracy" if is_default else f"{self.name}/mean_class"
        by_class = self.by_class(accuracy(*self.outcomes(limbs)), mean)
        if self.average == "macro" and not self.per_class:
            return {self.name: by_class[mean]}
        lib = backend.library(limbs)
        limbs = lib.take(limbs, np.flatnonzero(self.wanted_classes()), axis=1)
        is_right = np.eye(self.num_classes, dtype="bool")[self.wanted_classes()]
        if self.multi_label:
            is_right = np.eye(2, dtype="bool")
        axes = tuple(range(1, len(limbs.shape)))
        correct = lib.sum(lib.where(is_right, limbs, 0), axis=axes)
        overall = ratio(exact.rounded(correct), exact.rounded(lib.sum(limbs, axes)))
        return {self.name: overall, **by_class}
