"""Is the gradient finite, and if not: for which samples, and from which layer on?"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_trainfix import backend
from keras_trainfix.diagnosis.experiments.backward import (
    affordable,
    gradients_of,
    has_loss,
    loss_of,
)
from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.observe.layer_outputs import leaf_layers, untouched
from keras_trainfix.diagnosis.observe.sample import Sample
from keras_trainfix.diagnosis.observe.variation import is_finite
from keras_trainfix.diagnosis.trial.runner import tensors_of

MOST_NAMED = 4  # samples
PART = 16  # samples that are looked at together


class Place(NamedTuple):
    """Where a gradient stops being finite on its way back from the loss.

    Attributes:
        layer: String, the name of a layer.
        how: `"in"` that layer, `"behind"` it, in code of the model that is no layer,
            or `"weights"`: only the gradient of its weights is not finite.
    """

    layer: str
    how: str


class FiniteGradients(NamedTuple):
    """The gradient of the loss with respect to all weights.

    Attributes:
        looked: Integer, how many samples were looked at.
        bad: List of numbers of samples whose gradient is not finite, a few at most;
            empty if all are, or if it takes several samples together.
        loss: Float, the loss of the bad samples; of all where none is bad.
        is_finite: Whether the gradient of all samples is finite.
        place: `Place`; None where that is the loss itself, or nothing is wrong.
    """

    looked: int
    bad: list[int]
    loss: float
    is_finite: bool
    place: Place | None = None


@instrument("gradient of each sample finite")
def finite_gradients(snapshot: Any) -> FiniteGradients | None:
    """The `FiniteGradients` of a `Snapshot` at the present weights.

    None without a loss, or where weights, inputs or predictions are not finite in the
    first place; and where targets make the loss NaN.
    """
    if not has_loss(snapshot) or not _begins_finite(snapshot):
        return None
    seen = gradients_at(snapshot.model, snapshot.sample, affordable(snapshot))
    is_of_targets = not all(is_finite(y) for y in snapshot.targets if y is not None)
    return None if is_of_targets and not np.isfinite(seen.loss) else seen


def gradients_at(
    model: keras.Model, sample: Sample, chosen: np.ndarray
) -> FiniteGradients:
    """The `FiniteGradients` of some samples at the present weights.

    Args:
        model: A compiled `keras.Model`.
        sample: `Sample`.
        chosen: Array of the numbers of samples.
    """
    variables = model.trainable_variables

    def passed(numbers):
        batch = tensors_of(sample, numbers)
        with untouched(model):
            return gradients_of(model, lambda: loss_of(model, batch), variables)

    def is_bad(numbers):
        return not _are_finite(passed(numbers)[1])

    loss, gradients = passed(chosen)
    if _are_finite(gradients):
        return FiniteGradients(len(chosen), [], loss, True)
    bad = narrowed(is_bad, chosen)
    batch = tensors_of(sample, np.array(bad[:1]) if bad else chosen)
    if bad:
        loss, gradients = passed(np.array(bad[:1]))
    names = [
        variable.path.split("/")[-2] if "/" in variable.path else variable.name
        for variable, gradient in zip(variables, gradients, strict=True)
        if not _are_finite([gradient])
    ]
    place = _place(model, batch) or (Place(names[-1], "weights") if names else None)
    is_of_loss = place is not None and place.how == "loss"
    return FiniteGradients(len(chosen), bad, loss, False, None if is_of_loss else place)


def narrowed(
    is_bad: Callable[[np.ndarray], bool], numbers: np.ndarray, most: int = MOST_NAMED
) -> list[int]:
    """Those of some numbers that are bad alone.

    Batches have one of two sizes, since JAX compiles for each size.

    Args:
        is_bad: Function of an array of numbers; it is true for all of them.
        numbers: Array of integers.
        most: Integer, how many to find.

    Returns:
        List of integers; empty if numbers are bad only together.

    Examples:
        >>> narrowed(lambda some: 5 in some, np.arange(40))
        [5]
    """
    found: list[int] = []
    for start in range(0, len(numbers), PART):
        part = np.resize(numbers[start : start + PART], PART)
        if not is_bad(part):
            continue
        for number in dict.fromkeys(part.tolist()):
            if is_bad(np.array([number])):
                found.append(number)
            if len(found) == most:
                return found
    return found


def _begins_finite(snapshot: Any) -> bool:
    weights = (backend.to_numpy(v) for v in snapshot.model.trainable_variables)
    arrays = [*snapshot.inputs.values(), *snapshot.predictions]
    return all(map(is_finite, arrays)) and all(
        np.isfinite(weight.astype("float32")).all() for weight in weights
    )


def _are_finite(gradients: Sequence[np.ndarray | None]) -> bool:
    return all(g is None or np.isfinite(g.astype("float32")).all() for g in gradients)


class _Call(NamedTuple):
    """One output of a layer during a pass, and the calls whose outputs it took."""

    layer: Any
    offset: keras.Variable
    sources: set[int]


def _place(model: keras.Model, batch: Sequence[Any]) -> Place | None:
    """Where the gradient of a batch stops being finite.

    A 0 is added to the output of each layer, and to the outputs of the model. The
    gradient of that 0 is the one that comes back to this place.
    """
    shapes: list[Any] = []
    with untouched(model), backend.no_gradient(), _intercepted(model, _noted(shapes)):
        y_pred = model(batch[0], training=True)
    ends = [_zeros(leaf) for leaf in keras.tree.flatten(y_pred)]
    offsets = [_zeros(tensor) for tensor in shapes]
    calls: list[_Call] = []

    def loss():
        calls.clear()
        with _intercepted(model, _shifted(offsets, calls)):
            y_pred = model(batch[0], training=True)
        flat = [
            y if end is None else y + end.value
            for y, end in zip(keras.tree.flatten(y_pred), ends, strict=True)
        ]
        y_pred = keras.tree.pack_sequence_as(y_pred, flat)
        return model.compute_loss(
            x=batch[0], y=batch[1], y_pred=y_pred, sample_weight=batch[2]
        )

    variables = [*offsets, *(end for end in ends if end is not None)]
    with untouched(model):
        _, gradients = gradients_of(model, loss, variables)
    fine = [_are_finite([gradient]) for gradient in gradients]
    at_end = fine[len(offsets) :]
    if at_end and not all(at_end):
        return Place("", "loss")
    last = max((i for i in range(len(calls)) if not fine[i]), default=None)
    if last is None:
        return None
    takers = [c for c in calls[last + 1 :] if last in c.sources]
    if takers:
        return Place(takers[0].layer.name, "in")
    return Place(calls[last].layer.name, "behind")


def _zeros(tensor: Any) -> keras.Variable | None:
    dtype = keras.backend.standardize_dtype(tensor.dtype)
    if not keras.backend.is_float_dtype(dtype):
        return None
    # A name of its own keeps the numbering of the user's variables.
    return keras.Variable(np.zeros(tensor.shape), dtype=dtype, name="offset")


def _noted(shapes: list[Any]) -> Callable[..., Any]:
    def note(layer, inputs, tensor):
        shapes.append(tensor)
        return tensor

    return note


def _shifted(offsets: list[keras.Variable], calls: list[_Call]) -> Callable[..., Any]:
    kept: list[Any] = []  # so that no other tensor gets the same id
    made: dict[int, int] = {}

    def shift(layer, inputs, tensor):
        number = len(calls)
        sources = {made[id(leaf)] for leaf in inputs if id(leaf) in made}
        shifted = tensor + offsets[number].value
        calls.append(_Call(layer, offsets[number], sources))
        made[id(shifted)] = number
        kept.append(shifted)
        return shifted

    return shift


@contextlib.contextmanager
def _intercepted(
    model: keras.Model, change: Callable[[Any, list, Any], Any]
) -> Iterator[None]:
    """While open, each float tensor that a layer gives passes through a function."""
    originals: dict[int, tuple] = {}

    def intercepting(layer, call):
        def call_and_change(*args, **kwargs):
            output = call(*args, **kwargs)
            inputs = keras.tree.flatten([args, kwargs])

            def changed(leaf):
                is_float = keras.ops.is_tensor(leaf) and keras.backend.is_float_dtype(
                    keras.backend.standardize_dtype(leaf.dtype)
                )
                return change(layer, inputs, leaf) if is_float else leaf

            return keras.tree.map_structure(changed, output)

        return call_and_change

    try:
        for layer in leaf_layers(model):
            originals[id(layer)] = (layer, layer.__dict__.get("call"))
            layer.__dict__["call"] = intercepting(layer, layer.call)
        yield
    finally:
        for layer, original in originals.values():
            if original is None:
                layer.__dict__.pop("call", None)
            else:
                layer.__dict__["call"] = original
