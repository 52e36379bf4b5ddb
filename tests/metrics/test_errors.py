"""Bad input gets a message that says what was expected, received, and the way out."""

import math

import keras
import numpy as np
import pytest
from keras import ops

import keras_trainfix as kt
from keras_trainfix.backend import to_numpy
from tests.metrics.test_confusion import compiled

METRICS = [kt.MeanIoU, kt.DiceScore, kt.PixelAccuracy, kt.ConfusionMatrix]
every_metric = pytest.mark.parametrize("metric", METRICS)


def message(call, error=ValueError):
    with pytest.raises(error, match="Received: ") as raised:
        call()
    return str(raised.value)


def update(y_true, y_pred, num_classes=3, sample_weight=None, **options):
    metric = kt.MeanIoU(num_classes, **options)
    metric.update_state(np.asarray(y_true), np.asarray(y_pred), sample_weight)
    return metric


def scores(*shape):
    return np.linspace(-1, 1, math.prod(shape), dtype="float32").reshape(shape)


@every_metric
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"num_classes": 1}, "`num_classes` must be an integer, 2 or more"),
        ({"num_classes": 2.0}, "num_classes=2.0"),
        ({"num_classes": True}, "One sigmoid unit has two classes"),
        ({"ignore_class": (0, 1, 2)}, "must leave at least one class"),
        ({"ignore_class": 0.5}, "32-bit integer"),
        ({"threshold": 0}, "`threshold` must be a probability"),
        ({"threshold": 1.0, "from_logits": True}, "even with from_logits=True"),
        ({"axis": None}, "`axis` must be an integer"),
        ({"class_names": ["a", "b"]}, "3 different names"),
        ({"class_names": ["a", "b", "b"]}, "3 different names"),
        ({"class_names": "abc"}, "3 different names"),
    ],
)
def test_arguments_out_of_range(metric, options, expected):
    assert expected in message(lambda: metric(**{"num_classes": 3, **options}))


def test_an_unknown_average():
    text = message(lambda: kt.PixelAccuracy(3, average="weighted"))
    assert "'micro' (over pixels) or 'macro' (over classes)" in text


@every_metric
def test_a_label_that_is_no_class_is_named(metric):
    metric = metric(3)
    labels = np.array([[0, 2, 7, 255]])
    text = message(lambda: metric.update_state(labels, scores(1, 4, 3)))
    assert "7 (1 times)" in text
    assert "a class, 0 to 2, or ignored, ignore_class=255" in text
    assert metric.confusion_matrix().sum() == 0  # nothing was counted


def test_rows_with_several_classes():
    rows = np.array([[1, 1, 0]], "float32")
    text = message(lambda: update(rows, scores(1, 3)))
    assert "rows of one-hot and soft labels must sum to 1" in text
    assert "multi_label" not in text


@pytest.mark.parametrize(
    ("y_true", "y_pred", "expected"),
    [
        (np.zeros((2, 4)), scores(2, 4, 5), "If the model has 5 classes, pass num_cl"),
        (np.zeros((2, 4)), scores(2, 4, 1), "keras.ops.cast(y_pred, 'int32')"),
        (np.zeros((2, 4)), scores(2, 4), "one sigmoid unit, there are two classes"),
        (np.zeros((2, 5)), scores(2, 4, 3), "y_true.shape=(2, 5)"),
        (np.zeros((2, 4, 2)), scores(2, 4, 3), "y_true.shape=(2, 4, 2)"),
        (
            np.zeros((2, 4), int),
            np.zeros((2, 5), int),
            "class ids, one per pixel",
        ),
        (np.zeros(()), np.zeros(()), "y_pred.shape=()"),
    ],
)
def test_shapes_and_dtypes_that_do_not_fit(y_true, y_pred, expected):
    text = message(lambda: update(y_true, y_pred))
    assert expected in text
    assert "num_classes=3, axis=-1" in text


