"""Treatments of layers, in place."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
from keras import ops

from keras_trainfix.diagnosis.experiments.in_place import (
    all_trainable,
    passing_through,
    with_attributes,
    with_calls,
)
from keras_trainfix.diagnosis.experiments.treatment import Case, Variant, treatment
from keras_trainfix.keras_internals import child_layers
from keras_trainfix.models.batch_norm_layers import all_layers, batch_norm_layers

EPSILON = 1e-5
WITH_KERNEL = (
    keras.layers.Dense,
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
)
BOUNDED = ("softmax",)


@treatment("dropout-off", 13, ("KTF408",))
def dropout_off(case: Case) -> Iterator[Variant]:
    """No dropout."""
    layers = [x for x in all_layers(case.training.model) if _is_dropout(x)]
    if layers:
        names = ", ".join(repr(layer.name) for layer in layers[:3])
        yield Variant(
            f"the dropout of {names} off",
            case.training.changed(with_calls(layers, passing_through)),
            "for layer in model.layers:\n"
            "    if isinstance(layer, keras.layers.Dropout):\n"
            "        layer.rate = 0.0",
        )


@treatment("augmentation-off", 14, ("KTF305",))
def augmentation_off(case: Case) -> Iterator[Variant]:
    """Each random preprocessing layer off."""
    for layer in all_layers(case.training.model):
        if not type(layer).__name__.startswith(("Random", "CutMix", "MixUp", "Aug")):
            continue
        if child_layers(layer):
            continue
        yield Variant(
            f"the layer {layer.name!r} ({type(layer).__name__}) off",
            case.training.changed(with_calls([layer], passing_through)),
            f"# remove the layer {layer.name!r}, or correct its value range",
        )


@treatment("softmax-axis", 20, ("KTF213", "KTF422"))
def softmax_axis(case: Case) -> Iterator[Variant]:
    """Each `Softmax` layer over another axis."""
    ranks = {id(o.layer): o.values.ndim for o in case.snapshot.layers}
    for layer in all_layers(case.training.model):
        rank = ranks.get(id(layer), 0)
        if not isinstance(layer, keras.layers.Softmax) or rank < 3:
            continue
        if not isinstance(layer.axis, int):
            continue
        for axis in range(1, rank):
            if axis != layer.axis % rank:
                yield Variant(
                    f"the softmax {layer.name!r} over axis {axis}",
                    case.training.changed(with_attributes([(layer, "axis", axis)])),
                    f"model.get_layer({layer.name!r}).axis = {axis}",
                )


@treatment("attention-mask-inverted", 21)
def attention_mask_inverted(case: Case) -> Iterator[Variant]:
    """Attention masks that hide what they should show."""
    layers = [
        layer
        for layer in all_layers(case.training.model)
        if isinstance(layer, keras.layers.MultiHeadAttention)
    ]
    if not layers:
        return
    seen: list[bool] = []

    def inverted(call: Callable) -> Callable:
        def with_inverse(*args: Any, attention_mask: Any = None, **kwargs: Any) -> Any:
            if attention_mask is not None:
                seen.append(True)
                attention_mask = 1 - ops.cast(attention_mask, "int32")
            return call(*args, attention_mask=attention_mask, **kwargs)

        return with_inverse

    yield Variant(
        "the attention mask inverted",
        case.training.changed(with_calls(layers, inverted)),
        "# in `attention_mask`, 1 means look: pass 1 - mask",
    )


@treatment("positions-added", 65, ("KTF430",))
def positions_added(case: Case) -> Iterator[Variant]:
    """Positions added to what an embedding gives."""
    outputs = [
        o
        for o in case.snapshot.layers
        if isinstance(o.layer, keras.layers.Embedding) and o.values.ndim == 3
    ]
    names = {type(layer).__name__ for layer in all_layers(case.training.model)}
    recurrent = any(
        "RNN" in n or "LSTM" in n or "GRU" in n or "Conv" in n for n in names
    )
    if not outputs or recurrent or any("Position" in name for name in names):
        return
    layer = outputs[0].layer

    def placed(call: Callable) -> Callable:
        def with_positions(*args: Any, **kwargs: Any) -> Any:
            y = call(*args, **kwargs)
            if len(y.shape) != 3:
                return y
            steps, width = y.shape[1], y.shape[2]
            angles = ops.arange(steps, dtype=y.dtype)[:, None] / ops.power(
                ops.cast(1e4, y.dtype),
                ops.cast(ops.arange(width)[None] // 2 * 2, y.dtype) / width,
            )
            is_even = ops.cast(ops.arange(width) % 2 == 0, y.dtype)
            waves = is_even * ops.sin(angles) + (1 - is_even) * ops.cos(angles)
            return y + waves[None]

        return with_positions

    yield Variant(
        f"positions added behind {layer.name!r}",
        case.training.changed(with_calls([layer], placed)),
        "# add an embedding of the positions to that of the tokens:\n"
        "# keras.layers.Embedding(steps, width)(np.arange(steps))",
    )


@treatment("all-trainable", 80, ("KTF303", "KTF306"))
def everything_trainable(case: Case) -> Iterator[Variant]:
    """No frozen layer."""
    layers = all_layers(case.training.model)
    if any(not layer.trainable and layer.weights for layer in layers):
        yield Variant(
            "all layers trainable",
            case.training.changed(all_trainable(layers)),
            "model.trainable = True  # and compile again",
        )


@treatment("statistics-frozen", 15, ("KTF301",))
def statistics_frozen(case: Case) -> Iterator[Variant]:
    """Batch normalization by its moving averages."""
    layers = [x for x in batch_norm_layers(case.training.model) if x.trainable]
    if not layers or not case.snapshot.iterations:
        return

    def frozen(call: Callable) -> Callable:
        def in_inference(*args: Any, **kwargs: Any) -> Any:
            return call(*args, **{**kwargs, "training": False})

        return in_inference

    yield Variant(
        "the statistics of batch normalization frozen",
        case.training.changed(with_calls(layers, frozen)),
        "from keras_trainfix import freeze_batch_norm\n\nfreeze_batch_norm(model)",
    )


@treatment("relu", 90, ("KTF404", "KTF405", "KTF406", "KTF407"))
def relu(case: Case) -> Iterator[Variant]:
    """ReLU in all hidden layers that have another activation."""
    relu_function = keras.activations.relu
    layers = _hidden(case)
    others = [x for x in layers if x.activation is not relu_function]
    if others:
        yield Variant(
            "ReLU in the hidden layers",
            case.training.changed(
                with_attributes((x, "activation", relu_function) for x in others)
            ),
            "# build the hidden layers with activation='relu'",
        )


@treatment("gelu", 91, ("KTF404", "KTF407"))
def gelu(case: Case) -> Iterator[Variant]:
    """GELU in all hidden layers that have ReLU, which may be dead."""
    layers = [x for x in _hidden(case) if x.activation is keras.activations.relu]
    if layers:
        yield Variant(
            "GELU in the hidden layers",
            case.training.changed(
                with_attributes(
                    (x, "activation", keras.activations.gelu) for x in layers
                )
            ),
            "# build the hidden layers with activation='gelu'",
        )


@treatment("normalized-between", 85, ("KTF405", "KTF406", "KTF411"))
def normalized_between(case: Case) -> Iterator[Variant]:
    """Each sample standardized behind every hidden layer."""
    layers = [x for x in _hidden(case) if isinstance(x, WITH_KERNEL)]
    if len(layers) < 3:
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
    )


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
        layer
        for layer in unique.values()
        if getattr(layer.activation, "__name__", "") not in BOUNDED
    ]


def _is_dropout(layer: keras.Layer) -> bool:
    names = ("Dropout", "SpatialDropout", "GaussianDropout", "AlphaDropout")
    is_one = type(layer).__name__.startswith(names)
    return is_one and bool(getattr(layer, "rate", 0))
