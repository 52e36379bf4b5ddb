"""The base of the metrics that are computed from a confusion matrix."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from keras_trainfix.labels.types import Tensor
from keras_trainfix.metrics import exact
from keras_trainfix.metrics.class_scores import outcomes, outcomes_of_entries
from keras_trainfix.metrics.confusion import Counts, count
from keras_trainfix.metrics.confusion_plot import save_confusion_plot
from keras_trainfix.metrics.count_metric import CountMetric
from keras_trainfix.metrics.tables import class_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class ConfusionMetric(CountMetric):
    """Base of the metrics that keep a confusion matrix of the classes.

    See `CountMetric` for the arguments.
    """

    def count(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor) -> Counts:
        return count(y_true, y_pred, sample_weight, self._setting)

    def merge_key(self) -> tuple[Any, ...]:
        return ConfusionMetric, self._setting[:2], self.multi_label

    def counts_shape(self) -> tuple[int, ...]:
        return (self.num_classes, 2, 2) if self.multi_label else super().counts_shape()

    def confusion_matrix(self) -> np.ndarray:
        """The counts so far, with labels as rows and predictions as columns.

        Returns:
            NumPy array `(C, C)`, or `(C, 2, 2)` with `multi_label`: int64, or float64
            if weights have made fractions.
        """
        return exact.to_numpy(self.limbs())

    def class_table(self) -> str:
        """A Markdown table of the classes, the worst first: see `class_table`.

        Returns:
            String.
        """
        return class_table(
            self.confusion_matrix(),
            self.class_names,
            self._setting.ignored,
            self.include_background,
        )

    def plot(
        self, path: str | PathLike[str] | None = None, normalize: bool = True
    ) -> Figure:
        """A picture of the confusion matrix: see `save_confusion_plot`.

        Args:
            path: Where to save it, or None. Defaults to `None`.
            normalize: Whether to show shares of the pixels of each label instead of
                counts. Defaults to `True`.

        Returns:
            `matplotlib.figure.Figure`.

        Raises:
            ValueError: With `multi_label`, where no class is taken for another.
        """
        return save_confusion_plot(
            self.confusion_matrix(),
            path,
            self.class_names,
            self._setting.ignored,
            normalize,
        )

    def load_confusion_matrix(self, matrix: ArrayLike) -> None:
        """Replaces the counts, for example by `confusion_matrix()` of another run.

        Args:
            matrix: Array of finite numbers, 0 or more, of the shape of
                `confusion_matrix()`.

        Raises:
            ValueError: If the shape or a number is wrong.
        """
        matrix = np.asarray(matrix)
        shape = self.counts_shape()
        if matrix.shape != shape:
            received = f"matrix of shape {matrix.shape}"
        elif not np.all((matrix >= 0) & (matrix < 2**56)):
            received = f"matrix from {matrix.min()} to {matrix.max()}"
        else:
            self._counts.assign(exact.from_numpy(matrix))
            self._rejected.assign(np.zeros(3, "float32"))
            return
        raise ValueError(
            f"`matrix` must be counts of shape {shape}, finite and 0 or more. "
            f"Received: {received}. Pass the `confusion_matrix()` of a metric with "
            f"num_classes={self.num_classes}, multi_label={self.multi_label}."
        )

    def outcomes(self, limbs: Tensor) -> list[Tensor]:
        """True positives, false positives and false negatives, float32 `(C,)`."""
        of_classes = outcomes_of_entries if self.multi_label else outcomes
        return [exact.rounded(counts) for counts in of_classes(limbs)]
