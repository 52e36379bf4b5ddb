"""Different samples are counted in what the batches of `fit` hold."""

import numpy as np
import pytest

from keras_trainfix.diagnosis.experiments.instruments.repeated_samples import (
    count_different,
)
from keras_trainfix.diagnosis.observe.sample import Sample

X = np.random.default_rng(0).normal(size=(400, 3))


def batches(rows, x=X):
    return [Sample(x[some], x[some, 0]) for some in rows]


def test_the_same_batch():
    seen = count_different(batches([np.arange(32)] * 8))
    assert (seen.different, seen.samples, seen.largest) == (32, 256, 32)
    assert (seen.within, seen.new, seen.share) == (1, 0, 0.125)


def test_all_different():
    seen = count_different(batches(np.arange(256).reshape(8, 32)))
    assert (seen.within, seen.new, seen.share) == (1, 1, 1)


def test_windows_that_move_by_one():
    seen = count_different(batches([np.arange(i, i + 32) for i in range(8)]))
    assert seen.different == 39
    assert seen.new == pytest.approx(1 / 32)


def test_drawn_with_replacement():
    rng = np.random.default_rng(1)
    seen = count_different(batches(rng.integers(0, 400, (12, 32))))
    assert 0.55 < seen.share < 0.7
    assert seen.new > 0.8


def test_a_small_epoch_that_begins_again():
    seen = count_different(batches(np.tile(np.arange(96).reshape(3, 32), (20, 1))))
    assert seen.share < 0.1
    assert seen.new == 1


def test_targets_are_part_of_a_sample():
    parts = [Sample(X[:32], np.arange(i, i + 32)) for i in range(0, 320, 32)]
    assert count_different(parts).share == 1


def test_two_batches_are_too_few():
    assert count_different(batches([np.arange(32)] * 2)) is None
    assert count_different(batches([np.arange(32)] * 3)).different == 32


def test_text_in_a_dict():
    words = np.array([f"word {i}" for i in range(64)], object)[:, None]
    same = [Sample({"a": words[:32], "b": X[:32]})] * 4
    assert count_different(same).different == 32
    assert count_different([*same, Sample({"a": words[32:], "b": X[:32]})]).new == 0
    other = Sample({"a": words[32:], "b": X[:32]})
    assert count_different([*same[:1], other, other]).different == 64
