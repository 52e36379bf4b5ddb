"""Arguments by the names that other libraries use: an error says the name used here."""

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable)

OTHER_NAMES = {
    "ignore_index": "ignore_class",
    "ignore_label": "ignore_class",
    "void": "ignore_class",
    "logits": "from_logits",
    "n_classes": "num_classes",
    "classes": "num_classes",
    "nb_classes": "num_classes",
    "weight": "class_weight",
    "class_weights": "class_weight",
    "multilabel": "multi_label",
    "average": "per_class",
    "validation_data": "probe",
    "data": "probe",
    "validation_steps": "probe",
}


def check_names(called: Callable, given: Iterable[str]) -> None:
    """Raises if an argument has the name that other libraries give it.

    Args:
        called: A class or function.
        given: Names of keyword arguments.

    Raises:
        TypeError: If `called` has no such argument, and has it by another name.
    """
    others = [name for name in given if name in OTHER_NAMES]
    if not others:
        return
    known = inspect.signature(called).parameters
    for name in others:
        if name not in known and OTHER_NAMES[name] in known:
            raise TypeError(
                f"`{called.__name__}` has no argument `{name}`: here it is "
                f"`{OTHER_NAMES[name]}`."
            )


def known_names(function: Function) -> Function:
    """Decorator of a function that calls `check_names` before it."""

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        check_names(function, kwargs)
        return function(*args, **kwargs)

    return checked  # type: ignore[return-value]


class KnownNames:
    """Base of classes that call `check_names` before `__init__`."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        check_names(cls, kwargs)
        return super().__new__(cls)
