"""Mean intersection over union over a data set."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_trainfix.labels.types import IgnoreClass
from keras_trainfix.metrics.class_scores import iou
from keras_trainfix.metrics.score_metric import ScoreMetric


@keras.saving.register_keras_serializable(package="keras_trainfix")
class MeanIoU(ScoreMetric):
    """Mean intersection over union, with void left out.

    One confusion matrix is kept over the whole data set, exact up to 2**53 pixels on
    every backend. Each class gets `TP / (TP + FP + FN)`, and the result is the mean
    over the classes that are labeled or predicted anywhere; NaN if there are none.

    With `scope="image"` each image has a score of its own, the mean over its classes,
    and the result is the mean over images. A class that an image lacks is left out, as
    in the losses: its false positives are errors of the classes that are there. It
    counts where classes do not exclude each other or where no other class is left:
    with 1 if it is not predicted, else with 0. Images without a valid pixel are left
    out, see `images_left_out()`. The scores are added up in steps of 2**-24 and
    exactly, whatever the batches. Sample weights `(N,)` weigh the images, pixel weights
    the pixels in an image. Counts and tables stay those of the data set.

    Args:
        num_classes: Integer, 2 or more (1 with `multi_label`). One sigmoid unit has
            two classes.
        ignore_class: Integer, tuple of integers, or None: ids of void, inside or
            outside the range of the classes. Ignored classes do not enter the mean.
            Defaults to `255`.
        axis: Integer, the class axis of the predictions. Defaults to `-1`.
        threshold: Float in `(0, 1)`, the probability above which one sigmoid unit means
            class 1, or each with `multi_label` its class. Defaults to `0.5`.
        from_logits: Whether one sigmoid unit, or each with `multi_label`, returns
            logits. Other scores with a class axis may be either, as only the highest
            counts. Defaults to `False`.
        per_class: Whether `result` is a dict: `"mean_iou"`, and `"iou/<name>"` for each
            class, NaN if it is absent. Defaults to `False`, a scalar.
        class_names: List of strings, one for each class, or None to use numbers.
            Defaults to `None`.
        name: String, the name of the metric. With `per_class`, any other name than the
            default is the prefix of all entries, to distinguish two outputs. Defaults
            to `"mean_iou"`.
        dtype: Dtype of the result. Counts are exact in any case. Defaults to `None`,
            the dtype that Keras uses for metrics.
        multi_label: Whether each class has its own sigmoid, so that a pixel may have
            several classes or none. A class is predicted where its probability is
            above `threshold`. Defaults to `False`: the class of the highest score.
        include_background: Whether class 0 enters the mean. Its pixels are errors of
            the other classes in any case. Defaults to `True`.
        scope: `"dataset"`, one score over the pixels of all images, or `"image"`, the
            mean over images of the score of each. Defaults to `"dataset"`.

    Call arguments:
        y_true: Labels: sparse `(N, ...)` or `(N, ..., 1)`, one-hot or soft
            `(N, ..., C)`, or binary, of any integer or float dtype. With `multi_label`,
            rows of zeros and ones; a pixel is void where any entry is an ignored id.
        y_pred: Scores `(N, ..., C)`, either probabilities or logits; integer class ids
            `(N, ...)`; or, with two classes, the output of one sigmoid unit. With
            `multi_label`, `(N, ..., C)`: probabilities, logits, or zeros and ones.
        sample_weight: Weights that broadcast from the left. Pixels of weight 0 are
            void. With `multi_label` also `(N, ..., C)`: an entry of weight 0 is void
            for its class alone.

    Raises:
        ValueError: If an argument is out of range, or if labels, weights and
            predictions do not match or are ambiguous. In eager mode also if a label is
            neither a class nor ignored, or if a prediction is not a class or
            probability. Compiled code returns NaN instead and warns at the end of the
            epoch.

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
    score = staticmethod(iou)

    def __init__(
        self,
        num_classes: int,
        ignore_class: IgnoreClass = 255,
        axis: int = -1,
        threshold: float = 0.5,
        from_logits: bool = False,
        per_class: bool = False,
        class_names: Sequence[str] | None = None,
        name: str | None = "mean_iou",
        dtype: Any = None,
        multi_label: bool = False,
        include_background: bool = True,
        scope: str = "dataset",
    ) -> None:
        arguments = num_classes, ignore_class, axis, threshold, from_logits
        super().__init__(
            *(arguments, per_class, class_names, name, dtype),
            *(multi_label, include_background, scope),
        )
