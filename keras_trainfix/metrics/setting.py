"""The arguments that say how labels and predictions are read, checked once."""

import numbers
from typing import NamedTuple, TypeAlias

from keras_trainfix.labels import ignored_ids
from keras_trainfix.labels.messages import shown
from keras_trainfix.labels.types import IgnoreClass

# The first arguments of `checked_setting`, in their order.
Arguments: TypeAlias = tuple[int, IgnoreClass, int, float, bool]


class Setting(NamedTuple):
    """How labels and predictions are read: all that does not depend on a batch.

    `multi_label` is None for a metric without such an argument.
    """

    num_classes: int
    ignored: tuple[int, ...]
    axis: int
    threshold: float
    from_logits: bool
    multi_label: bool | None = None


def checked_setting(
    num_classes: int,
    ignore_class: IgnoreClass,
    axis: int,
    threshold: float,
    from_logits: bool,
    multi_label: bool | None = None,
) -> Setting:
    """The `Setting` of these arguments.

    Raises:
        ValueError: If an argument is out of range.
    """
    is_integer = isinstance(num_classes, numbers.Integral)
    least = 1 if multi_label else 2
    if not is_integer or isinstance(num_classes, bool) or num_classes < least:
        raise ValueError(
            f"`num_classes` must be an integer, {least} or more. Received: "
            f"num_classes={num_classes!r}. One sigmoid unit has two classes, 0 and 1."
        )
    ignored = ignored_ids(ignore_class)
    if all(index in ignored for index in range(num_classes)):
        raise ValueError(
            "`ignore_class` must leave at least one class. Received: "
            f"ignore_class={shown(ignored)}, num_classes={num_classes}. Pass only the "
            "ids of void."
        )
    is_number = isinstance(threshold, numbers.Real)
    if not is_number or not 0 < threshold < 1:
        raise ValueError(
            "`threshold` must be a probability between 0 and 1, even with "
            f"from_logits=True. Received: threshold={threshold!r}."
        )
    if not isinstance(axis, numbers.Integral):
        raise ValueError(f"`axis` must be an integer. Received: axis={axis!r}.")
    return Setting(
        *(int(num_classes), ignored, int(axis), float(threshold)),
        bool(from_logits),
        None if multi_label is None else bool(multi_label),
    )
