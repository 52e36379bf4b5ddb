"""Population statistics for batch normalization ("precise BN")."""

import warnings

import keras
import numpy as np

from keras_trainfix.backend import to_numpy
from keras_trainfix.data import input_batches, number_of_batches
from keras_trainfix.messages import Progress, count, listed, tell
from keras_trainfix.models.batch_norm_layers import batch_norm_layers, plain_only
from keras_trainfix.models.batch_statistics import (
    call_on_batch,
    observed,
    uses_batch_statistics,
)


def recalibrate_batch_norm(model, data, steps=None, *, layers=None, batch_size=32):
    """Replaces the moving statistics of `model` by those of `data`, in place.

    Moving averages lag behind the weights: after a few dozen steps with momentum
    0.99 they still describe the network as it was at the start, and inference is
    wrong although training was right. This computes the statistics that belong to
    the weights as they are now.

    The mean and the variance of each layer are those of all values in all batches
    together (the pooled variance, exact for a short last batch and under a mask),
    not an average of batch variances. In the layers below, each batch is normalized
    with its own statistics, as in training and as Wu and Johnson define it, so one
    pass over the data is enough; use the training batch size. Dropout is off.

    Only layers that normalize by the batch in training are changed: frozen layers
    and those with `trainable=False` are used as they are, unless `layers` names
    them. Weights, optimizer and random state stay. On an error nothing changes.

    Args:
        model: A built `keras.Model`, or any built layer.
        data: Inputs like those of training: an array of shape `(samples, ...)`, or a
            list or dict of these for several inputs; a tuple `(x, y)`; or batches
            as `fit` takes them (`tf.data.Dataset`, `keras.utils.PyDataset`, torch
            `DataLoader`, generator). Targets are ignored.
        steps: Integer, the number of batches to use, or None for all. A few hundred
            are plenty. Defaults to `None`.
        layers: Which layers: None for those above, or one or several names, paths
            or layers. Defaults to `None`.
        batch_size: Integer, the batches that arrays are cut into. Defaults to `32`.

    Returns:
        `model`, the same object. The number of changed layers is printed, and
        progress is shown in a terminal or notebook.

    Raises:
        ValueError: If the model is not built or has no layer to recalibrate, or if
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
    with Progress(target, "batch") as progress, observed(chosen, chosen) as seen:
        for x in input_batches(data, batch_size, steps):
            call_on_batch(model, x, read)
            read += 1
            progress.update(read)
    if not read:
        raise ValueError(
            "`data` must hold at least one batch. Received: no batch in data of type "
            f"{type(data).__name__}. A generator that was used up has to be made "
            "again. The model is unchanged."
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
        + (f"; the model does not call {listed(never_called)}" if never_called else "")
        + "."
    )
    return model


def _layers_to_recalibrate(model, layers):
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
            "At least one batch normalization layer must normalize by the batch in "
            f"training. Received: model='{model.name}', whose {len(found)} are frozen "
            "or have trainable=False, so training and inference agree as it is. To "
            "fit their statistics to other data, name them in `layers`, or call "
            "unfreeze_batch_norm first."
        )
    return chosen


def _assign(layers, seen):
    """Writes the statistics `seen` into the layers: all of them, or none."""
    values = []
    for layer in layers:
        _, mean, variance = seen[id(layer)]
        values += [
            (layer, layer.moving_mean, mean),
            (layer, layer.moving_variance, variance),
        ]
        if getattr(layer, "renorm", False):
            # Batch renormalization keeps more of the same (Keras 3.13 on).
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
