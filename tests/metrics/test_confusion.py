"""Counts and scores are those of exact integers, whatever the form of the input."""

import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from keras import ops

import keras_trainfix as kt
from keras_trainfix.backend import to_numpy, widest
from keras_trainfix.metrics import confusion, exact
from tests.metrics import reference
from tests.metrics.reference import Case, cases

BACKEND = keras.backend.backend()
EXAMPLES = settings().max_examples // (3 if BACKEND == "jax" else 1)
CLOSE = {"rtol": 1e-6, "atol": 0}


def tensor(values):
    return ops.convert_to_tensor(values)


def compiled(function):
    if BACKEND == "jax":
        import jax

        return jax.jit(function)
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=True)
    return function


def counted(y_true, y_pred, num_classes, **options):
    metric = kt.ConfusionMatrix(num_classes, **options)
    metric.update_state(y_true, y_pred)
    return metric.confusion_matrix()


# --- every form of labels and predictions ---


@settings(max_examples=EXAMPLES)
@given(case=cases())
def test_every_form_of_labels_gives_the_counts_of_a_loop_over_pixels(case):
    for labels in case.forms().values():
        matrix = counted(labels, case.scores, 5, ignore_class=case.ignored)
        assert matrix.dtype == "int64"
        assert (matrix == case.matrix).all()


@pytest.mark.parametrize("shape", [(7,), (2, 9), (2, 4, 3), (1, 3, 2, 4)])
@pytest.mark.parametrize("convert", [np.asarray, tensor])
def test_scores_and_ids_of_any_rank_give_the_same_counts(rng, shape, convert):
    case = Case(rng, shape, 5, (255,), 0.3)
    ids = np.where(case.valid, case.ids, 255)  # what is predicted under void is free
    for y_pred in (case.scores, ids, ids[..., None], ids.astype("uint8")):
        assert (counted(case.labels, convert(y_pred), 5) == case.matrix).all()
    one_hot = np.eye(5, dtype="int32")[case.ids]
    assert (counted(case.labels, convert(one_hot), 5) == case.matrix).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", widest("float")])
def test_scores_of_any_dtype(rng, dtype):
    case = Case(rng, (2, 4, 3), 5, (255,), 0.3)
    scores = ops.cast(tensor(case.scores), dtype)
    case.ids = to_numpy(ops.cast(scores, "float32")).argmax(-1)
    assert (counted(case.labels, scores, 5) == case.matrix).all()


@pytest.mark.parametrize("form", ["int64", "one-hot"])
def test_classes_on_axis_1(rng, form):
    case = Case(rng, (2, 4, 3), 5, (255,), 0.3)
    labels, scores = case.forms()[form], np.moveaxis(case.scores, -1, 1)
    if form == "one-hot":
        labels = np.moveaxis(labels, -1, 1)
    assert (counted(labels, scores, 5, axis=1) == case.matrix).all()


@pytest.mark.parametrize("threshold", [0.5, 0.2])
@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("last", [(), (1,)])
def test_one_sigmoid_unit(rng, threshold, from_logits, last):
    labels = rng.choice([0, 1, 255], (3, 4, 5))
    probabilities = rng.uniform(0.01, 0.99, labels.shape)
    expected = reference.confusion(labels, probabilities > threshold, 2)
    y_pred = probabilities
    if from_logits:
        y_pred = np.log(probabilities / (1 - probabilities))
    y_pred = y_pred.reshape(*labels.shape, *last).astype("float32")
    rows = np.stack([labels == 0, labels == 1], -1).astype("float32")
    for y_true in (labels, labels.astype("float32")[..., None], rows):
        matrix = counted(
            y_true, y_pred, 2, threshold=threshold, from_logits=from_logits
        )
        assert (matrix == expected).all()


def test_lists_of_python_numbers():
    matrix = kt.confusion_matrix([0, 1, 1, 255], [0, 1, 0, 1], num_classes=2)
    assert to_numpy(matrix).tolist() == [[1, 0], [1, 1]]
    matrix = kt.confusion_matrix([0, 1], [0.03, 0.97], num_classes=2)
    assert to_numpy(matrix).tolist() == [[1, 0], [0, 1]]


