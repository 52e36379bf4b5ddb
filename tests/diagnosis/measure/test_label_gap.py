"""Coding, ids and order of classes of two sets of targets."""

import numpy as np
import pytest

from keras_trainfix.diagnosis.measure.label_gap import (
    coding_of,
    ids_of,
    label_gap,
    order_of_classes,
)

RNG = np.random.default_rng(0)
IDS = RNG.integers(0, 4, 300)
X = np.eye(4)[IDS] * 4 + RNG.normal(size=(300, 4))


@pytest.mark.parametrize(
    ("targets", "coding"),
    [
        (IDS, "class ids"),
        (IDS[:, None].astype("float32"), "class ids"),
        (np.eye(4)[IDS], "one-hot rows"),
        (RNG.random((20, 4)), "numbers"),
        (RNG.integers(0, 2, (20, 4)), "numbers"),  # several at once
        (RNG.random(20), "numbers"),
        (np.array(["a", "b"]), "numbers"),
    ],
)
def test_codings(targets, coding):
    assert coding_of(targets) == coding


def test_ids():
    np.testing.assert_array_equal(ids_of(np.eye(4)[IDS]), IDS)
    np.testing.assert_array_equal(ids_of(IDS[:, None] + 0.0), IDS)


def test_alike():
    assert label_gap(IDS[:200], IDS[200:]).is_none
    assert label_gap(np.eye(4)[IDS[:200]], np.eye(4)[IDS[200:]]).is_none


def test_another_coding():
    gap = label_gap(IDS, np.eye(4)[IDS])
    assert gap.codings == ("class ids", "one-hot rows")
    assert not gap.is_none


def test_ids_that_begin_elsewhere():
    assert label_gap(IDS, IDS + 1).offset == 1
    assert label_gap(IDS, IDS).offset == 0
    assert label_gap(IDS % 2, IDS % 2 + 1).only_second == (2,)


def test_missing_classes():
    gap = label_gap(IDS, IDS[IDS < 3])
    assert gap.only_first == (3,)
    assert label_gap(IDS[IDS < 3], IDS).only_second == (3,)


def test_a_rare_class_may_be_missing():
    ids = np.append(IDS, 9)
    assert label_gap(ids, IDS).is_none
    assert not label_gap(np.append(IDS, [9] * 60), IDS).is_none


def test_another_order():
    order = np.array([1, 2, 0, 3])
    found = order_of_classes(X[:200], IDS[:200], X[200:], order[IDS[200:]])
    assert found == ((0, 1), (1, 2), (2, 0))
    assert order_of_classes(X[:200], IDS[:200], X[200:], IDS[200:]) == ()


def test_inputs_that_do_not_show_the_class():
    noise = RNG.normal(size=(300, 4))
    order = np.array([1, 2, 3, 0])
    assert order_of_classes(noise[:200], IDS[:200], noise[200:], order[IDS[200:]]) == ()
    found = order_of_classes(X[:200], IDS[:200], X[200:], order[IDS[200:]])
    assert len(found) == 4
