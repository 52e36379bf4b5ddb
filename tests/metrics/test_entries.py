"""With `multi_label`, each class has a table of its own, exact and without void."""

import functools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import keras_trainfix as kt
from keras_trainfix import labels as kt_labels
from keras_trainfix.backend import to_numpy, widest
from tests.metrics.helpers import compiled, message, op_by_op, tensor

CLASSES = 3
SHAPE = (2, 4, 3)
SCORES = {kt.MeanIoU: "iou", kt.DiceScore: "dice"}


class MultiLabel:
    """One batch of rows with any number of ones, some void, and their probabilities."""

    def __init__(self, rng, share=0.3, shape=SHAPE, num_classes=CLASSES):
        self.rows = rng.integers(0, 2, (*shape, num_classes))
        self.void = rng.random(shape) < share
        # Multiples of 1/8, which a logit of float32 keeps apart from the threshold.
        self.probabilities = rng.integers(1, 8, self.rows.shape) / 8
        self.predicted = self.probabilities > 0.5
        self.labels = self.rows.copy()
        self.labels[self.void, 0] = 255  # one entry is enough
        self.given = self.probabilities.astype("float32")
        self.given[self.void & (rng.random(shape) < 0.5)] = np.nan

    def tables(self, weights=None, threshold=0.5):
        """Python integers, one entry at a time."""
        tables = np.zeros((self.rows.shape[-1], 2, 2), object)
        predicted = self.probabilities > threshold
        for place in np.ndindex(self.rows.shape):
            if not self.void[place[:-1]]:
                cell = place[-1], int(self.rows[place]), int(predicted[place])
                tables[cell] += 1 if weights is None else int(weights[place])
        return tables


