"""Batches that repeat the same samples are found, and not an epoch that begins anew."""

import itertools

import keras
import numpy as np
import pytest

from keras_trainfix import diagnose
from tests.diagnosis.nets import inputs, judge, net, view

X = inputs(400)
Y = (X[:, 0] * X[:, 1] + X[:, 2] > 0).astype("float32")
XOR = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32")


def drawn(rows, x=X, y=Y):
    """A generator of the batches whose rows an iterable gives."""
    return ((x[some], y[some]) for some in rows)


def finding(batches, y=None, shape=(6,)):
    return judge("KTF135", view(net(1, "sigmoid", "mse", shape=shape), batches, y))


def in_turn(samples, size):
    """The rows of epochs of all samples, one after the other."""
    starts = range(0, samples, size)
    return itertools.cycle([slice(i, min(i + size, samples)) for i in starts])


def by_chance(samples, size, seed=0):
    rng = np.random.default_rng(seed)
    while True:
        yield rng.integers(0, samples, size)


FAULTY = {
    "the same rows": lambda: itertools.repeat(np.arange(32)),
    "the same large batch": lambda: itertools.repeat(np.arange(128)),
    "a window that moves by one": lambda: (slice(i, i + 32) for i in range(300)),
    "the same rows in another order": lambda: (
        np.random.default_rng(i).permutation(32) for i in itertools.count()
    ),
}
SOUND = {
    "in turn": lambda: in_turn(400, 32),
    "drawn with replacement": lambda: by_chance(400, 32),
    "a small epoch again and again": lambda: in_turn(64, 32),
    "an epoch of a batch and a half": lambda: in_turn(48, 32),
    "few samples, drawn": lambda: by_chance(40, 16),
}


@pytest.mark.parametrize("kind", FAULTY)
def test_repeated_samples(kind):
    found = finding(drawn(FAULTY[kind]()))
    assert found.severity == "error"
    assert f"only {found.evidence['different']} are different" in found.message


@pytest.mark.parametrize("kind", SOUND)
def test_other_batches(kind):
    assert finding(drawn(SOUND[kind]())) is None
    assert finding(drawn(FAULTY["the same rows"]())) is not None


def test_rows_that_coincide_by_nature():
    y = np.array([0, 1, 1, 0], "float32")
    rng = np.random.default_rng(0)
    table = drawn((rng.integers(0, 4, 32) for _ in range(20)), XOR, y)
    assert finding(table, shape=(2,)) is None
    bits = rng.integers(0, 2, (400, 6)).astype("float32")
    assert finding(drawn(by_chance(400, 32), bits)) is None
    assert finding(drawn(itertools.repeat(np.arange(20)))) is not None


def test_points_at_which_an_equation_is_solved():
    points = itertools.repeat(np.arange(32))
    assert finding(drawn(points, y=np.zeros(400))) is None
    assert finding(drawn(itertools.repeat(np.arange(32)))) is not None


def test_arrays_are_no_batches():
    assert finding(np.tile(X[:32], (20, 1)), np.tile(Y[:32], 20)) is None
    assert finding(drawn(itertools.repeat(np.arange(32)))) is not None


@pytest.mark.parametrize("is_faulty", [True, False])
def test_it_is_the_first_finding(is_faulty):
    rows = itertools.repeat(np.arange(32)) if is_faulty else by_chance(400, 32)
    model = net(1, "sigmoid", keras.losses.BinaryCrossentropy())
    found = diagnose(model, drawn(rows), steps_per_epoch=10, fit=False).findings
    codes = [one.code for one in found if one.severity != "note"]
    assert codes[:1] == (["KTF135"] if is_faulty else [])


def test_all_there_are_in_one_batch_is_a_note():
    found = finding(drawn(itertools.repeat(np.arange(400))))
    assert found.severity == "note"
