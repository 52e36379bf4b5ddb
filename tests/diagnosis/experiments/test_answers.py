"""Parts of the inputs are replaced, and the answers compared, in one call."""

import keras
import numpy as np
import pytest

from keras_trainfix.diagnosis.experiments.answers import (
    answers_to,
    inputs_of,
    movement,
    replaced,
    some,
)
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.nets import inputs, net


def of_two(names=("one", "two")):
    """A net that subtracts two inputs."""
    one, two = (keras.Input((3,), name=name) for name in names)
    return keras.Model([one, two], keras.layers.Subtract()([one, two]))


def test_a_single_input_is_x():
    x = inputs()
    (only,) = inputs_of(Snapshot(net(), x))
    assert (only.name, only.code, only.key) == ("x", "x", None)
    np.testing.assert_array_equal(only.values, x)


def test_inputs_have_their_names_and_the_code_that_gives_them():
    x = [np.ones((9, 3)), np.zeros((9, 3))]
    named = inputs_of(Snapshot(of_two(), x))
    assert [(one.name, one.code) for one in named] == [
        ("one", "x[0]"),
        ("two", "x[1]"),
    ]
    unnamed = inputs_of(Snapshot(of_two((None, None)), x))
    assert [one.name for one in unnamed] == ["x[0]", "x[1]"]
    by_key = inputs_of(Snapshot(of_two(), {"one": x[0], "two": x[1]}))
    assert [(one.name, one.code) for one in by_key] == [
        ("one", "x['one']"),
        ("two", "x['two']"),
    ]


@pytest.mark.parametrize("is_dict", [False, True])
def test_one_input_is_replaced_in_one_call(is_dict):
    x = [np.full((9, 3), 5.0), np.full((9, 3), 2.0)]
    x = {"one": x[0], "two": x[1]} if is_dict else x
    snapshot = Snapshot(of_two(), x)
    rows = some(snapshot, slice(4))
    other = replaced(rows, "two" if is_dict else 1, np.full((4, 3), 4.0))
    (before,), (after,) = answers_to(snapshot, [rows, other])
    assert before.shape == after.shape == (4, 3)
    np.testing.assert_allclose(before, 3)
    np.testing.assert_allclose(after, 1)


def test_movement_keeps_axes():
    one, other = np.zeros((2, 3, 4)), np.ones((2, 3, 4))
    other[0] = 2
    assert movement(one, other).tolist() == [2, 1]
    assert movement(one, other, kept=1).shape == (2, 3)