@st.composite
def batches(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return MultiLabel(rng, draw(st.sampled_from([0.0, 0.3, 1.0])))


def counted(y_true, y_pred, sample_weight=None, num_classes=CLASSES, **options):
    metric = kt.ConfusionMatrix(num_classes, multi_label=True, **options)
    metric.update_state(y_true, y_pred, sample_weight)
    return metric.confusion_matrix()


def ratio(part, whole):
    return float(part / whole) if whole else np.nan


def mean(values):
    known = [value for value in values if not np.isnan(value)]
    return sum(known) / len(known) if known else np.nan


@given(batch=batches())
def test_tables_are_those_of_a_loop_over_entries(batch):
    forms = [batch.labels, batch.labels.astype("uint8"), batch.labels.astype("float32")]
    with op_by_op():
        for labels in forms:
            tables = counted(labels, batch.given)
            assert tables.dtype == "int64"
            assert (tables == batch.tables()).all()


@given(batch=batches())
def test_scores_are_the_definitions(batch):
    tables = batch.tables()
    hits, extra, missed = tables[:, 1, 1], tables[:, 0, 1], tables[:, 1, 0]
    expected = {
        kt.MeanIoU: map(ratio, hits, hits + extra + missed),
        kt.DiceScore: map(ratio, 2 * hits, 2 * hits + extra + missed),
    }
    with op_by_op():
        for metric_class, values in expected.items():
            metric = metric_class(CLASSES, multi_label=True)
            metric.update_state(batch.labels, batch.given)
            score = float(metric.result())
            np.testing.assert_allclose(score, mean([*values]), rtol=1e-6)
        accuracy = kt.PixelAccuracy(CLASSES, multi_label=True, per_class=True)
        accuracy.update_state(batch.labels, batch.given)
    result = {name: float(value) for name, value in accuracy.result().items()}
    recalls = [*map(ratio, hits, hits + missed)]
    right = hits.sum() + tables[:, 0, 0].sum()
    np.testing.assert_allclose(
        [*result.values()],
        [ratio(right, tables.sum()), mean(recalls), *recalls],
        rtol=1e-6,
    )


def test_the_reading_of_labels_is_that_of_the_losses(rng):
    batch = MultiLabel(rng)
    for labels in (batch.labels, rng.choice([0, 1, 2, 255], SHAPE), batch.rows * 0.7):
        read = kt_labels.read_labels(labels, batch.given.shape, multi_label=True)
        rows = to_numpy(kt_labels.class_rows(read, CLASSES)) > 0.5
        valid = to_numpy(read.valid)
        tables = counted(labels, np.nan_to_num(batch.given))
        assert (tables.sum(axis=(1, 2)) == valid.sum()).all()
        assert (tables[:, 1].sum(axis=-1) == rows[valid].sum(axis=0)).all()


def test_a_row_of_zeros_is_a_pixel_without_a_class():
    rows = np.array([[[0, 0], [1, 1]]])
    tables = counted(rows, np.array([[[0.1, 0.9], [0.9, 0.9]]]), num_classes=2)
    assert tables.tolist() == [[[1, 0], [0, 1]], [[0, 1], [0, 1]]]


@functools.cache
def compiled_counting():
    options = {"multi_label": True, "num_classes": CLASSES}
    return compiled(
        lambda y, p, w: (
            kt.confusion_matrix(y, p, **options),
            kt.confusion_matrix(y, p, sample_weight=w, **options),
        )
    )


@given(batch=batches())
def test_compiled_code_counts_as_eager_code_does(batch):
    weights = np.arange(batch.rows.size).reshape(batch.rows.shape)
    arrays = batch.labels.astype("int32"), batch.given, weights.astype("float32")
    plain, weighted = compiled_counting()(*map(tensor, arrays))
    assert (to_numpy(plain) == batch.tables()).all()
    assert (to_numpy(weighted) == batch.tables(weights)).all()


def test_weights_of_samples_pixels_and_entries(rng):
    batch = MultiLabel(rng)
    weights = rng.integers(0, 5, batch.rows.shape)
    for given_weights in (
        weights,
        weights[..., 0],
        weights[:, :, :1, 0],
        weights[:, 0, 0, 0],
    ):
        whole = given_weights.reshape(
            *given_weights.shape, *(1,) * (4 - given_weights.ndim)
        )
        whole = np.broadcast_to(whole, weights.shape)
        tables = counted(batch.labels, batch.given, given_weights)
        assert (tables == batch.tables(whole)).all()


def test_an_entry_of_weight_0_is_void_for_its_class_alone():
    rows, weights = np.array([[[1, 1, 0]]]), np.array([[[1, 0, 1]]])
    tables = counted(rows, np.array([[[0.9, np.nan, 0.9]]]), weights)
    assert tables.sum(axis=(1, 2)).tolist() == [1, 0, 1]


def test_classes_on_axis_1(rng):
    batch = MultiLabel(rng)
    labels, given_, weights = (
        np.moveaxis(x, -1, 1) for x in (batch.labels, batch.given, batch.rows + 1)
    )
    assert (counted(labels, given_, axis=1) == batch.tables()).all()
    tables = counted(labels, given_, weights, axis=1)
    assert (tables == batch.tables(batch.rows + 1)).all()


@pytest.mark.parametrize("threshold", [0.5, 0.2])
def test_logits_and_probabilities_have_one_threshold(rng, threshold):
    batch = MultiLabel(rng)
    logits = np.log(batch.given / (1 - batch.given))
    expected = batch.tables(threshold=threshold)
    assert (counted(batch.labels, batch.given, threshold=threshold) == expected).all()
    tables = counted(batch.labels, logits, threshold=threshold, from_logits=True)
    assert (tables == expected).all()


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int32", "float16", widest("float")]
)
def test_predictions_of_any_dtype(rng, dtype):
    batch = MultiLabel(rng)
    tables = counted(batch.labels, batch.predicted.astype(dtype))
    assert (tables == batch.tables()).all()


def test_one_class_is_one_sigmoid_unit(rng):
    batch = MultiLabel(rng, num_classes=1)
    batch.labels[batch.void] = 255
    assert (counted(batch.labels, batch.given, num_classes=1) == batch.tables()).all()
    one, two = (
        metric(batch)
        for metric in (
            lambda b: updated(kt.MeanIoU(1, multi_label=True), b),
            lambda b: updated(kt.MeanIoU(2, include_background=False), b),
        )
    )
    assert float(one.result()) == float(two.result())


def updated(metric, batch):
    metric.update_state(batch.labels, batch.given)
    return metric


