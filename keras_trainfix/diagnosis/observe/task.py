"""What a model is for, from its loss, its head and its targets."""

CLASSIFIES = ("binary", "categorical", "sparse", "masked", "region", "sum", "hinge")


def infer_task(loss, head, labels, shape):
    """What an output is for.

    Args:
        loss: `LossFacts`.
        head: `Head`.
        labels: `Labels`, or None without targets.
        shape: The shape of the predictions.

    Returns:
        `"regression"`, `"binary classification"`, `"multi-class classification"`,
        `"multi-label classification"` or `"unknown"`; of images `"segmentation"` in
        place of the classifications, of sequences with `" of sequences"`.
    """
    form = labels.form if labels else None
    is_classes = form in ("one-hot", "multi-hot", "soft", "ids", "binary")
    if loss.kind in CLASSIFIES and form != "real":
        kind = "classification"
    elif loss.kind in ("regression", "count", "similarity", "none", "custom"):
        squashed = head.is_probability
        kind = "classification" if is_classes and squashed else "regression"
        if loss.kind in ("none", "custom") and form is None:
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
