"""Masks are those of the labels and predictions, whatever their form."""

import numpy as np
import pytest

from keras_trainfix.metrics.masks import read_masks
from keras_trainfix.metrics.setting import checked_setting
from tests.metrics.helpers import message, tensor
from tests.metrics.reference import Case

SETTING = checked_setting(5, 255, -1, 0.5, False)


def check(masks, case):
    classes = np.arange(5)[:, None, None, None]
    np.testing.assert_array_equal(masks.valid, case.valid)
    labeled = (case.labels == classes) & case.valid
    np.testing.assert_array_equal(masks.labeled, labeled)
    predicted = (case.ids == classes) & case.valid
    np.testing.assert_array_equal(masks.predicted, predicted)


@pytest.fixture
def case(rng):
    return Case(rng, (2, 6, 7), 5, (255,), 0.3)


def test_labels_of_any_form_with_scores_and_ids(case):
    for labels in case.forms().values():
        check(read_masks(labels, tensor(case.scores), None, SETTING), case)
        ids = np.where(case.valid, case.ids, 0)[..., None]
        check(read_masks(labels, ids, None, SETTING), case)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64"])
def test_one_hot_rows_on_both_sides(case, dtype):
    rows = np.eye(5, dtype=dtype)[case.ids]
    labels = case.forms()["one-hot"].astype(dtype)
    check(read_masks(labels, rows, None, SETTING), case)
    first = np.moveaxis(labels, -1, 1), np.moveaxis(rows, -1, 1)
    setting = SETTING._replace(axis=1)
    check(read_masks(*first, None, setting), case)


def test_ids_of_a_volume_are_not_taken_for_rows(rng):
    case = Case(rng, (2, 4, 3, 5), 5, (255,), 0.3)
    ids = np.where(case.valid, case.ids, 0)
    masks = read_masks(case.labels, ids, None, SETTING)
    assert masks.valid.shape == (2, 4, 3, 5)
    assert (masks.predicted.sum(axis=0) == case.valid).all()


def test_a_pixel_of_weight_0_is_void(case):
    weights = np.where(case.valid, 2, 0)
    labels = np.where(case.valid, case.labels, 0)
    check(read_masks(labels, case.scores, weights, SETTING), case)


def test_several_classes_a_pixel(rng):
    rows, probabilities = rng.integers(0, 2, (2, 6, 7, 5)), rng.random((2, 6, 7, 5))
    void = rng.random((2, 6, 7)) < 0.3
    rows[void, 2] = 255
    masks = read_masks(rows, probabilities, None, SETTING._replace(multi_label=True))
    np.testing.assert_array_equal(masks.valid, ~void)
    labeled = np.moveaxis((rows == 1) & ~void[..., None], -1, 0)
    np.testing.assert_array_equal(masks.labeled, labeled)
    predicted = np.moveaxis((probabilities > 0.5) & ~void[..., None], -1, 0)
    np.testing.assert_array_equal(masks.predicted, predicted)


def test_what_is_invalid_is_named(case):
    labels = np.where(case.valid, case.labels, 9)
    text = message(lambda: read_masks(labels, case.scores, None, SETTING))
    assert "a class, 0 to 4, or ignored" in text
    scores = np.where(np.ones((2, 6, 7, 5), bool), np.nan, 0)
    text = message(lambda: read_masks(case.labels, scores, None, SETTING))
    assert "`y_pred` must not be NaN" in text