def test_one_hot_integers_on_both_sides_are_not_taken_for_ids():
    rows = np.eye(3, dtype="int32")[[0, 1, 2, 0]]
    text = message(lambda: update(rows, rows))
    assert "must be either class ids, one per pixel, or one-hot rows" in text
    assert "`keras.ops.argmax(y_pred, -1)`" in text
    assert float(update(rows, rows.argmax(-1)).result()) == 1


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
    text = message(lambda: update(np.zeros((2, 4)), scores(2, 4, 3), 3, weights))
    assert "sample_weight.shape=(4,), labels of shape (2, 4)" in text


def test_nan_predictions_make_the_result_nan_and_are_named():
    y_pred = scores(1, 3, 3)
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
        ([0, 7], scores(2, 3), 3, None),
        ([0, 1], np.full((2, 3), np.nan, "float32"), 3, None),
        ([0, 1], np.array([-2.0, 3.0], "float32"), 2, None),
        ([0, 1], np.array([0, 3], "int32"), 3, None),
        ([0, 1], scores(2, 3), 3, np.array([1, -1], "float32")),
    ],
)
def test_compiled_code_gives_nan_for_what_eager_code_refuses(
    y_true, y_pred, num_classes, weights
):
    function = compiled(
        lambda y, z, w: kt.confusion_matrix(y, z, num_classes, sample_weight=w)
    )
    arrays = [np.array(y_true, "int32"), y_pred, weights]
    arrays = [x if x is None else ops.convert_to_tensor(x) for x in arrays]
    matrix = function(*arrays)
    assert (to_numpy(matrix) == -1).all()
    assert np.isnan(to_numpy(kt.iou_from_confusion(matrix))).all()


@pytest.mark.parametrize(
    "function",
    [kt.iou_from_confusion, kt.dice_from_confusion, kt.accuracy_from_confusion],
)
def test_a_matrix_that_is_not_square(function):
    assert "matrix of shape (2, 3)" in message(lambda: function(np.ones((2, 3))))


@pytest.mark.parametrize(
    "matrix", [np.ones((2, 3)), -np.ones((3, 3)), np.full((3, 3), np.nan)]
)
def test_counts_that_cannot_be_loaded(matrix):
    metric = kt.MeanIoU(3)
    text = message(lambda: metric.load_confusion_matrix(matrix))
    assert "`matrix` must be counts of shape (3, 3), finite and 0 or more" in text


@pytest.mark.parametrize(
    "other",
    [kt.MeanIoU(4), kt.MeanIoU(3, ignore_class=0), keras.metrics.Mean()],
    ids=["classes", "void", "another metric"],
)
def test_states_that_cannot_be_merged(other):
    metric = kt.MeanIoU(3)
    text = message(lambda: metric.merge_state([kt.MeanIoU(3), other]))
    assert "count the same classes" in text


def test_losses_that_have_no_mean_over_pixels():
    loss = kt.WeightedSum([kt.MaskedSoftDice(), kt.MaskedCrossentropy()])
    text = message(lambda: kt.MaskedMean(loss), TypeError)
    assert "pass one metric for each of its `losses`" in text
    assert "loss=3." in message(lambda: kt.MaskedMean(3), TypeError)
    metric = kt.MaskedMean(keras.losses.Dice())
    y = np.zeros((1, 2, 2, 1), "float32")
    text = message(lambda: metric.update_state(y, y), TypeError)
    assert "whose value is a scalar" in text


def test_targets_that_do_not_fit_their_predictions():
    metric = kt.PredictionSpread()
    text = message(lambda: metric.update_state(np.zeros((3, 2)), np.zeros((3, 4))))
    assert "y_true.shape=(3, 2)" in text
    text = message(lambda: metric.update_state(np.array([0, 255]), np.zeros((2, 4))))
    assert "255 (1 times)" in text
    assert "pass ignore_class=255" in text
