"""What is wrong with the labels, predictions and weights that were not counted."""

import numpy as np
from keras import ops

from keras_trainfix import backend
from keras_trainfix.labels.dtypes import as_tensor
from keras_trainfix.metrics.predictions import TOLERANCE
from keras_trainfix.metrics.reading import labels_of


def raise_if_rejected(
    rejected, y_true, y_pred, sample_weight, form, setting, refuse_nan
):
    """Raises if something of a batch was rejected that is bad input.

    Args:
        rejected: Tensor of three numbers, see `Counts`.
        y_true: Labels of the batch.
        y_pred: Predictions of the batch.
        sample_weight: Weights of the batch, or None.
        form: `Form` of the predictions.
        setting: `Setting`.
        refuse_nan: Whether NaN in `y_pred` is bad input as well.
    """
    bad_labels, predictions, weights = backend.to_numpy(rejected)
    if bad_labels:
        labels_of(y_true, y_pred, form, setting, check=True)
    if weights:
        given = backend.to_numpy(ops.convert_to_tensor(sample_weight))
        raise ValueError(
            "`sample_weight` must be numbers from 0 to below 2**32. Received: "
            f"sample_weight of values from {given.min():.6g} to {given.max():.6g}. "
            "A weight of 0 leaves a pixel out."
        )
    if not predictions:
        return
    if form.kind == "scores":
        if refuse_nan:
            raise ValueError(
                f"`y_pred` must not be NaN. Received: {predictions:.0f} valid pixels "
                "with NaN. The weights of the model may be NaN: lower the learning "
                "rate, or look for NaN in its inputs."
            )
        return
    valid = backend.to_numpy(
        labels_of(y_true, y_pred, form, setting, check=False).valid
    )
    values = backend.to_numpy(as_tensor(y_pred)).astype("float64").reshape(valid.shape)
    values = values[valid]
    if form.kind == "ids":
        wrong = values[(values < 0) | (values >= setting.num_classes)]
        values, counts = np.unique(wrong, return_counts=True)
        found = zip(values[:5], counts[:5], strict=True)
        raise ValueError(
            f"`y_pred` must be classes, 0 to {setting.num_classes - 1}. Received: "
            + ", ".join(f"{value:.0f} ({number} times)" for value, number in found)
            + ". If the model has more classes, pass a larger `num_classes`; a model "
            "cannot answer void."
        )
    known = values[~np.isnan(values)]
    low, high = (known.min(), known.max()) if known.size else (0, 0)
    if low < -TOLERANCE or high > 1 + TOLERANCE:
        raise ValueError(
            "`y_pred` of one sigmoid unit must be probabilities, between 0 and 1, with "
            f"from_logits=False. Received: y_pred from {low:.6g} to {high:.6g}. If the "
            "last layer of the model has no activation these are logits: pass "
            "`from_logits=True`."
        )
    if refuse_nan:
        raise ValueError(f"`y_pred` must not be NaN. Received: {predictions:.0f} NaN.")
