"""Raises the error about labels, predictions or weights that were not counted."""

import keras
import numpy as np
from keras import ops

from keras_trainfix import backend
from keras_trainfix.labels.dtypes import as_tensor
from keras_trainfix.labels.types import Tensor
from keras_trainfix.metrics.predictions import TOLERANCE, Form
from keras_trainfix.metrics.reading import labels_of
from keras_trainfix.metrics.setting import Setting


def raise_if_rejected(
    rejected: Tensor,
    y_true: Tensor,
    y_pred: Tensor,
    sample_weight: Tensor,
    form: Form,
    setting: Setting,
    refuse_nan: bool,
) -> None:
    """Raises if a batch has invalid labels, predictions or weights.

    Args:
        rejected: Tensor of three numbers, see `Counts`.
        y_true: Labels of the batch.
        y_pred: Predictions of the batch.
        sample_weight: Weights of the batch, or None.
        form: `Form` of the predictions.
        setting: `Setting`.
        refuse_nan: Whether NaN in `y_pred` raises as well.

    Raises:
        ValueError: If there are any.
    """
    bad_labels, predictions, weights = backend.to_numpy(rejected)
    if bad_labels:
        labels_of(y_true, y_pred, form, setting, check=True)
    if weights:
        values = backend.to_numpy(ops.convert_to_tensor(sample_weight))
        raise ValueError(
            "`sample_weight` must be finite numbers from 0 to below 2**32. Received: "
            f"sample_weight from {values.min():.6g} to {values.max():.6g}. A weight of "
            "0 leaves a pixel out."
        )
    if not predictions:
        return
    if form.kind == "scores":
        if refuse_nan:
            raise ValueError(
                f"`y_pred` must not be NaN. Received: {predictions:.0f} valid pixels "
                "with NaN. If the weights of the model are NaN, lower the learning "
                "rate; otherwise look for NaN in its inputs."
            )
        return
    valid = backend.to_numpy(
        labels_of(y_true, y_pred, form, setting, check=False).valid
    )
    is_float = "float" in keras.backend.standardize_dtype(y_pred.dtype)
    values = backend.to_numpy(as_tensor(y_pred)).astype("float64")
    if form.kind == "entries":
        values = np.moveaxis(values, form.axis, -1)[valid]
    else:
        values = values.reshape(valid.shape)[valid]
    if form.kind == "entries" and not is_float:
        raise ValueError(
            "`y_pred` of whole numbers must be 0 or 1 for each class with "
            f"multi_label=True. Received: y_pred from {values.min():.0f} to "
            f"{values.max():.0f}. Turn class ids into rows with `keras.ops.one_hot`."
        )
    if form.kind == "ids":
        wrong = values[(values < 0) | (values >= setting.num_classes)]
        values, counts = np.unique(wrong, return_counts=True)
        first = zip(values[:5], counts[:5], strict=True)
        raise ValueError(
            f"`y_pred` must be classes, 0 to {setting.num_classes - 1}. Received: "
            + ", ".join(f"{value:.0f} ({number} times)" for value, number in first)
            + ". If the model has more classes, pass a larger `num_classes`. Void is "
            "not a prediction."
        )
    known = values[~np.isnan(values)]
    low, high = (known.min(), known.max()) if known.size else (0, 0)
    if low < -TOLERANCE or high > 1 + TOLERANCE:
        raise ValueError(
            "`y_pred` of sigmoid units must be probabilities between 0 and 1 with "
            f"from_logits=False. Received: y_pred from {low:.6g} to {high:.6g}. If the "
            "last layer of the model has no activation, these are logits: pass "
            "`from_logits=True`."
        )
    if refuse_nan:
        raise ValueError(
            f"`y_pred` must not be NaN. Received: {predictions:.0f} valid pixels with "
            "NaN. Look for NaN in the weights and inputs of the model."
        )
