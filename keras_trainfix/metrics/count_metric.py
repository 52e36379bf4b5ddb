"""The base of the metrics that count pixels of labels against predictions."""

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_trainfix import backend, messages
from keras_trainfix.arguments import KnownNames
from keras_trainfix.labels.types import Tensor
from keras_trainfix.metrics import exact
from keras_trainfix.metrics.class_scores import mean_of_known, wanted_classes
from keras_trainfix.metrics.confusion import Counts
from keras_trainfix.metrics.setting import Arguments, checked_setting
from keras_trainfix.metrics.tables import checked_names


class CountMetric(KnownNames, keras.Metric):
    """Base of metrics over the pixels of a data set, with void left out.

    Labels are counted against predictions, exactly up to 2**53 on every backend, so the
    result does not depend on how the data are split into batches. `result` adds up the
    counts of the replicas of `tf.distribute` and of the processes of
    `torch.distributed`. All processes must then call it equally often: in `fit` they
    need the same number of batches.

    Args:
        arguments: The arguments `num_classes`, `ignore_class`, `axis`, `threshold` and
            `from_logits` of `MeanIoU`, in this order.
        per_class: Whether `result` is a dict with an entry for each class.
        class_names: List of strings, one for each class, or None to use numbers.
        name: String, the name of the metric.
        dtype: Dtype of the result.
        **settings: Further arguments of the metric, kept as attributes.
    """

    default_name: str
    prefix: str  # of the entries of classes, if the metric has its default name
    extra_classes = 0  # rows and columns of the counts beyond those of the classes
    multi_label: bool | None = None  # no such argument
    include_background = True

    def __init__(
        self,
        arguments: Arguments,
        per_class: bool,
        class_names: Sequence[str] | None,
        name: str | None,
        dtype: Any,
        **settings: Any,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.settings = tuple(settings)
        for key, value in settings.items():
            setattr(self, key, value)
        self._setting = checked_setting(*arguments, self.multi_label)
        self.num_classes, self.ignore_class, self.axis, *rest = arguments
        self.threshold, self.from_logits = rest
        self.per_class = per_class
        self.class_names = checked_names(class_names, self.num_classes)
        self._check_classes()
        shape = (exact.LIMBS, *self.counts_shape())
        self._counts = self.add_variable(shape, "zeros", "float32", name="counts")
        self._rejected = self.add_variable((3,), "zeros", "float32", name="rejected")
        self._has_warned = False
        self._direction = "up"  # Keras' callbacks read it to see what is better

    def update_state(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None
    ) -> None:
        """Counts a batch.

        Args:
            y_true: Labels: sparse `(N, ...)` or `(N, ..., 1)`, one-hot or soft
                `(N, ..., C)`, or binary, of any integer or float dtype.
            y_pred: Scores `(N, ..., C)`, either probabilities or logits; integer class
                ids `(N, ...)`; or, with two classes, the output of one sigmoid unit.
            sample_weight: Weights, 0 or more, of samples `(N,)`, of pixels `(N, ...)`
                or of anything in between: they broadcast from the left. A pixel of
                weight 0 is void. Defaults to `None`.
        """
        counts = self.count(y_true, y_pred, sample_weight)
        exact.add(self._counts, counts.matrix)
        self._rejected.assign(self._rejected + counts.rejected)

    def count(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor) -> Counts:
        """The `Counts` of a batch."""
        raise NotImplementedError

    def counts_shape(self) -> tuple[int, ...]:
        """The shape of the counts."""
        return (self.num_classes + self.extra_classes,) * 2

    def merge_key(self) -> tuple[Any, ...]:
        """Equal for metrics whose counts can be added up."""
        raise NotImplementedError

    def result(self) -> Tensor:
        """The score, a scalar; or a dict of scores, see `per_class`.

        NaN if there is nothing to count, and, with a warning, if any label, prediction
        or weight was invalid.
        """
        rejected, limbs = self.rejected(), self.limbs()
        if backend.is_concrete(limbs):
            # On so few numbers NumPy takes a fraction of the time of the backend.
            rejected, limbs = map(backend.to_numpy, (rejected, limbs))
        lib = backend.library(limbs)
        unknown = lib.where(lib.any(rejected > 0), float("nan"), 0.0)
        scores = {key: score + unknown for key, score in self.scores(limbs).items()}
        wanted = scores if self.per_class else {self.name: scores[self.name]}
        result = {
            key: ops.cast(ops.convert_to_tensor(score), self.dtype)
            for key, score in wanted.items()
        }
        return result if self.per_class else result[self.name]

    def scores(self, limbs: Tensor) -> dict[str, Any]:
        """The entries of `result`; the overall score has the name of the metric."""
        raise NotImplementedError

    def reset_state(self) -> None:
        super().reset_state()
        self._has_warned = False

    def merge_state(self, metrics: Any) -> None:
        """Adds the counts of other metrics, as if their batches had been counted here.

        Args:
            metrics: A metric of this class, or an iterable of them, with the same
                `num_classes` and `ignore_class`.

        Raises:
            ValueError: If one of them counts something else.
        """
        metrics = list(metrics) if isinstance(metrics, Iterable) else [metrics]
        key = self.merge_key()
        for metric in metrics:
            if not isinstance(metric, CountMetric) or metric.merge_key() != key:
                raise ValueError(
                    "`metrics` must be metrics of keras_trainfix that count the same "
                    f"classes. Received: {metric!r}, to merge into {self!r}. Pass "
                    f"metrics with num_classes={self.num_classes} and "
                    f"ignore_class={self.ignore_class}."
                )
        for metric in metrics:
            self._counts.assign(exact.carry(self._counts + metric._counts))
            self._rejected.assign(self._rejected + metric._rejected)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "ignore_class": self.ignore_class,
            "axis": self.axis,
            "threshold": self.threshold,
            "from_logits": self.from_logits,
            "per_class": self.per_class,
            "class_names": self.class_names,
            **{key: getattr(self, key) for key in self.settings},
        }

    def limbs(self) -> Tensor:
        """The counts of all devices and processes, `exact` limbs `(4, C, C)`."""
        return backend.sum_over_processes(ops.convert_to_tensor(self._counts))

    def rejected(self) -> Tensor:
        """The numbers of rejected labels, predictions and weights.

        Eager code warns once if there are any.
        """
        rejected = backend.sum_over_processes(ops.convert_to_tensor(self._rejected))
        if not self._has_warned and backend.is_concrete(rejected):
            self._warn(backend.to_numpy(rejected))
        return rejected

    def wanted_classes(self) -> np.ndarray:
        """Which classes enter the mean, a NumPy boolean vector."""
        return wanted_classes(
            self.num_classes, self._setting.ignored, self.include_background
        )

    def by_class(self, values: Tensor, mean_name: str | None = None) -> dict[str, Any]:
        """A dict of the mean over classes and the value of each."""
        wanted = self.wanted_classes()
        prefix = self.prefix if self.name == self.default_name else self.name
        names = self.class_names or range(self.num_classes)
        return {
            mean_name or self.name: mean_of_known(values, wanted),
            **{
                f"{prefix}/{name}": values[i]
                for i, name in enumerate(names)
                if wanted[i]
            },
        }

    def _check_classes(self) -> None:
        if not self.wanted_classes().any():
            raise ValueError(
                "`include_background=False` must leave at least one class. Received: "
                f"num_classes={self.num_classes}, ignore_class={self.ignore_class}. "
                "Pass include_background=True, or ignore fewer classes."
            )

    def _warn(self, rejected: np.ndarray) -> None:
        kinds = {
            "invalid label": "neither a class nor ignored",
            "invalid prediction": "NaN, or not a class or probability",
            "invalid weight": "negative or not finite",
        }
        received = [
            f"{messages.count(int(number), kind)} ({reason})"
            for number, (kind, reason) in zip(rejected, kinds.items(), strict=True)
            if number
        ]
        if received:
            self._has_warned = True
            warnings.warn(
                f"`{self.name}` is NaN because it received {', '.join(received)}. "
                "Compiled code cannot raise. To see which ones, call "
                "`keras_trainfix.confusion_matrix(y, model.predict(x), "
                f"num_classes={self.num_classes}, ignore_class={self.ignore_class}"
                f"{', multi_label=True' if self.multi_label else ''})` on one batch.",
                stacklevel=4,
            )