def test_counts_beyond_float32_and_int32_are_exact():
    metric = kt.ConfusionMatrix(2, multi_label=True)
    large = np.array([[[2**53 - 1, 1], [2**40 + 1, 2**33]]] * 2)
    metric.load_confusion_matrix(large)
    metric.update_state(np.array([[1, 0]]), np.array([[0.9, 0.9]]))
    large[0, 1, 1] += 1
    large[1, 0, 1] += 1
    assert (metric.confusion_matrix() == large).all()


def test_any_split_into_batches_and_merged_states(rng):
    batch = MultiLabel(rng, shape=(7, 5))
    whole = updated(kt.DiceScore(CLASSES, multi_label=True), batch)
    parts = [kt.DiceScore(CLASSES, multi_label=True) for _ in range(2)]
    for i, start in enumerate(range(0, 7, 3)):
        part = slice(start, start + 3)
        parts[i % 2].update_state(batch.labels[part], batch.given[part])
    parts[0].merge_state(parts[1])
    assert (parts[0].confusion_matrix() == whole.confusion_matrix()).all()
    text = message(lambda: whole.merge_state(kt.DiceScore(CLASSES)))
    assert "count the same classes" in text


# --- errors ---


def update(y_true, y_pred, sample_weight=None, num_classes=CLASSES, **options):
    metric = kt.MeanIoU(num_classes, multi_label=True, **options)
    metric.update_state(np.asarray(y_true), np.asarray(y_pred), sample_weight)
    return metric


ROWS = np.array([[[1, 1, 0], [0, 0, 0]]])
GOOD = np.full((1, 2, 3), 0.25)


@pytest.mark.parametrize(
    ("y_true", "y_pred", "expected"),
    [
        (ROWS, GOOD[..., :2], "one entry for each of 3 classes on axis -1"),
        (ROWS, ROWS[..., 0], "Turn class ids into rows with `keras.ops.one_hot`"),
        (ROWS[:, :1], GOOD, "`y_true` must have shape (1, 2)"),
        (ROWS, 8 * GOOD, "pass `from_logits=True`"),
        (ROWS, 2 * ROWS, "0 or 1 for each class with multi_label=True"),
        (7 * ROWS, GOOD, "between 0 and 1 or ignored, ignore_class=255"),
        ([[7, 1]], GOOD, "a class, 0 to 2, or ignored, ignore_class=255"),
    ],
)
def test_labels_and_predictions_that_do_not_fit(y_true, y_pred, expected):
    assert expected in message(lambda: update(y_true, y_pred))


def test_rows_with_several_classes_need_no_other_argument():
    assert np.isfinite(float(update(ROWS, GOOD).result()))


def test_weights_of_another_shape():
    text = message(lambda: update(ROWS, GOOD, np.ones((1, 2, 2))))
    assert "sample_weight.shape=(1, 2, 2), labels of shape (1, 2, 3)" in text


def test_nan_predictions_make_the_result_nan_and_are_named():
    y_pred = GOOD.copy()
    y_pred[0, 1, 2] = np.nan
    metric = update(ROWS, y_pred)
    with pytest.warns(UserWarning, match="1 invalid prediction .*multi_label=True"):
        assert math.isnan(metric.result())
    call = lambda: kt.confusion_matrix(ROWS, y_pred, 3, multi_label=True)  # noqa: E731
    assert "1 valid pixels with NaN" in message(call)


@pytest.mark.backend_only("tensorflow", "jax", reason="torch does not compile")
@pytest.mark.parametrize(
    ("y_true", "y_pred", "weights"),
    [(7 * ROWS, GOOD, None), (ROWS, 8 * GOOD, None), (ROWS, GOOD, -np.ones((1, 2)))],
)
def test_compiled_code_gives_minus_1_for_what_eager_code_refuses(
    y_true, y_pred, weights
):
    function = compiled(
        lambda y, p, w: kt.confusion_matrix(y, p, 3, sample_weight=w, multi_label=True)
    )
    arrays = [y_true.astype("int32"), y_pred.astype("float32"), weights]
    tables = function(*(x if x is None else tensor(x.astype(x.dtype)) for x in arrays))
    assert (to_numpy(tables) == -1).all()
    assert np.isnan(to_numpy(kt.dice_from_confusion(tables))).all()
