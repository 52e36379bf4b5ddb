"""What a model answers when a part of its inputs is replaced."""

import warnings
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_trainfix import backend
from keras_trainfix.diagnosis.observe.layer_outputs import unchanged
from keras_trainfix.diagnosis.snapshot import Snapshot, call_named

FEW = 32  # samples: enough for a ratio of two movements
FEWEST = 8
UNNAMED = ("keras_tensor", "None")  # names that the user did not give


class Input(NamedTuple):
    """One input of a model.

    Attributes:
        name: String, for the user.
        code: String, how the user's `x` gives it: `"x"`, `"x[1]"` or `"x['text']"`.
        key: Integer or string, its place in `x`; None for the only input.
        values: NumPy array `(N, ...)`.
    """

    name: str
    code: str
    key: Any
    values: np.ndarray


def inputs_of(snapshot: Snapshot) -> list[Input]:
    """The inputs that are arrays of numbers; those in nested structures are left out.

    Args:
        snapshot: `Snapshot`.
    """
    x = snapshot.sample.x
    if isinstance(x, dict):
        found = [Input(str(key), f"x[{key!r}]", key, x[key]) for key in x]
    elif isinstance(x, (list, tuple)):
        tensors = getattr(snapshot.model, "inputs", None) or ()
        tensors = tensors if len(tensors) == len(x) else [None] * len(x)
        names = [str(getattr(tensor, "name", None)) for tensor in tensors]
        found = [
            Input(
                f"x[{index}]" if name.startswith(UNNAMED) else name,
                f"x[{index}]",
                index,
                values,
            )
            for index, (name, values) in enumerate(zip(names, x, strict=True))
        ]
    else:
        found = [Input("x", "x", None, x)]
    return [
        one
        for one in found
        if isinstance(one.values, np.ndarray) and one.values.dtype.kind in "biuf"
    ]


def some(snapshot: Snapshot, rows: Any) -> Any:
    """Some samples of the inputs, in the structure of `x`.

    Args:
        snapshot: `Snapshot`.
        rows: Slice, or array of the numbers of samples.
    """
    return keras.tree.map_structure(lambda leaf: leaf[rows], snapshot.sample.x)


def replaced(x: Any, key: Any, values: np.ndarray) -> Any:
    """`x` with other values of one input.

    Args:
        x: Array, or list or dict of arrays.
        key: The `key` of an `Input`.
        values: Array.
    """
    if key is None:
        return values
    if isinstance(x, dict):
        return {**x, key: values}
    return [values if index == key else leaf for index, leaf in enumerate(x)]


def answers_to(snapshot: Snapshot, variants: list[Any]) -> list[list[np.ndarray]]:
    """The answers of a model to several variants of the same samples, from one call.

    Args:
        snapshot: `Snapshot`.
        variants: List of inputs of the same shapes.

    Returns:
        List of a list of arrays, one for each output, in the order of the variants.
    """
    stacked = keras.tree.map_structure(lambda *same: np.concatenate(same), *variants)
    outputs = list(call_quietly(snapshot.model, stacked).values())
    number = len(variants)
    parts = [np.split(values.astype("float64"), number) for values in outputs]
    return [[part[index] for part in parts] for index in range(number)]


def call_quietly(model: keras.Model, x: Any) -> dict[str, np.ndarray]:
    """The outputs in inference mode, by their names; the model stays as it is.

    Args:
        model: A built `keras.Model`.
        x: Inputs.
    """
    with warnings.catch_warnings(), unchanged(model), backend.no_gradient():
        warnings.simplefilter("ignore")
        return call_named(model, x)


def movement(one: np.ndarray, other: np.ndarray, kept: int = 0) -> np.ndarray:
    """How far answers moved: root mean squares, one for each entry of the first axes.

    Args:
        one: Array `(N, ...)`.
        other: Array of the same shape.
        kept: Integer, how many axes after the first are kept. The default of 0
            returns one number for each sample.

    Returns:
        Array of the shape of the first `1 + kept` axes.

    Examples:
        >>> movement(np.zeros((2, 3)), np.array([[0, 0, 0], [3, 3, 3]])).tolist()
        [0.0, 3.0]
    """
    squares = (one - other) ** 2
    axes = tuple(range(1 + kept, squares.ndim))
    return np.sqrt(squares.mean(axes) if axes else squares)
