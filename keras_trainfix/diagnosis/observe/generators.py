"""Random generators that a user's own layers draw from, which no look may move."""

import contextlib
import copy
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np

METHODS = ("call", "compute_loss", "train_step")


@contextlib.contextmanager
def unmoved(layers: Iterable[keras.Layer]) -> Iterator[None]:
    """Puts back, in the end, the generators that layers hold or refer to.

    These are generators of NumPy, Python, torch, TensorFlow and Keras that are
    attributes of a layer, or that its code takes from its module or closure.

    Args:
        layers: The layers, the model among them.
    """
    found: dict[int, Any] = {}
    for layer in layers:
        for value in _values(layer):
            found[id(value)] = value
    put_back = [_restorer(value) for value in found.values()]
    try:
        yield
    finally:
        for restore in put_back:
            if restore is not None:
                restore()


def _values(layer):
    """What a layer of the user holds, and what its code refers to."""
    if isinstance(layer, keras.layers.Lambda):
        yield from _references(layer.function)
    if (type(layer).__module__ or "").partition(".")[0] == "keras":
        return
    for value in list(vars(layer).values()):
        is_several = isinstance(value, (list, tuple))
        yield from value if is_several else [value]
    for name in METHODS:
        yield from _references(getattr(type(layer), name, None))


def _references(function):
    function = getattr(function, "__wrapped__", function)
    code = getattr(function, "__code__", None)
    if code is None or (function.__module__ or "").partition(".")[0] == "keras":
        return
    names = [name for name in code.co_names if name in function.__globals__]
    yield from (function.__globals__[name] for name in names)
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):  # not filled yet
            yield cell.cell_contents


def _restorer(value: Any) -> Callable[[], Any] | None:
    """A function that puts a generator back; None for anything else."""
    if isinstance(value, np.random.Generator):
        bits, state = value.bit_generator, copy.deepcopy(value.bit_generator.state)
        return lambda: setattr(bits, "state", state)
    if isinstance(value, random.Random):
        numbers = value.getstate()
        return lambda: value.setstate(numbers)
    name, module = (
        type(value).__name__,
        (type(value).__module__ or "").partition(".")[0],
    )
    if isinstance(value, np.random.RandomState) or (name, module) in (
        ("Generator", "torch"),
        ("Generator", "torch._C"),
    ):
        kept = value.get_state()
        return lambda: value.set_state(kept)
    is_keras = isinstance(value, keras.random.SeedGenerator)
    if is_keras or (name, module) == ("Generator", "tensorflow"):
        seeds = value.state.numpy()
        return lambda: value.state.assign(seeds)
    return None
