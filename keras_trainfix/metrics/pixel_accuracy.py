"""Pixel accuracy over a data set."""

import keras
from keras import ops

from keras_trainfix.metrics import exact
from keras_trainfix.metrics.class_scores import accuracy, ratio
from keras_trainfix.metrics.class_scores import outcomes as class_outcomes
from keras_trainfix.metrics.confusion_metric import ConfusionMetric


@keras.saving.register_keras_serializable(package="keras_trainfix")
class PixelAccuracy(ConfusionMetric):
    """Share of valid pixels whose class is right, or its mean over classes.

    One confusion matrix over the whole data set, exact up to 2**53 pixels on every
    backend. `average="micro"` is the overall accuracy, the share of all valid pixels;
    `"macro"` the mean of the accuracies (recalls) of the classes that have labels. A
    rare class counts little in the first and as any other in the second.

    Args:
        num_classes: Integer, 2 or more. One sigmoid unit has two classes.
        ignore_class: Integer, tuple of integers, or None: ids of void, inside or
            outside the range of the classes. An ignored class leaves the mean as well.
            Defaults to `255`.
        axis: Integer, the class axis of the predictions. Defaults to `-1`.
        threshold: Float in `(0, 1)`, the probability above which one sigmoid unit says
            class 1. Defaults to `0.5`.
        from_logits: Whether one sigmoid unit gives logits. With a class axis it does
            not matter: the highest score counts. Defaults to `False`.
        average: `"micro"` or `"macro"`, what the scalar is. Defaults to `"micro"`.
        per_class: Whether `result` is a dict: `"pixel_accuracy"` (micro),
            `"mean_class_accuracy"` (macro), and `"accuracy/<name>"` for each class,
            NaN where it has no label. Defaults to `False`, a scalar.
        class_names: List of strings, one for each class, or None for their numbers.
        name: String, the name of the metric. With `per_class` another than the default
            is the beginning of all entries, which tells those of two outputs apart.
        dtype: Dtype of the result. Counts are exact whatever it is.

    Call arguments:
        y_true: Labels: sparse `(N, ...)` or `(N, ..., 1)`, one-hot or soft
            `(N, ..., C)`, or binary, of any integer or float dtype.
        y_pred: Scores `(N, ..., C)`, probabilities or logits alike; integer class ids
            `(N, ...)`; or, of two classes, what one sigmoid unit gives.
        sample_weight: Weights that broadcast from the left. A weight of 0 is void.

    Raises:
        ValueError: If an argument is out of range; if labels, weights and predictions
            do not fit, or do not tell what they are; in eager mode, if a label is
            neither a class nor ignored, or a prediction no class or probability.
            Compiled code gives NaN, and a warning at the end of the epoch.

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
        num_classes,
        ignore_class=255,
        axis=-1,
        threshold=0.5,
        from_logits=False,
        average="micro",
        per_class=False,
        class_names=None,
        name="pixel_accuracy",
        dtype=None,
    ):
        super().__init__(
            num_classes,
            ignore_class,
            axis,
            threshold,
            from_logits,
            per_class,
            class_names,
            name,
            dtype,
        )

        if average not in ("micro", "macro"):
            raise ValueError(
                "`average` must be 'micro' (over pixels) or 'macro' (over classes). "
                f"Received: average={average!r}."
            )
        self.average = average

    def scores(self, parts):
        is_default = self.name == self.default_name
        mean = "mean_class_accuracy" if is_default else f"{self.name}/mean_class"
        by_class = self.by_class(accuracy(*self.outcomes(parts)), mean)
        if self.average == "macro" and not self.per_class:
            return {self.name: by_class[mean]}
        correct = ops.sum(class_outcomes(parts)[0], axis=-1)
        counted = ops.sum(parts, axis=(-2, -1))
        overall = ratio(exact.rounded(correct), exact.rounded(counted))
        return {self.name: overall, **by_class}

    def get_config(self):
        return {**super().get_config(), "average": self.average}
