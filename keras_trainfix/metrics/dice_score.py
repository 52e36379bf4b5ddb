"""Mean Dice score (F1) over a data set."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_trainfix.labels.types import IgnoreClass
from keras_trainfix.metrics.class_scores import dice
from keras_trainfix.metrics.score_metric import ScoreMetric


@keras.saving.register_keras_serializable(package="keras_trainfix")
class DiceScore(ScoreMetric):
    """Mean Dice score (F1), with void left out.

    One confusion matrix is kept over the whole data set; `scope="image"` is the mean
    over images of the score of each instead. Each class gets `2 TP / (2 TP + FP + FN)`,
    and the result is the mean over the classes that are labeled or predicted anywhere;
    NaN if there are none.

    The call arguments, and all arguments that are not listed here, are the same as in
    `MeanIoU`.

    Args:
        num_classes: Integer, 2 or more. One sigmoid unit has two classes.
        per_class: Whether `result` is a dict: `"dice_score"`, and `"dice/<name>"` for
            each class, NaN if it is absent. Defaults to `False`, a scalar.
        name: String, the name of the metric. Defaults to `"dice_score"`.

    Raises:
        ValueError: As `MeanIoU`.

    Examples:
        >>> metric = DiceScore(2)
        >>> metric.update_state(np.array([0, 0, 1, 1]), np.array([0.2, 0.6, 0.7, 0.9]))
        >>> round(float(metric.result()), 4)  # (2/3 + 4/5) / 2
        0.7333

    Reference:
        [Dice, 1945](https://doi.org/10.2307/1932409).
    """

    default_name = "dice_score"
    prefix = "dice"
    score = staticmethod(dice)

    def __init__(
        self,
        num_classes: int,
        ignore_class: IgnoreClass = 255,
        axis: int = -1,
        threshold: float = 0.5,
        from_logits: bool = False,
        per_class: bool = False,
        class_names: Sequence[str] | None = None,
        name: str | None = "dice_score",
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
