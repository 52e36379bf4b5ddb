"""Population statistics for batch normalization ("precise BN")."""

import warnings
from typing import Any

import keras
import numpy as np

from keras_trainfix.backend import to_numpy
from keras_trainfix.data import input_batches, number_of_batches
from keras_trainfix.messages import Progress, count, listed, tell
from keras_trainfix.models.batch_norm_layers import (
    LayerChoice,
    batch_norm_layers,
    plain_only,
)
from keras_trainfix.models.batch_statistics import (
    Statistics,
    call_on_batch,
    observed,
    uses_batch_statistics,
)


def recalibrate_batch_norm(
    model: keras.Layer,
    data: Any,
    steps: int | None = None,
    *,
    layers: LayerChoice = None,
    batch_size: int = 32,
) -> keras.Layer:
    """Replaces the moving statistics of `model` with those of `data`, in place.

    Moving averages lag behind the weights: after a few dozen steps with momentum
    0.99 they still describe the network as it was at the start, and inference is
    wrong although training was right. This function computes the statistics that
    belong to the present weights.

    The mean and the variance of each layer are those of all values in all batches
    together (the pooled variance, exact for a short last batch and under a mask),
    not an average of batch variances. The layers below normalize each batch with its
    own statistics, as in training and as Wu and Johnson define it, so one pass over
    the data is enough; use the training batch size. Dropout is off.

    Only layers that normalize with the batch in training are changed. Frozen layers
    and those with `trainable=False` are changed only if `layers` names them. Weights,
    optimizer and random state stay. After an error the model is unchanged.

    Args:
        model: A built `keras.Model`, or any built layer.
        data: Inputs like those of training: an array of shape `(samples, ...)`, or a
            list or dict of arrays for several inputs; a tuple `(x, y)`; or batches
            as `fit` accepts them (`tf.data.Dataset`, `keras.utils.PyDataset`, torch
            `DataLoader`, generator). Targets are ignored.
        steps: Integer, the number of batches to use, or None for all. A few hundred
            are enough. Defaults to `None`.
        layers: None for all layers that normalize with the batch in training; or one
            or several names, paths or layers. Defaults to `None`.
        batch_size: Integer, the number of samples in a batch if `data` are arrays.
            Defaults to `32`.

    Returns:
        `model`, the same object. The number of changed layers is printed, and
        progress is shown in a terminal or notebook.

    Raises:
        TypeError: If `model` is not a Keras model or layer, or if `data` are none of
            the above.
        ValueError: If the model is not built or all of its layers are frozen, or if
            the data are empty, not finite, endless without `steps`, or do not fit
            the model.

    Examples:
        >>> import keras, numpy as np
        >>> keras.config.disable_interactive_logging()
        >>> model = keras.Sequential(
        ...     [keras.Input((1,)), keras.layers.BatchNormalization(name="bn")]
        ... )
        >>> data = np.array([[1.0], [2.0], [6.0]], dtype="float32")
        >>> model = recalibrate_batch_norm(model, data, batch_size=2)
        >>> float(model.get_layer("bn").moving_mean[0])
        3.0
        >>> keras.config.enable_interactive_logging()

    Reference:
        [Wu and Johnson, 2021](https://arxiv.org/abs/2105.07576), section 3
        ("PreciseBN").
    """
    chosen = _layers_to_recalibrate(model, layers)
    if not chosen:
        return model
    target = number_of_batches(data, batch_size, steps)
    read = 0
    with (
        Progress(target, "batch", label="recalibrate") as progress,
        observed(chosen, chosen) as seen,
    ):
        for x in input_batches(data, batch_size, steps):
            call_on_batch(model, x, read)
            read += 1
            progress.update(read)
    if not read:
        raise ValueError(
            "`data` must contain at least one batch. Received: no batch in data of "
            f"type {type(data).__name__}. A generator can be read only once: create "
            "a new one. The model is unchanged."
        )
    if steps is not None and read < steps:
        warnings.warn(
            f"`data` ended before `steps` batches were read. Received: steps={steps}, "
            f"batches={read}.",
            stacklevel=2,
        )
    _assign([layer for layer in chosen if id(layer) in seen], seen)
    never_called = [layer.name for layer in chosen if id(layer) not in seen]
    tell(
        f"recalibrate_batch_norm: {count(len(seen), 'layer')} changed"
        + (f"; the model never calls {listed(never_called)}" if never_called else "")
        + "."
    )
    return model


def _layers_to_recalibrate(
    model: keras.Layer, layers: LayerChoice
) -> list[keras.Layer]:
    found = batch_norm_layers(model, layers)
    if not found:
        warnings.warn(
            f"Model '{model.name}' has no BatchNormalization layer: nothing changed.",
            stacklevel=3,
        )
        return []
    found = plain_only(found, stacklevel=4)
    if layers is not None:
        return found
    chosen = [layer for layer in found if uses_batch_statistics(layer)]
    if not chosen:
        raise ValueError(
            "At least one batch normalization layer must normalize with the batch in "
            f"training. Received: model='{model.name}', whose {len(found)} are frozen "
            "or have trainable=False, so training and inference already agree. To "
            "fit their statistics to other data, name them in `layers`, or call "
            "unfreeze_batch_norm first."
        )
    return chosen


def _assign(layers: list[keras.Layer], seen: dict[int, Statistics]) -> None:
    """Writes the statistics into all layers, or into none if one does not fit."""
    values = []
    for layer in layers:
        _, mean, variance = seen[id(layer)]
        values += [
            (layer, layer.moving_mean, mean),
            (layer, layer.moving_variance, variance),
        ]
        if getattr(layer, "renorm", False):
            # Batch renormalization has further statistics (from Keras 3.13).
            stddev = np.sqrt(variance + layer.epsilon)
            values += [
                (layer, layer.renorm_mean, mean),
                (layer, layer.renorm_stddev, stddev),
                (layer, layer.moving_stddev, stddev),
            ]
    for layer, variable, value in values:
        stored = to_numpy(keras.ops.cast(value, variable.dtype))
        if not np.isfinite(stored.astype("float32")).all():
            raise ValueError(
                f"The statistics of layer '{layer.name}' must be finite in its dtype. "
                f"Received: NaN or Inf for '{variable.name}' in {variable.dtype}. The "
                "layers below it, or the weights, overflow on these data. The model "
                "is unchanged."
            )
    for _, variable, value in values:
        variable.assign(value)
