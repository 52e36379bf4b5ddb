"""Treatments of layers, in place."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_trainfix.diagnosis.experiments.in_place import (
    all_trainable,
    passing_through,
    with_attributes,
    with_calls,
)
from keras_trainfix.diagnosis.experiments.mended import Mended
from keras_trainfix.diagnosis.experiments.treatment import Case, Variant, treatment
from keras_trainfix.keras_internals import child_layers
from keras_trainfix.models.batch_norm_layers import all_layers

AUGMENTATIONS = ("Random", "CutMix", "MixUp", "Aug", "Rand", "Solarization")
RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))


@treatment("dropout-off", 15, ("KTF408", "KTF411"), in_fit=True)
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
            lambda mended: mended.set((layer, "rate", 0.0) for layer in layers),
        )


@treatment("augmentation-range", 16, ("KTF305",))
def augmentation_range(case: Case) -> Iterator[Variant]:
    """The value range of each random preprocessing layer set to that of the images."""
    for output in case.snapshot.layers:
        given = getattr(output.layer, "value_range", None)
        if given is None or not _is_augmentation(output.layer):
            continue
        right = _range_of(output.values)  # in inference it passes its input on
        if right is None or tuple(map(float, given)) == right:
            continue
        changes = [
            (layer, "value_range", right)
            for layer in all_layers(output.layer)
            if hasattr(layer, "value_range")
        ]
        name = output.layer.name
        yield Variant(
            f"value_range=({right[0]:g}, {right[1]:g}) for the layer {name!r}",
            case.training.changed(with_attributes(changes)),
            f"model.get_layer({name!r}).value_range = {right}",
            functools.partial(Mended.set, changes=changes),
        )


@treatment("augmentation-off", 17, ("KTF305",))
def augmentation_off(case: Case) -> Iterator[Variant]:
    """Each random preprocessing layer off."""
    for layer in all_layers(case.training.model):
        if not _is_augmentation(layer) or child_layers(layer):
            continue
        yield Variant(
            f"the layer {layer.name!r} ({type(layer).__name__}) off",
            case.training.changed(with_calls([layer], passing_through)),
            f"# remove the layer {layer.name!r}, or correct its value range",
            functools.partial(_without, layer),
        )


@treatment("softmax-axis", 26, ("KTF213", "KTF422"))
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
                    functools.partial(Mended.set, changes=[(layer, "axis", axis)]),
                )


@treatment("attention-mask-inverted", 27)
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
        lambda mended: mended.replace_calls([layer], _with_positions),
    )


@treatment("all-trainable", 80, ("KTF303", "KTF306"), in_fit=True, sure=("KTF303",))
def everything_trainable(case: Case) -> Iterator[Variant]:
    """No frozen layer."""
    layers = all_layers(case.training.model)
    if any(not layer.trainable and layer.weights for layer in layers):
        yield Variant(
            "all layers trainable",
            case.training.changed(all_trainable(layers)),
            "model.trainable = True  # and compile again",
            lambda mended: mended.set((layer, "trainable", True) for layer in layers),
        )


def _with_positions(layer: keras.Layer, ids: Any) -> Any:
    """What an embedding gives, plus a trainable embedding of the positions."""
    y = layer(ids)
    positions = ops.cumsum(ops.ones_like(ids, dtype="int32"), axis=1) - 1
    return keras.layers.Add()([y, keras.layers.Embedding(*y.shape[1:])(positions)])


def _without(layer: keras.Layer, mended: Mended) -> None:
    mended.replace_calls([layer], lambda _, x: x)


def _is_augmentation(layer: keras.Layer) -> bool:
    return type(layer).__name__.startswith(AUGMENTATIONS)


def _range_of(images: np.ndarray) -> tuple[float, float] | None:
    """The usual range of images that their values lie in, or None."""
    low, high = float(images.min()), float(images.max())
    return next((r for r in RANGES if r[0] <= low and high <= r[1]), None)


def _is_dropout(layer: keras.Layer) -> bool:
    names = ("Dropout", "SpatialDropout", "GaussianDropout", "AlphaDropout")
    is_one = type(layer).__name__.startswith(names)
    return is_one and bool(getattr(layer, "rate", 0))
