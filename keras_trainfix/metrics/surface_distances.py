"""The distances between the surfaces of masks, as a metric."""

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_trainfix import backend
from keras_trainfix.arguments import KnownNames
from keras_trainfix.keras_internals import is_symbolic_scope
from keras_trainfix.labels.types import IgnoreClass, Tensor
from keras_trainfix.metrics import exact
from keras_trainfix.metrics.class_scores import mean_of_known, ratio, wanted_classes
from keras_trainfix.metrics.confusion import is_concrete
from keras_trainfix.metrics.masks import read_masks
from keras_trainfix.metrics.setting import checked_setting
from keras_trainfix.metrics.surfaces import (
    MEASURES,
    checked_percentile,
    checked_spacing,
    checked_tolerance,
    distances_of_masks,
)
from keras_trainfix.metrics.tables import checked_names


@keras.saving.register_keras_serializable(package="keras_trainfix")
class SurfaceDistances(KnownNames, keras.Metric):
    """How far the surfaces of predicted masks are from those of the labels.

    `result()` is a dict: `"hausdorff"`, the Hausdorff distance at a percentile,
    `"average_distance"`, the average symmetric surface distance, and `"surface_dice"`,
    the share of the surfaces within a tolerance. Each is the mean over images for each
    class, and then over classes. `surface_distances` has the definitions, and what
    void, absent classes and empty masks give.

    SciPy computes the distances in eager code: pass `run_eagerly=True` to `compile`,
    or call `surface_distances` with the predictions. Callbacks that watch an entry need
    `mode="min"`, or `"max"` for `"surface_dice"`.

    Args:
        num_classes: Integer, 2 or more (1 with `multi_label`). One sigmoid unit has
            two classes.
        ignore_class: Integer, tuple of integers, or None: ids of void. Defaults to
            `255`.
        percentile: Float in `(0, 100]`, of the Hausdorff distance; 100 is the largest
            distance. Defaults to `95`.
        tolerance: Float, 0 or more, in the units of `spacing`. Defaults to `1.0`.
        spacing: The distance between neighboring pixels: a number for each axis of an
            image, one number for all, or None for 1. Defaults to `None`.
        axis: Integer, the class axis of the predictions. Defaults to `-1`.
        threshold: Float in `(0, 1)`, see `MeanIoU`. Defaults to `0.5`.
        from_logits: Whether sigmoid units return logits. Defaults to `False`.
        multi_label: Whether each class has its own sigmoid. Defaults to `False`.
        include_background: Whether class 0 enters the means. Defaults to `False`.
        per_class: Whether `result` also has `"hausdorff/<name>"` and so on for each
            class, NaN if no image has it. Defaults to `False`.
        class_names: List of strings, one for each class, or None to use numbers.
            Defaults to `None`.
        name: String, the name of the metric. Any other name than the default is the
            prefix of all entries. Defaults to `"surface_distances"`.
        dtype: Dtype of the result. Defaults to `None`, the dtype that Keras uses for
            metrics.

    Call arguments:
        y_true: Labels of images `(N, H, W)` or volumes `(N, D, H, W)`, in any form that
            `MeanIoU` accepts.
        y_pred: Predictions, in any form that `MeanIoU` accepts.
        sample_weight: Weights that broadcast from the left. Pixels of weight 0 are
            void, all others count alike.

    Raises:
        ImportError: If SciPy is not installed.
        RuntimeError: In compiled code.
        ValueError: As `surface_distances`.

    Examples:
        >>> metric = SurfaceDistances(2, spacing=0.5)
        >>> labels, ids = np.zeros((2, 1, 8, 8), int)
        >>> labels[0, 2:6, 2:6] = ids[0, 2:6, 3:7] = 1
        >>> metric.update_state(labels, ids)
        >>> {name: round(float(value), 3) for name, value in metric.result().items()}
        {'hausdorff': 0.5, 'average_distance': 0.25, 'surface_dice': 1.0}
    """

    def __init__(
        self,
        num_classes: int,
        ignore_class: IgnoreClass = 255,
        percentile: float = 95.0,
        tolerance: float = 1.0,
        spacing: float | Sequence[float] | None = None,
        axis: int = -1,
        threshold: float = 0.5,
        from_logits: bool = False,
        multi_label: bool = False,
        include_background: bool = False,
        per_class: bool = False,
        class_names: Sequence[str] | None = None,
        name: str | None = "surface_distances",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        arguments = num_classes, ignore_class, axis, threshold, from_logits
        self._setting = checked_setting(*arguments, multi_label)
        self.num_classes, self.ignore_class, self.axis = arguments[:3]
        self.threshold, self.from_logits = threshold, from_logits
        self.multi_label, self.include_background = multi_label, include_background
        self.percentile = checked_percentile(percentile)
        self.tolerance = checked_tolerance(tolerance)
        self.spacing = checked_spacing(spacing)
        self.per_class = per_class
        self.class_names = checked_names(class_names, num_classes)
        self._wanted = wanted_classes(
            num_classes, self._setting.ignored, include_background
        )
        if not self._wanted.any():
            raise ValueError(
                "`include_background=False` must leave at least one class. Received: "
                f"num_classes={num_classes}, ignore_class={ignore_class}."
            )
        # Sums and their rounding errors, of the three measures and of images.
        shape = (2, 4, num_classes)
        self._sums = self.add_variable(shape, "zeros", "float32", name="sums")

    def update_state(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None
    ) -> None:
        """Adds the distances in the images of a batch."""
        if not is_concrete((y_true, y_pred, sample_weight)):
            if is_symbolic_scope():  # Keras only infers shapes
                return
            raise RuntimeError(
                "`SurfaceDistances` cannot run in compiled code, as SciPy computes its "
                f"distances. Received: y_pred={y_pred!r}. Pass `run_eagerly=True` to "
                "`compile`, or call `keras_trainfix.surface_distances(y, "
                "model.predict(x), num_classes)` after training."
            )
        masks = read_masks(y_true, y_pred, sample_weight, self._setting)
        values = distances_of_masks(
            masks, self._wanted, self.percentile, self.tolerance, self.spacing
        )
        known = ~np.isnan(values)
        sums = np.where(known, values, 0).sum(axis=1)
        amounts = np.concatenate([sums, known[:1].sum(axis=1)]).astype("float32")
        amounts = ops.convert_to_tensor(amounts)
        self._sums.assign(exact.add_to_pair(ops.convert_to_tensor(self._sums), amounts))

    def result(self) -> dict[str, Tensor]:
        """The mean of each measure, and with `per_class` those of the classes."""
        sums = backend.sum_over_processes(ops.convert_to_tensor(self._sums))
        *totals, images = (sums[0][i] + sums[1][i] for i in range(4))
        prefix = "" if self.name == "surface_distances" else f"{self.name}/"
        names = self.class_names or [str(index) for index in range(self.num_classes)]
        result = {}
        for measure, total in zip(MEASURES, totals, strict=True):
            means = ratio(total, images)
            result[f"{prefix}{measure}"] = mean_of_known(means, self._wanted)
            for index in np.flatnonzero(self._wanted) if self.per_class else ():
                result[f"{prefix}{measure}/{names[index]}"] = means[int(index)]
        return {name: ops.cast(value, self.dtype) for name, value in result.items()}

    def merge_state(self, metrics: Any) -> None:
        """Adds the distances of other metrics with the same settings.

        Args:
            metrics: A `SurfaceDistances` or an iterable of them.

        Raises:
            ValueError: If one of them measures something else.
        """
        metrics = list(metrics) if isinstance(metrics, Iterable) else [metrics]
        for metric in metrics:
            is_same = isinstance(metric, SurfaceDistances)
            if not is_same or metric._measured() != self._measured():
                raise ValueError(
                    "`metrics` must be `SurfaceDistances` with the same settings. "
                    f"Received: {metric!r}, to merge into {self!r}."
                )
        for metric in metrics:
            pair = exact.add_to_pair(ops.convert_to_tensor(self._sums), metric._sums[0])
            self._sums.assign(exact.add_to_pair(pair, metric._sums[1]))

    def _measured(self) -> tuple[Any, ...]:
        """Equal for metrics whose sums can be added up."""
        settings = self.percentile, self.tolerance, self.spacing
        return self._setting[:2], self.include_background, *settings

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "ignore_class": self.ignore_class,
            "percentile": self.percentile,
            "tolerance": self.tolerance,
            "spacing": None if self.spacing is None else list(self.spacing),
            "axis": self.axis,
            "threshold": self.threshold,
            "from_logits": self.from_logits,
            "multi_label": self.multi_label,
            "include_background": self.include_background,
            "per_class": self.per_class,
            "class_names": self.class_names,
        }
