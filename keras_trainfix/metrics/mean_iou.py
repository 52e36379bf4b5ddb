"""Mean intersection over union over a data set."""

import keras

from keras_trainfix.metrics.class_scores import iou
from keras_trainfix.metrics.confusion_metric import ConfusionMetric


@keras.saving.register_keras_serializable(package="keras_trainfix")
class MeanIoU(ConfusionMetric):
    """Mean intersection over union, void left out.

    One confusion matrix over the whole data set, exact up to 2**53 pixels on every
    backend; `TP / (TP + FP + FN)` for each class, and their mean over the classes that
    are labelled or predicted anywhere. NaN where there are none.


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
        per_class: Whether `result` is a dict: `"mean_iou"`, and `"iou/<name>"` for each
            class, NaN where it is absent. Defaults to `False`, a scalar.
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
        >>> metric = MeanIoU(3, per_class=True, class_names=["sky", "road", "car"])
        >>> labels = np.array([[0, 0, 1, 255]])
        >>> logits = np.eye(3)[[[0, 1, 1, 2]]]
        >>> metric.update_state(labels, logits)
        >>> {name: round(float(value), 3) for name, value in metric.result().items()}
        {'mean_iou': 0.5, 'iou/sky': 0.5, 'iou/road': 0.5, 'iou/car': nan}

    Reference:
        [Everingham et al., 2015](https://doi.org/10.1007/s11263-014-0733-5), the
        measure of Pascal VOC.
    """

    default_name = "mean_iou"
    prefix = "iou"

    def __init__(
        self,
        num_classes,
        ignore_class=255,
        axis=-1,
        threshold=0.5,
        from_logits=False,
        per_class=False,
        class_names=None,
        name="mean_iou",
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

    def scores(self, parts):
        return self.by_class(iou(*self.outcomes(parts)))