def test_as_many_columns_as_classes_are_still_ids(rng):
    labels, ids = rng.integers(0, 4, (2, 6, 4)), rng.integers(0, 4, (2, 6, 4))
    expected = reference.confusion(labels, ids, 4)
    assert (counted(labels, ids, 4) == expected).all()
    assert (counted(labels[..., None], ids[..., None], 4) == expected).all()


def test_a_batch_without_a_sample_counts_nothing():
    metric = kt.MeanIoU(3)
    metric.update_state(np.zeros((0, 4), "int32"), np.zeros((0, 4, 3), "float32"))
    assert metric.confusion_matrix().sum() == 0


@settings(max_examples=EXAMPLES // 3)  # each compiles
@given(case=cases())
def test_compiled_code_counts_as_eager_code_does(case):
    function = compiled(
        lambda y, z: kt.confusion_matrix(y, z, 5, ignore_class=case.ignored)
    )
    matrix = to_numpy(function(tensor(case.labels), tensor(case.scores)))
    assert (matrix == case.matrix).all()


def test_large_batches_are_counted_piece_by_piece(rng, monkeypatch):
    monkeypatch.setattr(confusion, "PIECE", 50)
    monkeypatch.setattr(confusion, "LARGE_PIECE", 90)
    confusion._compiled.cache_clear()
    case = Case(rng, (3, 30, 4), 5, (255,), 0.3)
    first = np.moveaxis(case.scores, -1, 1)
    for convert in (np.asarray, tensor):
        scores = convert(case.scores)
        for labels in (*case.forms().values(), tensor(case.labels)):
            assert (counted(labels, scores, 5) == case.matrix).all()
        assert (counted(case.labels, convert(first), 5, axis=1) == case.matrix).all()
    confusion._compiled.cache_clear()


# --- scores ---


@settings(max_examples=EXAMPLES)
@given(case=cases())
def test_scores_are_those_of_exact_fractions(case):
    expected = reference.scores(case.matrix, case.ignored)
    options = {"ignore_class": case.ignored, "per_class": True}
    metrics = [kt.MeanIoU(5, **options), kt.DiceScore(5, **options)]
    metrics.append(kt.PixelAccuracy(5, **options))
    for metric in metrics:
        metric.update_state(case.labels, case.scores)
        result = {name: float(value) for name, value in metric.result().items()}
        for name, value in result.items():
            kind, _, index = name.partition("/")
            wanted = expected[kind][int(index)] if index else expected[kind]
            np.testing.assert_allclose(value, wanted, **CLOSE)
        classes = [c for c in range(5) if c not in case.ignored]
        kind = metric.prefix
        assert [n for n in result if "/" in n] == [f"{kind}/{c}" for c in classes]
    for kind, function in {
        "iou": kt.iou_from_confusion,
        "dice": kt.dice_from_confusion,
        "accuracy": kt.accuracy_from_confusion,
    }.items():
        counts = case.matrix.astype("int64")
        exactly = function(counts, ignore_class=case.ignored)
        np.testing.assert_allclose(exactly, expected[kind], rtol=1e-12)
        roughly = function(tensor(counts), ignore_class=case.ignored)
        np.testing.assert_allclose(to_numpy(roughly), expected[kind], **CLOSE)


def test_an_ignored_class_leaves_the_mean_and_the_false_positives():
    labels, ids = np.array([0, 0, 1, 1, 2, 2]), np.array([1, 2, 1, 1, 2, 0])
    metric = kt.MeanIoU(3, ignore_class=0)
    metric.update_state(labels, ids)
    assert float(metric.result()) == 0.75


def test_scalars_are_the_mean_over_present_classes():
    labels, ids = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])
    for metric, expected in (
        (kt.MeanIoU(4), (2 / 3 + 1 / 2) / 2),
        (kt.DiceScore(4), (4 / 5 + 2 / 3) / 2),
        (kt.PixelAccuracy(4), 3 / 4),
        (kt.PixelAccuracy(4, average="macro"), (2 / 3 + 1) / 2),
    ):
        metric.update_state(labels, ids)
        assert float(metric.result()) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("metric", [kt.MeanIoU, kt.DiceScore, kt.PixelAccuracy])
