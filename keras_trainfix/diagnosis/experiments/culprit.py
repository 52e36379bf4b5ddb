"""The first layer whose output shows a fault of the answers."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_trainfix.diagnosis.observe.layer_outputs import layer_outputs
from keras_trainfix.models.batch_norm_layers import all_layers


def first_layer(
    model: keras.Model, x: Any, shows: Callable[[np.ndarray], bool]
) -> keras.Layer | None:
    """The first layer whose output has a property.

    Args:
        model: A built `keras.Model`.
        x: Inputs.
        shows: Function of the output of a layer, float64.

    Returns:
        The layer: for a part of an attention layer or a wrapper, the whole of it. None
        if no output of a layer has the property.
    """
    _, outputs = layer_outputs(model, x)
    for output in outputs:
        if output.is_finite and shows(output.values.astype("float64")):
            return _whole(model, output.layer)
    return None


def _whole(model, part):
    """The innermost layer that holds a part, unless that is a model."""
    holders = [
        layer
        for layer in all_layers(model)
        if not isinstance(layer, keras.Model)
        and layer is not part
        and any(inner is part for inner in all_layers(layer))
    ]
    return holders[-1] if holders else part
