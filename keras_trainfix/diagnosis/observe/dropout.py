"""Dropout layers that leave too little, or act on the predictions themselves."""

from typing import Any

import keras

from keras_trainfix.diagnosis.observe.variation import same_values

DROPS_MOST = 0.8  # rate


def strongest_dropout(snapshot: Any) -> keras.layers.Dropout | None:
    """The dropout layer that keeps least, if that is too little; or None."""
    layers = [output.layer for output in snapshot.layers]
    dropout = [layer for layer in layers if isinstance(layer, keras.layers.Dropout)]
    strong = [layer for layer in dropout if layer.rate >= DROPS_MOST]
    return max(strong, key=lambda layer: layer.rate, default=None)


def late_dropout(view: Any) -> keras.layers.Dropout | None:
    """The dropout after the last layer with weights of an output, or None."""
    outputs = view.layers
    end = max(
        (
            i
            for i, output in enumerate(outputs)
            if same_values(output.values, view.predictions)
        ),
        default=None,
    )
    if end is None or view.head.layer is None:
        return None
    for index in range(end, -1, -1):
        layer, values = outputs[index]
        if layer.name == view.head.layer:
            return None
        same_size = values.shape[1:] == view.predictions.shape[1:]
        if isinstance(layer, keras.layers.Dropout) and layer.rate > 0 and same_size:
            return layer
    return None
