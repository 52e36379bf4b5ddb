"""What a model is for, from its loss, its head and its targets."""

from keras_trainfix.diagnosis.observe.head import Head
from keras_trainfix.diagnosis.observe.loss import LossFacts
from keras_trainfix.diagnosis.observe.targets import Targets

CLASSIFIES = ("binary", "categorical", "sparse", "masked", "region", "sum", "hinge")


def infer_task(
    loss: LossFacts, head: Head, labels: Targets | None, shape: tuple[int, ...]
) -> str:
    """What an output is for.

    Args:
        loss: `LossFacts`.
        head: `Head`.
        labels: `Targets`, or None without targets.
        shape: The shape of the predictions.

    Returns:
        `"regression"`, `"binary classification"`, `"multi-class classification"`,
        `"multi-label classification"` or `"unknown"`; for images `"segmentation"`
        instead of the classifications, for sequences with `" of sequences"`.
    """
    if loss.name == "ctc":
        return "unknown"  # strings, that are neither numbers nor classes of samples
    form = labels.form if labels else None
    is_classes = form in ("one-hot", "multi-hot", "soft", "ids", "binary")
    if loss.kind in CLASSIFIES and form != "real":
        kind = "classification"
    elif loss.kind in ("regression", "count", "similarity", "none", "custom"):
        squashed = head.is_probability
        kind = "classification" if is_classes and squashed else "regression"
        if loss.kind in ("none", "custom") and (
            labels is None or (kind == "regression" and _are_units_of(labels))
        ):
            return "unknown"
    elif form == "real":
        kind = "regression"
    else:
        kind = "classification"
    if kind == "regression":
        return kind
    if len(shape) >= 4:
        return "segmentation"
    if form == "multi-hot":
        kind = "multi-label classification"
    elif head.units == 1 or form == "binary":
        kind = "binary classification"
    else:
        kind = "multi-class classification"
    return kind + (" of sequences" if len(shape) == 3 else "")


def _are_units_of(labels):
    """Whether there is one label for several units: only the loss knows their part."""
    return labels.numbers is not None and not labels.is_rows and labels.units > 1
