"""Treatments of all hidden layers: their activation, and what lies between them."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
from keras import ops

from keras_trainfix.diagnosis.experiments.in_place import with_attributes, with_calls
from keras_trainfix.diagnosis.experiments.treatment import Case, Variant, treatment
from keras_trainfix.messages import count

EPSILON = 1e-5
FEWEST = 3  # hidden layers, with which something between them may help
WITH_KERNEL = (
    keras.layers.Dense,
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
)
BOUNDED = ("softmax", "sigmoid", "tanh", "hard_sigmoid", "softsign")
SHOWN = {"relu": "ReLU", "gelu": "GELU"}


@treatment("relu", 90, ("KTF404", "KTF405", "KTF406", "KTF407", "KTF409"), in_fit=True)
def relu(case: Case) -> Iterator[Variant]:
    """ReLU in all hidden layers that have another activation."""
    yield from _activation(case, "relu", lambda before: before != "relu")


@treatment("gelu", 91, ("KTF404", "KTF407"), in_fit=True)
def gelu(case: Case) -> Iterator[Variant]:
    """GELU in all hidden layers that have ReLU, which may be dead."""
    yield from _activation(case, "gelu", lambda before: before == "relu")


@treatment("tanh", 92, ("KTF406", "KTF409"), in_fit=True)
def tanh(case: Case) -> Iterator[Variant]:
    """The bounded tanh in all hidden layers that have an unbounded activation."""
    yield from _activation(case, "tanh", lambda before: before not in BOUNDED)


@treatment("recurrent-tanh", 28, ("KTF406", "KTF409"))
def recurrent_tanh(case: Case) -> Iterator[Variant]:
    """The bounded tanh in recurrent layers, whose state other activations let grow."""
    cells = [
        output.layer.cell
        for output in case.snapshot.layers
        if isinstance(output.layer, keras.layers.RNN)
        and hasattr(output.layer.cell, "activation")
    ]
    cells = [x for x in cells if _name_of_activation(x) not in BOUNDED]
    if not cells:
        return
    changes = [(x, "activation", keras.activations.tanh) for x in cells]
    yield Variant(
        "tanh in the recurrent layers",
        case.training.changed(with_attributes(changes)),
        '# build the recurrent layers with activation="tanh", their default',
        lambda mended: mended.set(changes),
    )


@treatment("normalized-between", 85, ("KTF405", "KTF406", "KTF409", "KTF411"))
def normalized_between(case: Case) -> Iterator[Variant]:
    """Each sample standardized behind every hidden layer."""
    layers = [x for x in _hidden(case) if isinstance(x, WITH_KERNEL)]
    if len(layers) < FEWEST:
        return

    def normalized(call: Callable) -> Callable:
        def standardized(*args: Any, **kwargs: Any) -> Any:
            y = call(*args, **kwargs)
            mean = ops.mean(y, axis=-1, keepdims=True)
            spread = ops.std(y, axis=-1, keepdims=True)
            return (y - mean) / (spread + EPSILON)

        return standardized

    yield Variant(
        "layer normalization between the hidden layers",
        case.training.changed(with_calls(layers, normalized)),
        "# put keras.layers.LayerNormalization() behind each hidden layer",
        lambda mended: mended.replace_calls(layers, _normalized),
    )


@treatment("skip-connections", 86, ("KTF405", "KTF406", "KTF409"))
def skip_connections(case: Case) -> Iterator[Variant]:
    """The input of each hidden layer added to its output, where the shapes agree."""
    layers = [x for x in _hidden(case) if _keeps_shape(x)]
    if len(layers) < FEWEST:
        return

    def skipped(call: Callable) -> Callable:
        def with_input(x: Any, *args: Any, **kwargs: Any) -> Any:
            return x + call(x, *args, **kwargs)

        return with_input

    yield Variant(
        f"skip connections across {count(len(layers), 'hidden layer')}",
        case.training.changed(with_calls(layers, skipped)),
        "# add the input of each hidden layer to its output: x = x + layer(x)",
        lambda mended: mended.replace_calls(
            layers, lambda layer, x: keras.layers.Add()([x, layer(x)])
        ),
    )


def _activation(
    case: Case, name: str, replaces: Callable[[str], bool]
) -> Iterator[Variant]:
    """Another activation in the hidden layers whose present one it replaces."""
    layers = [x for x in _hidden(case) if replaces(_name_of_activation(x))]
    if not layers:
        return
    changes = [(x, "activation", keras.activations.get(name)) for x in layers]
    yield Variant(
        f"{SHOWN.get(name, name)} in the hidden layers",
        case.training.changed(with_attributes(changes)),
        f"# build the hidden layers with activation={name!r}",
        lambda mended: mended.set(changes),
    )


def _normalized(layer: keras.Layer, x: Any) -> Any:
    return keras.layers.LayerNormalization(epsilon=EPSILON)(layer(x))


def _name_of_activation(layer: keras.Layer) -> str:
    return getattr(layer.activation, "__name__", "")


def _keeps_shape(layer: keras.Layer) -> bool:
    if not isinstance(layer, keras.layers.Dense):
        return False
    taken, given = layer.weights[0].shape
    return taken == given


def _hidden(case: Case) -> list[keras.Layer]:
    """The layers with a kernel and an activation, but for the heads."""
    called = [
        output.layer
        for output in case.snapshot.layers
        if isinstance(output.layer, WITH_KERNEL)
    ]
    heads = {view.head.layer for view in case.snapshot.views()}
    unique = {id(layer): layer for layer in called if layer.name not in heads}
    return [
        layer for layer in unique.values() if _name_of_activation(layer) != "softmax"
    ]
