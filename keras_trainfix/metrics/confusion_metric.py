"""The base of the metrics that are computed from a confusion matrix."""

import numpy as np

from keras_trainfix.metrics import exact
from keras_trainfix.metrics.class_scores import outcomes
from keras_trainfix.metrics.confusion import count
from keras_trainfix.metrics.confusion_plot import save_confusion_plot
from keras_trainfix.metrics.count_metric import CountMetric
from keras_trainfix.metrics.tables import class_table


class ConfusionMetric(CountMetric):
    """Base of the metrics that keep a confusion matrix of the classes.

    See `CountMetric` for the arguments.
    """

    def count(self, y_true, y_pred, sample_weight):
        return count(y_true, y_pred, sample_weight, self._setting)

    def kind(self):
        return ConfusionMetric, self._setting[:2]

    def confusion_matrix(self):
        """The counts so far, with labels as rows and predictions as columns.

        Returns:
            NumPy array `(C, C)`: int64, or float64 where weights have made fractions.
        """
        return exact.to_numpy(self.parts())

    def class_table(self):
        """A Markdown table of the classes, those that fail first: see `class_table`.

        Returns:
            String.
        """
        return class_table(
            self.confusion_matrix(), self.class_names, self._setting.ignored
        )

    def plot(self, path=None, normalize=True):
        """A picture of the confusion matrix: see `save_confusion_plot`.

        Args:
            path: Where to save it, or None.
            normalize: Whether to show shares of the pixels of each label, or counts.

        Returns:
            `matplotlib.figure.Figure`.
        """
        return save_confusion_plot(
            self.confusion_matrix(),
            path,
            self.class_names,
            self._setting.ignored,
            normalize,
        )

    def load_confusion_matrix(self, matrix):
        """Replaces the counts, as by those of `confusion_matrix()` of another run.

        Args:
            matrix: Array `(C, C)` of finite numbers, 0 or more.

        Raises:
            ValueError: If it is none.
        """
        matrix = np.asarray(matrix)
        shape = (self.num_classes,) * 2
        if matrix.shape != shape or not np.all((matrix >= 0) & (matrix < 2**56)):
            raise ValueError(
                f"`matrix` must be counts, 0 or more, of shape {shape}. Received: "
                f"matrix of shape {matrix.shape}, matrix={matrix.tolist()}."
            )
        self._counts.assign(exact.from_numpy(matrix))
        self._rejected.assign(np.zeros(3, "float32"))

    def outcomes(self, parts):
        """True positives, false positives and false negatives, float32 `(C,)`."""
        return [exact.rounded(part) for part in outcomes(parts)]
