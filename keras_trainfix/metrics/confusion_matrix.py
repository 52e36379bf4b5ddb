"""The confusion matrix of a data set, as a metric."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_trainfix import backend
from keras_trainfix.labels.types import IgnoreClass, Tensor
from keras_trainfix.metrics import exact
from keras_trainfix.metrics.confusion_metric import ConfusionMetric
from keras_trainfix.metrics.tables import confusion_table


@keras.saving.register_keras_serializable(package="keras_trainfix")
class ConfusionMatrix(ConfusionMetric):
    """Counts how many pixels of each class are predicted as each class.

    `result()` is the matrix itself, labels as rows and predictions as columns, without
    void and exact up to 2**53 on every backend. `plot()` draws it, and `class_table()`
    lists the classes, the worst first. With `multi_label=True` there is a table for
    each class instead, `[[TN, FP], [FN, TP]]`, in an array `(C, 2, 2)`.

    `MeanIoU` and the other scores have the matrix as well, as `confusion_matrix()`, and
    are the better choice for `compile`: a matrix fits into `history`, but
    `keras.callbacks.TensorBoard` takes only numbers.

    The call arguments, and all arguments that are not listed here, are the same as in
    `MeanIoU`.

    Args:
        num_classes: Integer, 2 or more. One sigmoid unit has two classes.
        name: String, the name of the metric. Defaults to `"confusion_matrix"`.
        dtype: Dtype of the result in compiled code, which cannot hold large counts
            exactly. In eager code it is int64, or float64 with weights (a NumPy array
            on JAX unless its 64-bit mode is on). Defaults to `None`.

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
        num_classes: int,
        ignore_class: IgnoreClass = 255,
        axis: int = -1,
        threshold: float = 0.5,
        from_logits: bool = False,
        class_names: Sequence[str] | None = None,
        name: str | None = "confusion_matrix",
        dtype: Any = None,
        multi_label: bool = False,
    ) -> None:
        arguments = num_classes, ignore_class, axis, threshold, from_logits
        super().__init__(
            *(arguments, False, class_names, name, dtype), multi_label=multi_label
        )

    def result(self) -> Tensor:
        """The counts so far; NaN, with a warning, after invalid input."""
        rejected = self.rejected()
        if backend.is_concrete(rejected):
            matrix = self.confusion_matrix()
            if bool(ops.any(rejected > 0)):
                matrix = np.full(matrix.shape, np.nan)
            return backend.exact_tensor(matrix)
        matrix = exact.rounded(self.limbs())
        matrix = ops.where(ops.any(rejected > 0), float("nan"), matrix)
        return ops.cast(matrix, self.dtype)

    def to_markdown(self) -> str:
        """A table of the counts: see `confusion_table`.

        Returns:
            String.
        """
        return confusion_table(self.confusion_matrix(), self.class_names)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["per_class"]
        return config