def test_nothing_to_count_is_nan(metric):
    metric = metric(3)
    assert math.isnan(metric.result())
    metric.update_state(np.full((2, 4), 255), np.zeros((2, 4, 3)))
    assert math.isnan(metric.result())


def test_a_perfect_prediction_is_exactly_1(rng):
    labels = rng.choice([0, 2, 255], (3, 5, 5))
    metric = kt.MeanIoU(4)
    metric.update_state(labels, np.eye(4)[np.where(labels == 255, 1, labels)])
    assert float(metric.result()) == 1


def test_names_of_classes_and_of_the_metric():
    names = ["sky", "road"]
    metric = kt.MeanIoU(2, per_class=True, class_names=names)
    assert list(metric.result()) == ["mean_iou", "iou/sky", "iou/road"]
    metric = kt.MeanIoU(2, per_class=True, class_names=names, name="fine")
    assert list(metric.result()) == ["fine", "fine/sky", "fine/road"]
    metric = kt.DiceScore(3, per_class=True, ignore_class=(255, 1))
    assert list(metric.result()) == ["dice_score", "dice/0", "dice/2"]
    metric = kt.PixelAccuracy(2, per_class=True, class_names=names)
    assert list(metric.result()) == [
        "pixel_accuracy",
        "mean_class_accuracy",
        "accuracy/sky",
        "accuracy/road",
    ]


# --- exactness, and how the data are cut ---


@pytest.mark.parametrize("size", [2**24, 2**31, 2**40, 2**53 - 2**20])
def test_counts_stay_exact_up_to_2_to_the_53(rng, size):
    start = rng.integers(1, size, (3, 3))
    start[0, 0] = size
    metric = kt.ConfusionMatrix(3)
    metric.load_confusion_matrix(start)
    case = Case(rng, (4, 5), 3, (255,), 0.2)
    for _ in range(3):
        metric.update_state(case.labels, case.scores)
    expected = start + 3 * case.matrix
    assert (metric.confusion_matrix() == expected).all()
    assert (np.asarray(metric.result()) == expected).all()
    for other in (kt.MeanIoU(3), kt.DiceScore(3), kt.PixelAccuracy(3)):
        other.merge_state(metric)
        wanted = reference.scores(expected)[other.name]
        assert float(other.result()) == pytest.approx(wanted, rel=1e-6)


def test_the_union_may_pass_2_to_the_31_before_any_count_does():
    metric = kt.MeanIoU(2)
    metric.load_confusion_matrix([[1_500_000_000, 0], [700_000_000, 1]])
    expected = (1.5e9 / 2.2e9 + 1 / 700_000_001) / 2
    assert float(metric.result()) == pytest.approx(expected, rel=1e-6)


def test_many_updates_carry_over_as_they_should(rng):
    case = Case(rng, (2, 4, 3), 5, (255,), 0.3)
    metric = kt.MeanIoU(5)
    metric.update_state(case.labels, case.scores)
    for _ in range(40):  # doubles each time
        metric.merge_state([metric])
    assert (metric.confusion_matrix() == case.matrix * 2**40).all()


