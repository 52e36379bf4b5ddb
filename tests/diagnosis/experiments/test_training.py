"""Samples to step on and to measure on, and what is replaced in a training."""

import contextlib

import keras
import numpy as np
import pytest

from keras_trainfix.diagnosis.experiments.training import (
    Training,
    split_samples,
    training_of,
)
from keras_trainfix.diagnosis.observe.sample import Sample
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.experiments.benches import compiled, mlp, table

X = np.arange(200.0).reshape(100, 2)


@pytest.mark.parametrize("form", ["ids", "rows", "numbers"])
def test_both_parts_have_the_same_mix(form):
    ids = np.sort(np.arange(100) % 4 == 0).astype("int32")
    y = {"ids": ids, "rows": np.eye(2)[ids], "numbers": ids + X[:, 0] / 1e3}[form]
    train, held_out = split_samples(Sample(X, y))
    assert len(train.x) == 75
    assert len(held_out.x) == 25
    share = held_out.y[:, 1] if form == "rows" else held_out.y >= 1
    assert 0.2 <= np.mean(share) <= 0.3
    together = np.sort(np.concatenate([train.x, held_out.x])[:, 0])
    np.testing.assert_array_equal(together, X[:, 0])


def test_many_samples_hold_out_no_more_than_needed():
    x = np.zeros((2304, 1))
    train, held_out = split_samples(Sample(x, x))
    assert (len(train.x), len(held_out.x)) == (2048, 256)


def test_without_targets_samples_are_split_too():
    train, held_out = split_samples(Sample(X))
    assert len(train.x) + len(held_out.x) == 100
    assert train.y is None


def test_one_thing_is_replaced_in_both_parts():
    train, held_out = split_samples(Sample(X, X[:, 0]))
    training = Training(None, train, held_out)
    changed = training.with_inputs(lambda x: x + 1).with_targets(lambda y: -y)
    np.testing.assert_array_equal(changed.held_out.x, held_out.x + 1)
    np.testing.assert_array_equal(changed.train.y, -train.y)
    assert changed.is_compiled_step
    assert not training.with_settings(global_clipnorm=1.0).is_compiled_step


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("form", ["ids", "rows", "second output"])
def test_a_class_of_two_samples_is_in_both_parts(seed, form):
    ids = np.random.default_rng(seed).permutation(np.repeat([0, 1, 2], [51, 2, 47]))
    y = {"ids": ids, "rows": np.eye(3)[ids], "second output": [X[:, :1] / 7, ids]}
    train, held_out = split_samples(Sample(X, y[form]))
    for part in (train, held_out):
        own = part.y[1] if form == "second output" else part.y
        own = own.argmax(1) if form == "rows" else own
        assert set(own) == {0, 1, 2}


def test_one_change_does_not_undo_another():
    seen = []

    def changed(name):
        @contextlib.contextmanager
        def change(model):
            seen.append(f"{name} begins")
            yield
            seen.append(f"{name} ends")

        return change

    sample = Sample(X, X)
    training = Training(None, sample, sample).changed(changed("a"))
    with training.changed(changed("b")).change(None):
        assert seen == ["a begins", "b begins"]
    assert seen[2:] == ["b ends", "a ends"]


class InOrder(keras.utils.PyDataset):
    """Batches in the order of the arrays."""

    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y

    def __len__(self):
        return len(self.x) // 16

    def __getitem__(self, number):
        rows = slice(16 * number, 16 * number + 16)
        return self.x[rows], self.y[rows]


@pytest.mark.parametrize("is_sorted", [True, False])
def test_batches_that_come_class_by_class_keep_their_order(is_sorted):
    x, y = table()
    ids = (y[:, 0] > 0).astype("int32")
    order = np.argsort(ids, kind="stable") if is_sorted else np.arange(len(x))
    model = compiled(mlp(units=2), "sparse_categorical_crossentropy")
    training = training_of(Snapshot(model, InOrder(x[order], ids[order])))
    assert training.is_mixed != is_sorted


@pytest.mark.parametrize(("decay", "ends"), [(0.7, True), (0.999, False)])
def test_a_schedule_that_ends_at_once_is_followed(decay, ends):
    rate = keras.optimizers.schedules.ExponentialDecay(0.1, 1, decay)
    model = mlp()
    model.compile(keras.optimizers.Adam(rate), "mse")
    training = training_of(Snapshot(model, *table()))
    assert (training.schedule is not None) == ends
    if ends:
        assert training.schedule(2) == pytest.approx(0.049, rel=1e-5)
        model.fit(*table(), verbose=0)
        trained = training_of(Snapshot(model, *table()))
        assert trained.schedule is None
