"""A class of two or more samples is in both parts, whatever its place in the data."""

import numpy as np
import pytest

from keras_trainfix.diagnosis.measure.stratified import (
    classes_of,
    few_of,
    stratified,
)

COUNTS = (190, 2, 5, 3)


def labels(seed):
    ids = np.repeat(np.arange(len(COUNTS)), COUNTS)
    return np.random.default_rng(seed).permutation(ids)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("every", [2, 4, 9])
def test_each_class_is_in_both_parts(seed, every):
    ids = labels(seed)
    held_out = stratified(classes_of(ids), every)
    assert set(ids[held_out]) == set(ids[~held_out]) == set(range(4))
    assert abs(held_out.sum() - len(ids) / every) <= 3
    np.testing.assert_array_equal(held_out, stratified(classes_of(ids), every))


@pytest.mark.parametrize("seed", range(4))
def test_rows_with_several_classes(seed):
    rows = np.random.default_rng(seed).random((96, 6)) < 0.4
    rows[:, 5] = False
    rows[3:5, 5] = True  # a class of two rows, which have others as well
    held_out = stratified(classes_of(rows.astype("float32")), 4)
    assert rows[held_out].any(0).all()
    assert rows[~held_out].any(0).all()


def test_a_class_of_one_sample_stays_where_it_is():
    ids = np.arange(40) // 39
    assert stratified(classes_of(ids), 4).sum() == 10


def test_more_classes_than_samples_to_hold_out():
    classes = np.eye(50, dtype=bool)[np.arange(100) // 2]
    assert stratified(classes, 4).sum() == 25


@pytest.mark.parametrize(
    ("targets", "number"),
    [
        (np.arange(30) % 3, 3),
        (np.float32(np.arange(30) % 3)[:, None], 3),
        (np.eye(4)[np.arange(30) % 3], 4),
        (np.ones((30, 2, 2, 1), int), 1),
        (np.eye(5)[np.arange(60).reshape(30, 2) % 4], 4),
        (np.arange(30), None),  # numbers, whole by chance
        (np.linspace(0, 1, 30), None),
        (np.array(["a", "b"]), None),
        (np.full(30, np.nan), None),
        (np.zeros((0, 1)), None),
    ],
)
def test_classes_of(targets, number):
    classes = classes_of(targets)
    found = None if classes is None else classes.shape
    assert found == (None if number is None else (30, number))


def test_classes_with_few_rows_are_named():
    assert few_of({0: 61, 1: 3, 2: 0, 3: 9}) == "3 of class 1, 9 of class 3"
    assert few_of({0: 61, 1: 10}) == ""