def test_merged_states_are_one_pass_in_any_order(rng):
    batches = [Case(rng, (2, 4, 3), 5, (255,), 0.3) for _ in range(4)]
    expected = sum(case.matrix for case in batches)
    whole, back, parts = kt.MeanIoU(5), kt.MeanIoU(5), [kt.MeanIoU(5), kt.MeanIoU(5)]
    for i, case in enumerate(batches):
        whole.update_state(case.labels, case.scores)
        parts[i % 2].update_state(case.labels, case.scores)
        back.update_state(batches[-1 - i].labels, batches[-1 - i].scores)
    merged = kt.MeanIoU(5)
    merged.merge_state(parts)
    for metric in (whole, back, merged):
        assert (metric.confusion_matrix() == expected).all()
        assert float(metric.result()) == float(whole.result())
    whole.reset_state()
    assert whole.confusion_matrix().sum() == 0


# --- weights ---


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float32"])
def test_whole_weights_are_counted_exactly(rng, dtype):
    case = Case(rng, (2, 4, 3), 5, (255,), 0.3)
    weights = rng.integers(0, 2 if dtype == "bool" else 200, (2, 4, 3)).astype(dtype)
    if dtype == "int64":
        weights *= 50_000
    metric = kt.ConfusionMatrix(5)
    metric.update_state(case.labels, case.scores, weights)
    expected = reference.confusion(case.labels, case.ids, 5, (255,), weights)
    assert (metric.confusion_matrix() == expected).all()
    assert metric.confusion_matrix().dtype == "int64"


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e5])
def test_weights_with_fractions_are_not_truncated(rng, scale):
    case = Case(rng, (2, 4, 3), 5, (255,), 0.3)
    weights = (rng.random((2, 4, 3)) ** 8 * scale).astype("float32")
    metric = kt.MeanIoU(5)
    metric.update_state(case.labels, case.scores, weights)
    matrix = reference.confusion(case.labels, case.ids, 5, (255,), weights)
    expected = matrix.astype(float)
    np.testing.assert_allclose(metric.confusion_matrix(), expected, rtol=1e-5)
    wanted = reference.scores(matrix)["mean_iou"]
    assert float(metric.result()) == pytest.approx(wanted, rel=1e-6)
    matrix = kt.confusion_matrix(case.labels, case.scores, 5, sample_weight=weights)
    np.testing.assert_allclose(to_numpy(matrix), expected, rtol=1e-5)


@pytest.mark.parametrize("shape", [(3,), (3, 1), (3, 1, 1), (3, 3), (3, 3, 3, 1)])
def test_weights_broadcast_from_the_left(rng, shape):
    case = Case(rng, (3, 3, 3), 4, (255,), 0.3)
    weights = rng.integers(0, 5, shape)
    whole = np.broadcast_to(weights.reshape((*shape, 1, 1)[:3]), (3, 3, 3))
    metric = kt.ConfusionMatrix(4)
    metric.update_state(case.labels, case.scores, weights)
    expected = reference.confusion(case.labels, case.ids, 4, (255,), whole)
    assert (metric.confusion_matrix() == expected).all()


def test_the_sum_of_many_weights_is_that_of_float64(rng):
    size = 300_000
    weights = rng.random(size).astype("float32")
    labels, ids = rng.integers(0, 2, size), rng.integers(0, 2, size)
    metric = kt.ConfusionMatrix(2)
    metric.update_state(labels, ids, weights)
    expected = np.bincount(labels * 2 + ids, weights.astype("float64")).reshape(2, 2)
    np.testing.assert_allclose(metric.confusion_matrix(), expected, rtol=1e-7)


def test_a_pixel_of_weight_0_is_void():
    metric = kt.MeanIoU(2)
    scores = np.array([[1.0, 0.0], [0.0, 1.0], [np.nan, np.nan]])
    metric.update_state(np.array([0, 1, 1]), scores, np.array([1.0, 1.0, 0.0]))
    assert float(metric.result()) == 1


def test_parts_of_several_devices_may_be_added_as_they_are(rng):
    numbers = rng.integers(0, 2**53, (4, 3))
    parts = sum(exact.from_numpy(row) for row in numbers)
    assert (exact.to_numpy(tensor(parts)) == numbers.sum(0)).all()
    np.testing.assert_allclose(
        to_numpy(exact.rounded(tensor(parts))), numbers.sum(0), rtol=2e-7
    )
