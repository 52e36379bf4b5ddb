"""What is known of a compiled loss without calling it."""

import functools
import numbers
from typing import Any, NamedTuple

import keras

from keras_trainfix.keras_internals import loss_settings
from keras_trainfix.losses.masked_loss import MaskedLoss
from keras_trainfix.losses.weighted_sum import WeightedSum

# The names of Keras' losses and of ours by what they expect of head and labels.
KINDS = {
    "binary": ("binary_crossentropy", "binary_focal_crossentropy"),
    "categorical": ("categorical_crossentropy", "categorical_focal_crossentropy"),
    "sparse": ("sparse_categorical_crossentropy",),
    "masked": ("masked_crossentropy",),
    "region": (
        "dice",
        "tversky",
        "masked_soft_dice",
        "masked_tversky",
        "masked_lovasz",
        "masked_cl_dice",
    ),
    "distance": ("masked_boundary", "masked_hausdorff"),
    "regression": (
        "mean_squared_error",
        "mean_absolute_error",
        "mean_squared_logarithmic_error",
        "mean_absolute_percentage_error",
        "huber",
        "log_cosh",
    ),
    "count": ("poisson",),
    "divergence": ("kl_divergence",),
    "hinge": ("hinge", "squared_hinge", "categorical_hinge"),
    "similarity": ("cosine_similarity",),
}
# Losses of Keras with an `axis` that they sum over, not that of the classes.
SUMMED_OVER = ("dice", "tversky")
OVERLAPS = ("dice", "jaccard", "iou", "tversky")  # in the names of losses


class LossFacts(NamedTuple):
    """A compiled loss.

    Attributes:
        loss: The `keras.Loss`, function, or None where the model is not compiled.
        name: String, its name in Keras' spelling, or that of the function.
        kind: One of `KINDS`, `"sum"` for `WeightedSum`, `"custom"`, or `"none"`.
        from_logits: Whether it takes logits; None where the question makes no sense.
        ignore_class: Ids of void, a tuple.
    """

    loss: Any
    name: str
    kind: str
    from_logits: bool | None
    ignore_class: tuple


def loss_facts(loss: Any) -> LossFacts:
    """The `LossFacts` of a loss as `compile` takes it: name, function or instance."""
    if loss is None:
        return LossFacts(None, "none", "none", None, ())
    if isinstance(loss, str):
        loss = keras.losses.get(loss)
    name = _name(loss)
    kinds = (kind for kind, names in KINDS.items() if name in names)
    kind = "custom" if is_own(loss) else next(kinds, "custom")
    if ours := reader_of(loss):
        is_sum = isinstance(loss, WeightedSum)
        name = name if is_sum else _snake(ours)
        kind = "sum" if is_sum else next(k for k in KINDS if name in KINDS[k])
        return LossFacts(loss, name, kind, ours.from_logits, _ignored(ours))
    takes_logits = kind in ("binary", "categorical", "sparse", "masked")
    from_logits = _setting(loss, "from_logits", False)
    return LossFacts(
        loss,
        name,
        kind,
        bool(from_logits) if takes_logits else None,
        _ignored(loss),
    )


def losses_of(model: keras.Model, names: list[str]) -> list[Any]:
    """The compiled loss of each output of a model, as `compile` got it."""
    compiled = getattr(model, "loss", None)
    if isinstance(compiled, dict):
        return [compiled.get(name) for name in names]
    if isinstance(compiled, (list, tuple)) and len(compiled) == len(names):
        return list(compiled)
    return [compiled] * len(names)


