"""The confusion matrix of a data set, as a metric."""

import keras
import numpy as np
from keras import ops

from keras_trainfix import backend
from keras_trainfix.metrics import exact
from keras_trainfix.metrics.confusion_metric import ConfusionMetric
from keras_trainfix.metrics.tables import confusion_table


@keras.saving.register_keras_serializable(package="keras_trainfix")
class ConfusionMatrix(ConfusionMetric):
    """How many pixels of each class are predicted as each class, void left out.

    `result()` are the counts themselves, labels as rows and predictions as columns,
    exact up to 2**53 on every backend; `plot()` shows them, and `class_table()` the
    classes sorted by how well they do. `MeanIoU` and the other scores have the matrix
    as well, as `confusion_matrix()`, and are what to pass to `compile`: a matrix fits
    into `history`, but `keras.callbacks.TensorBoard` takes numbers only.

    Args:
        num_classes: Integer, 2 or more. One sigmoid unit has two classes.
        ignore_class: Integer, tuple of integers, or None: ids of void, inside or
            outside the range of the classes. Defaults to `255`.
        axis: Integer, the class axis of the predictions. Defaults to `-1`.
        threshold: Float in `(0, 1)`, the probability above which one sigmoid unit says
            class 1. Defaults to `0.5`.
        from_logits: Whether one sigmoid unit gives logits. With a class axis it does
            not matter: the highest score counts. Defaults to `False`.
        class_names: List of strings, one for each class, or None for their numbers.
        name: String, the name of the metric.
        dtype: Dtype of the result in compiled code, which cannot hold large counts
            exactly. In eager code it is int64, or float64 with weights (a NumPy array
            on JAX unless its 64-bit mode is on).

    Call arguments:
        y_true: Labels: sparse `(N, ...)` or `(N, ..., 1)`, one-hot or soft
            `(N, ..., C)`, or binary, of any integer or float dtype.
        y_pred: Scores `(N, ..., C)`, probabilities or logits alike; integer class ids
            `(N, ...)`; or, of two classes, what one sigmoid unit gives.
        sample_weight: Weights that broadcast from the left. A weight of 0 is void.

    Raises:
        ValueError: As `MeanIoU`.

    Examples:
        >>> metric = ConfusionMatrix(2, class_names=["sky", "road"])
        >>> metric.update_state(np.array([0, 1, 1, 255]), np.array([0, 1, 0, 1]))
        >>> keras.ops.convert_to_numpy(metric.result()).tolist()
        [[1, 0], [1, 1]]
    """

    default_name = "confusion_matrix"

    def __init__(
        self,
        num_classes,
        ignore_class=255,
        axis=-1,
        threshold=0.5,
        from_logits=False,
        class_names=None,
        name="confusion_matrix",
        dtype=None,
    ):
        super().__init__(
            num_classes,
            ignore_class,
            axis,
            threshold,
            from_logits,
            False,
            class_names,
            name,
            dtype,
        )

    def result(self):
        """The counts so far; NaN, with a warning, if there was bad input."""
        rejected = self.rejected()
        if backend.is_concrete(rejected):
            matrix = self.confusion_matrix()
            if bool(ops.any(rejected > 0)):
                matrix = np.full(matrix.shape, np.nan)
            return backend.exact_tensor(matrix)
        matrix = exact.rounded(self.parts())
        matrix = ops.where(ops.any(rejected > 0), float("nan"), matrix)
        return ops.cast(matrix, self.dtype)

    def to_markdown(self):
        """A table of the counts: see `confusion_table`.

        Returns:
            String.
        """
        return confusion_table(self.confusion_matrix(), self.class_names)

    def get_config(self):
        config = super().get_config()
        del config["per_class"]
        return config
