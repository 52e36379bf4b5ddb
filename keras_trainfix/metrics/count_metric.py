"""The base of the metrics that count pixels of labels against predictions."""

import warnings
from collections.abc import Iterable

import keras
from keras import ops

from keras_trainfix import backend
from keras_trainfix.metrics import exact
from keras_trainfix.metrics.class_scores import mean_of_known, wanted_classes
from keras_trainfix.metrics.reading import checked_setting
from keras_trainfix.metrics.tables import checked_names


class CountMetric(keras.Metric):
    """Base of metrics over the pixels of a data set, void left out.

    It counts labels against predictions, exactly up to 2**53 on every backend. Nothing
    depends on how the data are cut into batches. Counts of the replicas of
    `tf.distribute` and of the processes of `torch.distributed` are added up in
    `result`, which every process has to call then, and as often as the others: in `fit`
    they need as many batches.

    Args:
        num_classes: Integer, 2 or more.
        ignore_class: Integer, tuple of integers, or None: ids of void labels.
        axis: Integer, the class axis of the predictions.
        threshold: Float in `(0, 1)`: the probability above which one sigmoid unit says
            class 1.
        from_logits: Whether one sigmoid unit gives logits.
        per_class: Whether `result` is a dict with an entry for each class.
        class_names: List of strings, one for each class, or None for their numbers.
        name: String, the name of the metric.
        dtype: Dtype of the result.
        extra: Integer, how many rows and columns the matrix of counts has more than
            there are classes.
    """

    default_name: str
    prefix: str  # of the entries of classes, under the default name

    def __init__(
        self,
        num_classes,
        ignore_class=255,
        axis=-1,
        threshold=0.5,
        from_logits=False,
        per_class=False,
        class_names=None,
        name=None,
        dtype=None,
        extra=0,
    ):
        super().__init__(name=name, dtype=dtype)
        self._setting = checked_setting(
            num_classes, ignore_class, axis, threshold, from_logits
        )
        self.num_classes = num_classes
        self.ignore_class = ignore_class
        self.axis = axis
        self.threshold = threshold
        self.from_logits = from_logits
        self.per_class = per_class
        self.class_names = checked_names(class_names, num_classes)
        shape = (exact.PARTS, num_classes + extra, num_classes + extra)
        self._counts = self.add_variable(shape, "zeros", "float32", name="counts")
        self._rejected = self.add_variable((3,), "zeros", "float32", name="rejected")
        self._has_warned = False
        self._direction = "up"  # by which Keras' callbacks tell what is better

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Counts a batch.

        Args:
            y_true: Labels: sparse `(N, ...)` or `(N, ..., 1)`, one-hot or soft
                `(N, ..., C)`, or binary, of any integer or float dtype.
            y_pred: Scores `(N, ..., C)`, probabilities or logits alike; integer class
                ids `(N, ...)`; or, of two classes, what one sigmoid unit gives.
            sample_weight: Weights, 0 or more, of samples `(N,)`, of pixels `(N, ...)`
                or of anything between: they broadcast from the left. A pixel of weight
                0 is void.
        """
        counts = self.count(y_true, y_pred, sample_weight)
        self._counts.assign(exact.carry(self._counts + counts.matrix))
        self._rejected.assign(self._rejected + counts.rejected)

    def count(self, y_true, y_pred, sample_weight):
        """The `Counts` of a batch."""
        raise NotImplementedError

    def kind(self):
        """What has to be the same where counts are added up."""
        raise NotImplementedError

    def result(self):
        """The score, a scalar; or a dict of scores, see `per_class`.

        NaN where there is nothing to count, and, with a warning, where there was input
        that is neither right nor void.
        """
        unknown = ops.where(ops.any(self.rejected() > 0), float("nan"), 0.0)
        scores = self.scores(self.parts())
        scores = {key: ops.cast(s + unknown, self.dtype) for key, s in scores.items()}
        return scores if self.per_class else scores[self.name]

    def scores(self, parts):
        """The entries of `result`, that of the whole named as the metric."""
        raise NotImplementedError

    def reset_state(self):
        super().reset_state()
        self._has_warned = False

    def merge_state(self, metrics):
        """Adds the counts of other metrics, as if their batches had come here too.

        Args:
            metrics: A metric of this class, or an iterable of them, with as many
                classes and the same `ignore_class`.

        Raises:
            ValueError: If one does not fit.
        """
        metrics = list(metrics) if isinstance(metrics, Iterable) else [metrics]
        for metric in metrics:
            if not isinstance(metric, CountMetric) or metric.kind() != self.kind():
                raise ValueError(
                    "`metrics` must be metrics of keras_trainfix that count the same "
                    f"classes. Received: {metric!r}, to merge into {self!r} with "
                    f"num_classes={self.num_classes}, "
                    f"ignore_class={self.ignore_class}."
                )
        for metric in metrics:
            self._counts.assign(exact.carry(self._counts + metric._counts))
            self._rejected.assign(self._rejected + metric._rejected)

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "ignore_class": self.ignore_class,
            "axis": self.axis,
            "threshold": self.threshold,
            "from_logits": self.from_logits,
            "per_class": self.per_class,
            "class_names": self.class_names,
        }

    def parts(self):
        """The counts as `exact` parts `(4, C, C)`, of all devices and processes."""
        return backend.sum_over_processes(ops.convert_to_tensor(self._counts))

    def rejected(self):
        """The numbers of rejected labels, predictions and weights; warns if it can."""
        rejected = backend.sum_over_processes(ops.convert_to_tensor(self._rejected))
        self._warn(rejected)
        return rejected

    def by_class(self, values, mean_name=None):
        """A dict of the mean over classes and the value of each."""
        wanted = wanted_classes(self.num_classes, self._setting.ignored)
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

    def _warn(self, rejected):
        if self._has_warned or not backend.is_concrete(rejected):
            return
        labels, predictions, weights = backend.to_numpy(rejected)
        kinds = {
            "labels that are neither a class nor ignored": labels,
            "predictions that are NaN, or no class or probability": predictions,
            "weights that are negative or not finite": weights,
        }
        found = [f"{n:.0f} {kind}" for kind, n in kinds.items() if n]
        if found:
            self._has_warned = True
            warnings.warn(
                f"`{self.name}` is NaN because it met {', '.join(found)}. Compiled "
                "code cannot raise. To see which they are, call "
                f"`keras_trainfix.confusion_matrix(y, model.predict(x), "
                f"num_classes={self.num_classes}, ignore_class={self.ignore_class})` "
                "on one batch.",
                stacklevel=4,
            )
