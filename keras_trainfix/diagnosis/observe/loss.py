"""What is known of a compiled loss without calling it."""

from typing import Any, NamedTuple

import keras

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
    ),
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


def loss_facts(loss):
    """The `LossFacts` of a loss as `compile` takes it: name, function or instance."""
    if loss is None:
        return LossFacts(None, "none", "none", None, ())
    if isinstance(loss, str):
        loss = keras.losses.get(loss)
    name = _name(loss)
    kinds = (kind for kind, names in KINDS.items() if name in names)
    kind = "custom" if is_own(loss) else next(kinds, "custom")
    if isinstance(loss, WeightedSum):
        first = loss.losses[0]
        return LossFacts(loss, name, "sum", first.from_logits, _ignored(first))
    takes_logits = kind in ("binary", "categorical", "sparse", "masked")
    is_ours = isinstance(loss, MaskedLoss)
    from_logits = _setting(loss, "from_logits", False)
    return LossFacts(
        loss,
        name,
        kind,
        bool(from_logits) if takes_logits or is_ours else None,
        _ignored(loss),
    )


def losses_of(model, names):
    """The compiled loss of each output of a model, as `compile` got it."""
    compiled = getattr(model, "loss", None)
    if isinstance(compiled, dict):
        return [compiled.get(name) for name in names]
    if isinstance(compiled, (list, tuple)):
        return list(compiled)
    return [compiled] * len(names)


def is_own(loss):
    """Whether the code of a loss is the user's, whatever its name."""
    loss = getattr(loss, "fn", loss)  # of a wrapped function
    home = getattr(loss, "__module__", None) or type(loss).__module__
    return home.partition(".")[0] not in ("keras", "keras_trainfix")


def is_overlap(loss):
    """Whether it is a Dice loss, or the like, by its name."""
    return any(word in loss.name.lower() for word in OVERLAPS)


def is_own_overlap(loss):
    """Whether it is an overlap that the user wrote."""
    return loss.kind == "custom" and is_overlap(loss)


def is_keras_region(loss):
    """Whether it is Dice or Tversky of Keras, which want rows and ignore nothing."""
    return loss.kind == "region" and not isinstance(loss.loss, MaskedLoss)


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
        value = getattr(loss, "_fn_kwargs", {}).get(key, default)
    return value


def _ignored(loss):
    ids = _setting(loss, "ignore_class", None)
    if ids is None:
        return ()
    return tuple(ids) if isinstance(ids, (tuple, list)) else (ids,)
