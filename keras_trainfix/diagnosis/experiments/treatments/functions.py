"""Treatments of functions in a model that are finite only for some arguments."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_trainfix import backend
from keras_trainfix.diagnosis.experiments.in_place import with_calls
from keras_trainfix.diagnosis.experiments.mended import Mended
from keras_trainfix.diagnosis.experiments.treatment import Case, Variant, treatment
from keras_trainfix.models.batch_norm_layers import all_layers

# What a function is asked at: inner values are kept, the outermost ones mean no bound.
BELOW = (-1e4, -80.0, -20.0, -1.0, -1e-3, -1e-7, 0.0, 1e-7, 1e-3)
INSIDE = 0.5  # where nearly every function is finite
GRID = (*BELOW, INSIDE, 1 - 1e-6, 1.0, 20.0, 80.0, 1e4)
MOST_FUNCTIONS = 2  # layers


@treatment("argument-clipped", 25, ("KTF409", "KTF412"))
def argument_clipped(case: Case) -> Iterator[Variant]:
    """What goes into a function of the user kept where that is finite."""
    model = case.training.model
    functions = [layer for layer in all_layers(model) if _is_function(layer)]
    functions += [
        one
        for one in getattr(model, "operations", ())
        if not isinstance(one, keras.Layer)
    ]
    found = 0
    for layer in functions:
        ends = finite_range(layer)
        if ends is None or found == MOST_FUNCTIONS:
            continue
        found += 1
        yield _with_argument(case, layer, ends)


def _with_argument(
    case: Case, layer: keras.Operation, ends: tuple[float, float]
) -> Variant:
    def within(call: Callable) -> Callable:
        def with_clipped(x: Any, *args: Any, **kwargs: Any) -> Any:
            return call(clipped(x, *ends), *args, **kwargs)

        return with_clipped

    def mend(mended: Mended) -> None:
        mended.replace_calls([layer], lambda one, x: one(clipped(x, *ends)))

    low, high = (f"{end:g}" for end in ends)
    return Variant(
        f"the input of {layer.name!r} clipped to [{low}, {high}]",
        case.training.changed(with_calls([layer], within)),
        f"# in {layer.name!r}, before the function that is not finite elsewhere:\n"
        f"# x = keras.ops.clip(x, {low}, {high})".replace("inf", "float('inf')"),
        mend if isinstance(layer, keras.Layer) else None,
    )


def finite_range(layer: keras.Operation) -> tuple[float, float] | None:
    """Where the output and the gradient of an elementwise function are finite.

    Args:
        layer: A `keras.Layer` without weights, or another operation, of a functional
            model.

    Returns:
        `(low, high)`, infinite on a side without a limit; None where both are, or
        where the layer takes something other than one array of floats.
    """
    taken = None
    with contextlib.suppress(AttributeError, ValueError):  # it has none, or several
        taken = layer.input
    if not isinstance(taken, keras.KerasTensor) or "float" not in taken.dtype:
        return None
    shape = (1, *(size or 2 for size in taken.shape[1:]))

    def is_finite(number: float) -> bool:
        variable = keras.Variable(np.full(shape, number, "float32"))
        value, (slope,) = backend.value_and_gradients(
            lambda: ops.sum(ops.cast(layer(variable.value), "float32")), [variable]
        )
        known = [value] if slope is None else [value, slope]
        return all(np.isfinite(part).all() for part in known)

    with np.errstate(all="ignore"):
        good = [is_finite(number) for number in GRID]
    inside, last = GRID.index(INSIDE), len(GRID) - 1
    if not good[inside] or all(good):
        return None
    low = next((i + 1 for i in range(inside, -1, -1) if not good[i]), 0)
    high = next((i - 1 for i in range(inside, last + 1) if not good[i]), last)
    return (
        GRID[low] if low else -np.inf,
        GRID[high] if high < last else np.inf,
    )


def clipped(x: Any, low: float, high: float) -> Any:
    """A tensor within limits, which may be infinite."""
    if np.isfinite(low):
        x = ops.maximum(x, low)
    return ops.minimum(x, high) if np.isfinite(high) else x


def _is_function(layer: keras.Layer) -> bool:
    """Whether a layer is code of the user, or an activation, without weights."""
    if layer.weights or isinstance(layer, keras.Model):
        return False
    home = type(layer).__module__ or ""  # None of code from `exec`
    kinds = (keras.layers.Lambda, keras.layers.Activation)
    return isinstance(layer, kinds) or not home.startswith("keras")
