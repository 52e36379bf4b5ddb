"""Equal samples have equal keys, whatever they hold."""

import numpy as np
import pytest

from keras_trainfix.diagnosis.measure.row_keys import row_keys

ROWS = {
    "numbers": np.array([[1.0, -0.0], [2.0, 1.0], [1.0, 0.0]]),
    "text": np.array(["one", "two", "one"]),
    "objects": np.array([["a", 1], ["b", 1], ["a", 1]], object),
    "a dict": {"a": np.array([1, 2, 1]), "b": np.array([[3], [3], [3]])},
    "missing": np.array([np.nan, 0.0, np.nan]),
    "numbers of one axis": np.array([7, 8, 7]),
}


@pytest.mark.parametrize("kind", ROWS)
def test_equal_rows_have_equal_keys(kind):
    keys = row_keys(ROWS[kind])
    assert keys[0] == keys[2]
    assert keys[0] != keys[1]


def test_the_dtype_does_not_matter():
    values = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    assert (row_keys(values) == row_keys(values.astype("float64"))).all()


def test_all_parts_count():
    x, y = np.zeros((2, 3)), np.array([0, 1])
    assert len(set(row_keys([x, y]))) == 2
    assert len(set(row_keys(x))) == 1


def test_text_as_tensorflow_gives_it():
    words = np.array([b"one two", b"three", b"one two"], object)
    keys = row_keys(words)
    assert keys[0] == keys[2] != keys[1]
