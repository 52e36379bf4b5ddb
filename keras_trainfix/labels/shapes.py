"""Infers the form of labels from the shapes of `y_true` and `y_pred`."""

from typing import Any

from keras_trainfix.labels.messages import LabelError

# Sizes of the axes; None is a size that is not known until the graph runs.
Shape = tuple[int | None, ...]


def label_form(
    labels: Shape, predictions: Shape, axis: int
) -> tuple[int, bool, int | None]:
    """The form of labels of one static shape, for predictions of another.

    Returns:
        `(channels, is_rows, squeezed)`: the number of classes, whether the labels are
        one-hot or soft rows, and the axis of `y_true` to squeeze, or None.

    Raises:
        ValueError: If the shapes do not fit, or if the size of the class axis is
            unknown.
    """
    received = (
        f"Received: y_true.shape={labels}, y_pred.shape={predictions}, axis={axis}."
    )
    if len(predictions) == 1:
        predictions = (*predictions, 1)
    rank = len(predictions)
    if not -rank <= axis < rank or axis % rank == 0:
        raise ValueError(
            "`axis` must be the class axis of `y_pred`, not its first axis, which is "
            f"the batch. {received}"
        )
    axis %= rank
    channels = predictions[axis]
    pixels = predictions[:axis] + predictions[axis + 1 :]
    if channels is None or (len(labels) == rank and labels[axis] is None):
        raise ValueError(
            "The sizes of the class axis of `y_pred` and `y_true` must be known when "
            "the graph is compiled: they distinguish sparse from one-hot labels. "
            f"{received} Use `keras.ops.reshape`, or `set_shape` in a tf.data pipeline."
        )
    if shapes_fit(labels, pixels):
        return channels, False, None
    for squeezed in (axis, rank - 1):
        rest = labels[:squeezed] + labels[squeezed + 1 :]
        if labels[squeezed : squeezed + 1] == (1,) and shapes_fit(rest, pixels):
            return channels, False, squeezed
    if channels > 1 and shapes_fit(labels, predictions):
        return channels, True, None
    if labels in (predictions, (*predictions, 1)):
        raise LabelError(
            "`y_pred` must have a class axis, and lacks it if `y_true` holds one label "
            f"for each pixel. {received} Keep the last axis of `y_pred`, of size 1 for "
            f"one sigmoid unit: {(*predictions, 1)}, without `Reshape` or `squeeze`."
        )
    raise LabelError(
        f"`y_true` must have shape {pixels} or {(*pixels, 1)} (sparse)"
        + (f" or {predictions} (one-hot)" if channels > 1 else "")
        + f" for this `y_pred`, whose classes are on axis {axis}. {received} Move the "
        "class axis with `keras.ops.moveaxis`, add one that `y_pred` lacks with "
        "`keras.ops.expand_dims`, or give the model as many outputs as `y_true` has "
        "classes."
    )


def static_shape(shape: Any) -> Shape:
    """`shape` as a tuple; raises if the number of axes is unknown."""
    try:
        return tuple(shape)
    except ValueError as error:  # TensorFlow's shape of an unknown rank
        raise ValueError(
            "The number of axes of `y_true`, `y_pred` and `sample_weight` must be "
            f"known when the graph is compiled. Received: shape={shape}. Use "
            "`keras.ops.reshape`, or `set_shape` in a tf.data pipeline."
        ) from error


def same_size(size: int | None, other: int | None) -> bool:
    """Whether two static sizes may be equal."""
    return size is None or other is None or size == other


def shapes_fit(shape: Shape, other: Shape) -> bool:
    """Whether two static shapes may be equal."""
    return len(shape) == len(other) and all(map(same_size, shape, other))
