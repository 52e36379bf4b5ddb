"""The base of the scores of masks: over the data set, or of each image."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from keras_trainfix import backend
from keras_trainfix.labels.types import Tensor
from keras_trainfix.metrics import exact
from keras_trainfix.metrics.confusion_metric import ConfusionMetric
from keras_trainfix.metrics.images import count_images, mean_scores
from keras_trainfix.metrics.setting import Arguments
from keras_trainfix.metrics.thresholds import best_threshold

SCOPES = ("dataset", "image")


class ScoreMetric(ConfusionMetric):
    """Base of the metrics that score masks by true positives and errors.

    See `MeanIoU` for the arguments.
    """

    score: Callable[..., Any]  # a static method

    def __init__(
        self,
        arguments: Arguments,
        per_class: bool,
        class_names: Sequence[str] | None,
        name: str | None,
        dtype: Any,
        multi_label: bool,
        include_background: bool,
        scope: str,
    ) -> None:
        if scope not in SCOPES:
            raise ValueError(
                "`scope` must be 'dataset', one score over all pixels, or 'image', the "
                f"mean over images of their scores. Received: scope={scope!r}."
            )
        super().__init__(
            *(arguments, per_class, class_names, name, dtype),
            multi_label=multi_label,
            include_background=include_background,
            scope=scope,
        )
        if scope == "image":
            shape = (exact.LIMBS, 2, self.num_classes + 1)
            self._images = self.add_variable(shape, "zeros", "float32", name="images")
            self._left_out = self.add_variable((), "zeros", "float32", name="left_out")

    def update_state(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None
    ) -> None:
        if self.scope == "dataset":
            super().update_state(y_true, y_pred, sample_weight)
            return
        wanted = tuple(self.wanted_classes().tolist())
        batch = y_true, y_pred, sample_weight
        counts = count_images(*batch, self._setting, type(self).score, wanted)
        exact.add(self._counts, counts.matrix)
        self._rejected.assign(self._rejected + counts.rejected)
        exact.add(self._images, counts.sums)
        self._left_out.assign(self._left_out + counts.left_out)

    def scores(self, limbs: Tensor) -> dict[str, Any]:
        if self.scope == "dataset":
            return self.by_class(type(self).score(*self.outcomes(limbs)))
        sums = backend.sum_over_processes(ops.convert_to_tensor(self._images))
        if backend.is_concrete(sums):
            sums = backend.to_numpy(sums)
        means = mean_scores(sums)
        return {**self.by_class(means[1:]), self.name: means[0]}

    def images_left_out(self) -> int:
        """How many images had no valid pixel, and so no score, with `scope="image"`.

        Returns:
            Integer. 0 with `scope="dataset"`.
        """
        if self.scope == "dataset":
            return 0
        left_out = backend.sum_over_processes(ops.convert_to_tensor(self._left_out))
        return int(backend.to_numpy(left_out))

    def best_threshold(
        self,
        model: keras.Model,
        data: Any,
        bins: int = 1000,
        batch_size: int = 32,
        steps: int | None = None,
    ) -> float:
        """The threshold with which this score is highest on some data.

        The data are read once, and the state of the metric is left alone. Pass the
        result as `threshold` to a new metric. Choose it on validation data and report
        the score on others: on the data it was chosen on, it is too good.

        Args:
            model: `keras.Model` with one output: one sigmoid unit, or with
                `multi_label` one for each class, which then share the threshold.
            data: A tuple `(x, y)` or `(x, y, sample_weight)` of arrays, or batches of
                them as `fit` takes them: a `tf.data.Dataset`, a
                `keras.utils.PyDataset`, a torch `DataLoader`, a generator. Weights
                count.
            bins: Integer, 2 or more: the thresholds compared are `1 / bins`,
                `2 / bins` and so on. Defaults to `1000`.
            batch_size: Integer, the size of the batches that arrays are cut into.
                Defaults to `32`.
            steps: Integer, the number of batches to read, or None for all. Defaults to
                `None`.

        Returns:
            Float. Where several thresholds are equally good, the one in the middle.

        Raises:
            ValueError: If predictions are scores of which the highest counts, if there
                is no label, no valid pixel or more than one output, if `bins` is out of
                range, or for invalid labels and predictions, see `MeanIoU`.
            TypeError: If batches cannot be read from `data`.
        """
        return best_threshold(self, model, data, bins, batch_size, steps)

    def merge_key(self) -> tuple[Any, ...]:
        if self.scope == "dataset":
            return super().merge_key()
        return *super().merge_key(), type(self), self.include_background

    def merge_state(self, metrics: Any) -> None:
        metrics = list(metrics) if isinstance(metrics, Iterable) else [metrics]
        super().merge_state(metrics)
        if self.scope == "image":
            for metric in metrics:
                self._images.assign(exact.carry(self._images + metric._images))
                self._left_out.assign(self._left_out + metric._left_out)

    def load_confusion_matrix(self, matrix: ArrayLike) -> None:
        if self.scope == "image":
            raise ValueError(
                "A confusion matrix does not have the scores of single images. "
                f"Received: matrix of shape {np.shape(matrix)}, for a metric with "
                "scope='image'. Pass it to a metric with scope='dataset'."
            )
        super().load_confusion_matrix(matrix)
