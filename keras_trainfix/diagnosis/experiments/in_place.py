"""Changes of a model in place that are undone when their context closes."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras

from keras_trainfix.diagnosis.experiments.training import Change

MISSING = object()


@contextlib.contextmanager
def attributes(changes: Iterable[tuple[Any, str, Any]]) -> Iterator[None]:
    """Sets attributes of objects, and puts them back.

    Plain attributes are set past `__setattr__`, which would track layers and functions.

    Args:
        changes: Triples of an object, the name of an attribute and its value.
    """
    before = []
    try:
        for owner, name, value in changes:
            is_property = isinstance(getattr(type(owner), name, None), property)
            old = (
                getattr(owner, name) if is_property else vars(owner).get(name, MISSING)
            )
            before.append((owner, name, old))
            _set(owner, name, value)
        yield
    finally:
        for owner, name, value in reversed(before):
            _set(owner, name, value)


def _set(owner: Any, name: str, value: Any) -> None:
    if isinstance(getattr(type(owner), name, None), property):
        setattr(owner, name, value)
    elif value is MISSING:
        vars(owner).pop(name, None)
    else:
        vars(owner)[name] = value


def with_attributes(changes: Iterable[tuple[Any, str, Any]]) -> Change:
    """A change that sets attributes."""
    fixed = list(changes)
    return lambda model: attributes(fixed)


def with_calls(
    layers: Iterable[keras.Operation], wrap: Callable[[Callable], Callable]
) -> Change:
    """A change that replaces the `call` of layers.

    Args:
        layers: List of `keras.Layer`, or of other operations of a functional model.
        wrap: Function of the bound `call` of a layer that returns another one.
    """
    chosen = list(layers)
    return lambda model: attributes(
        (layer, "call", wrap(layer.call)) for layer in chosen
    )


def passing_through(call: Callable) -> Callable:
    """A call that returns its first argument."""

    def identity(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        return inputs

    return identity


def all_trainable(layers: Iterable[keras.Layer]) -> Change:
    """A change that makes layers trainable."""
    chosen = list(layers)

    @contextlib.contextmanager
    def change(model: keras.Model) -> Iterator[None]:
        before = [(layer, layer.trainable) for layer in chosen]
        variables = [(v, v.trainable) for layer in chosen for v in layer.variables]
        try:
            for layer in chosen:
                layer.trainable = True
            yield
        finally:
            for layer, value in before:  # a model sets its layers, which come later
                layer.trainable = value
            for variable, value in variables:
                variable.trainable = value

    return change