def class_axis(loss: Any, rank: int) -> int:
    """The class axis of predictions, as their loss sees it: the one place that knows.

    Args:
        loss: A loss as `compile` takes it: name, function, instance or None; or a list
            or dict of losses of the same predictions.
        rank: Integer, the number of axes of the predictions.

    Returns:
        Integer, 1 to `rank - 1`: the axis that the loss names, the last one if it names
        none that the predictions have. 1 for predictions `(N,)`, which lack it.

    Examples:
        >>> from keras_trainfix import MaskedCrossentropy
        >>> class_axis(MaskedCrossentropy(axis=1), 4)
        1
        >>> class_axis("sparse_categorical_crossentropy", 4)
        3
    """
    rank = max(rank, 2)
    axis = _declared_axis(loss)
    if axis is None or not -rank <= axis < rank or axis % rank == 0:
        axis = -1
    return axis % rank


def reader_of(loss: Any) -> MaskedLoss | None:
    """The loss of keras_trainfix that reads the labels for a compiled loss, or None.

    Args:
        loss: A loss as `compile` takes it: an instance, or a function with or without
            settings.
    """
    if isinstance(loss, WeightedSum):
        return loss.reader
    if isinstance(loss, MaskedLoss):
        return loss
    settings = loss_settings(loss)
    function = getattr(loss, "fn", loss)
    if isinstance(function, functools.partial):
        settings, function = {**function.keywords, **settings}, function.func
    made = getattr(function, "loss_class", None)
    return None if made is None else made(**settings)


def is_function_of_ours(loss: Any) -> bool:
    """Whether a compiled loss is the functional form of one of keras_trainfix."""
    return reader_of(loss) is not None and not isinstance(
        loss, (MaskedLoss, WeightedSum)
    )


def is_own(loss: Any) -> bool:
    """Whether the code of a loss is the user's, whatever its name."""
    loss = getattr(loss, "fn", loss)  # of a wrapped function
    home = getattr(loss, "__module__", None) or type(loss).__module__
    return home.partition(".")[0] not in ("keras", "keras_trainfix")


def is_overlap(loss: LossFacts) -> bool:
    """Whether it is a Dice loss, or the like, by its name."""
    return any(word in loss.name.lower() for word in OVERLAPS)


def is_own_overlap(loss: LossFacts) -> bool:
    """Whether it is an overlap that the user wrote."""
    return loss.kind == "custom" and is_overlap(loss)


def is_keras_region(loss: LossFacts) -> bool:
    """Whether it is Dice or Tversky of Keras, which want rows and ignore nothing."""
    return loss.kind == "region" and reader_of(loss.loss) is None


def _name(loss):
    function = getattr(loss, "fn", loss)  # a `LossFunctionWrapper` of Keras
    if isinstance(loss, (MaskedLoss, WeightedSum)):
        return type(loss).__name__ if isinstance(loss, WeightedSum) else _snake(loss)
    if isinstance(loss, keras.Loss) and function is loss:
        return _snake(loss)
    return getattr(function, "__name__", _snake(loss))


def _snake(loss):
    name = type(loss).__name__
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def _setting(loss, key, default):
    value = getattr(loss, key, None)
    if value is None:
        value = loss_settings(loss).get(key, default)
    return value


def _ignored(loss):
    ids = _setting(loss, "ignore_class", None)
    ids = ids if isinstance(ids, (tuple, list)) else (ids,)
    return tuple(int(i) for i in ids if isinstance(i, numbers.Integral))


def _declared_axis(loss):
    """The `axis` of a loss if it is where the classes are, or None."""
    if isinstance(loss, WeightedSum):
        loss = loss.losses
    if isinstance(loss, dict):
        loss = list(loss.values())
    if isinstance(loss, (list, tuple)):
        axes = {_declared_axis(one) for one in loss} - {None}
        return axes.pop() if len(axes) == 1 else None
    inner = getattr(loss, "fn", None)
    axis = _setting(loss, "axis", None)
    if isinstance(loss, functools.partial):
        axis, inner = loss.keywords.get("axis"), loss.func
    if _name(loss) in SUMMED_OVER and not isinstance(loss, MaskedLoss):
        return None
    if isinstance(axis, numbers.Integral) and not isinstance(axis, bool):
        return int(axis)
    return None if inner is None else _declared_axis(inner)
