"""Labels are compared between the batches of `fit`."""

import keras
import numpy as np
import pytest

from keras_trainfix.diagnosis.experiments.instruments.sorted_batches import (
    compare_labels,
    sorted_batches,
)
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.nets import inputs, net, view

IDS = np.repeat(np.arange(8), 64)
SHUFFLED = np.random.default_rng(0).permutation(IDS)


def batches(ids, size=32):
    return [ids[i : i + size] for i in range(0, len(ids), size)]


@pytest.mark.parametrize("form", [lambda y: y, lambda y: np.eye(8)[y]])
def test_sorted_and_shuffled(form):
    seen = compare_labels([form(batch) for batch in batches(IDS)])
    assert (seen.batches, seen.classes, seen.purity, seen.gain) == (16, 8, 1, 1)
    assert seen.ratio > 100
    seen = compare_labels([form(batch) for batch in batches(SHUFFLED)])
    assert seen.ratio < 2
    assert abs(seen.gain) < 0.1


def test_a_sampler_of_a_few_classes():
    rng = np.random.default_rng(0)
    some = [np.repeat(rng.choice(50, 8, replace=False), 4) for _ in range(40)]
    assert compare_labels(some).gain < 0.2


def test_a_balanced_sampler():
    seen = compare_labels([np.arange(32) % 8] * 10)
    assert seen.ratio < 0.5
    assert compare_labels(batches(IDS)).ratio > 4


def test_what_has_no_classes():
    assert (
        compare_labels([np.random.default_rng(i).random(8) for i in range(9)]) is None
    )
    assert compare_labels(batches(IDS)[:3]) is None
    assert compare_labels(batches(IDS * 0)) is None
    assert compare_labels(batches(IDS)[:4]) is not None


def test_arrays_count_only_if_they_are_not_shuffled():
    model = net(8, "softmax", "sparse_categorical_crossentropy")
    x = inputs(512)
    for shuffle in (True, False):
        answer = sorted_batches(view(model, x, IDS, shuffle=shuffle).snapshot)
        assert (answer is None) == shuffle
    assert answer[0].batches == 16
    answer = sorted_batches(view(model, x, IDS, shuffle=False, batch_size=64).snapshot)
    assert answer[0].batches == 8


class InOrder(keras.utils.PyDataset):
    """Batches of 8 samples, class by class; the classes are long."""

    def __init__(self, each, order=None, **settings):
        super().__init__(**settings)
        self.y = np.repeat([2, 0, 1], each)[order if order is not None else slice(None)]

    def __len__(self):
        return len(self.y) // 8

    def __getitem__(self, index):
        y = self.y[8 * index : 8 * index + 8]
        return np.eye(3, dtype="float32")[y], y


def test_a_class_longer_than_what_is_read():
    each = 4000
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    (seen,) = sorted_batches(Snapshot(model, InOrder(each)))
    assert seen.classes == 2
    assert seen.purity == 1
    order = np.random.default_rng(0).permutation(3 * each)
    (mixed,) = sorted_batches(Snapshot(model, InOrder(each, order)))
    assert mixed.gain < 0.2
    assert sorted_batches(Snapshot(model, InOrder(each, slice(each)))) == [None]
