"""Invalid labels, predictions and weights get an error with the way out."""

import math

import numpy as np
import pytest

import keras_trainfix as kt
from keras_trainfix.backend import to_numpy
from tests.metrics.helpers import (
    COMPILED,
    IS_COMPILED,
    LABELS,
    X,
    compiled,
    compiled_net,
    evaluate,
    every_metric,
    labels_of,
    message,
    net,
    ramp,
    tensor,
    update,
)


@every_metric
def test_a_label_that_is_no_class_is_named(metric_class):
    metric = metric_class(3)
    labels = np.array([[0, 2, 7, 255]])
    text = message(lambda: metric.update_state(labels, ramp(1, 4, 3)))
    assert "7 (1 time)" in text
    assert "a class, 0 to 2, or ignored, ignore_class=255" in text
    assert metric.confusion_matrix().sum() == 0  # nothing was counted


def test_rows_with_several_classes():
    rows = np.array([[1, 1, 0]], "float32")
    text = message(lambda: update(rows, ramp(1, 3)))
    assert "rows of one-hot and soft labels must sum to 1" in text
    assert "pass `multi_label=True`" in text
    metric = kt.BoundaryIoU(num_classes=3)
    text = message(lambda: metric.update_state(rows[:, None, None], ramp(1, 1, 1, 3)))
    assert "count each class separately" in text


def test_ids_that_are_no_class():
    text = message(lambda: update([0, 1, 255, 2], [0, 3, 9, 3]))
    assert "classes, 0 to 2" in text
    assert "3 (2 times)" in text
    assert "9" not in text  # under void


def test_logits_of_one_unit_are_not_taken_for_probabilities():
    text = message(lambda: update([0, 1, 255], [-2.0, 3.0, 99.0], num_classes=2))
    assert "y_pred from -2 to 3" in text
    assert "pass `from_logits=True`" in text
    metric = update([0, 1, 255], [-2.0, 3.0, 99.0], num_classes=2, from_logits=True)
    assert float(metric.result()) == 1


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf, 2.0**32])
def test_weights_out_of_range(bad):
    weights = np.array([1, bad])
    text = message(lambda: update([0, 1], [0, 1], sample_weight=weights))
    assert "`sample_weight` must be finite numbers from 0 to below 2**32" in text


def test_weights_of_the_wrong_shape():
    weights = np.ones(4)
    text = message(lambda: update(np.zeros((2, 4)), ramp(2, 4, 3), 3, weights))
    assert "sample_weight.shape=(4,), labels of shape (2, 4)" in text


def test_nan_predictions_make_the_result_nan_and_are_named():
    y_pred = ramp(1, 3, 3)
    y_pred[0, 1] = np.nan
    assert not math.isnan(update([[0, 255, 1]], y_pred).result())
    metric = update([[0, 1, 255]], y_pred)
    with pytest.warns(
        UserWarning, match="`mean_iou` is NaN because.* 1 invalid predic"
    ):
        assert math.isnan(metric.result())
    assert math.isnan(metric.result())  # warns once
    metric.reset_state()
    metric.update_state(np.array([0, 1]), np.array([0, 1]))
    assert float(metric.result()) == 1
    call = lambda: kt.confusion_matrix([[0, 1, 255]], y_pred, 3)  # noqa: E731
    assert "1 valid pixels with NaN" in message(call)
    metric = kt.ConfusionMatrix(3)
    metric.update_state(np.array([[0, 1, 255]]), y_pred)
    with pytest.warns(UserWarning, match="received 1 invalid prediction .NaN"):
        assert np.isnan(np.asarray(metric.result())).all()


@pytest.mark.backend_only(
    "tensorflow", "jax", reason="Keras does not compile on torch, eager code raises"
)
@pytest.mark.parametrize(
    ("y_true", "y_pred", "num_classes", "weights"),
    [
        ([0, 7], ramp(2, 3), 3, None),
        ([0, 1], np.full((2, 3), np.nan, "float32"), 3, None),
        ([0, 1], np.array([-2.0, 3.0], "float32"), 2, None),
        ([0, 1], np.array([0, 3], "int32"), 3, None),
        ([0, 1], ramp(2, 3), 3, np.array([1, -1], "float32")),
    ],
)
def test_compiled_code_gives_nan_for_what_eager_code_refuses(
    y_true, y_pred, num_classes, weights
):
    function = compiled(
        lambda y, z, w: kt.confusion_matrix(y, z, num_classes, sample_weight=w)
    )
    arrays = [np.array(y_true, "int32"), y_pred, weights]
    arrays = [x if x is None else tensor(x) for x in arrays]
    matrix = function(*arrays)
    assert (to_numpy(matrix) == -1).all()
    assert np.isnan(to_numpy(kt.iou_from_confusion(matrix))).all()


def labels_with_7():
    y = LABELS.copy()
    y[5, 2, 3] = 7
    return y


@pytest.mark.parametrize(
    ("channels", "y", "error", "warning"),
    [
        (3, labels_with_7(), r"7 \(1 time\)", r"1 invalid label \(neither a class"),
        (1, labels_of(2), "y_pred from -.*from_logits=", "NaN, or not a class or prob"),
    ],
    ids=["label", "logits"],
)
def test_evaluate_raises_in_eager_code_and_warns_in_compiled_code(
    channels, y, error, warning
):
    model = compiled_net(net(channels), kt.MeanIoU(max(channels, 2)), run_eagerly=True)
    with pytest.raises(ValueError, match=f"Received: .*{error}"):
        evaluate(model, X, y)
    if IS_COMPILED:
        model = compiled_net(net(channels), kt.MeanIoU(max(channels, 2)), **COMPILED)
        with pytest.warns(UserWarning, match=f"`mean_iou` is NaN because.*{warning}"):
            values = evaluate(model, X, y)
        assert np.isnan(values["mean_iou"])
