"""Batches that come class by class, and targets of other rows."""

import keras
import numpy as np

from tests.diagnosis.experiments.benches import compiled, gains, mlp, pair, table

X, Y = table()
SPARSE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


class Batches(keras.utils.PyDataset):
    """Batches in the order of the arrays."""

    def __init__(self, x, y, size=32):
        super().__init__()
        self.x, self.y, self.size = x, y, size

    def __len__(self):
        return len(self.x) // self.size

    def __getitem__(self, number):
        rows = slice(number * self.size, (number + 1) * self.size)
        return self.x[rows], self.y[rows]


@pair("batches-mixed", cured=True, sound=False)
def test_batches_mixed(is_sorted):
    x, _ = table(samples=2048)
    classes = np.digitize(x[:, 0] * np.sign(x[:, 1]), [-0.8, 0.0, 0.8])
    order = np.argsort(classes, kind="stable") if is_sorted else np.arange(len(x))
    data = Batches(x[order], classes[order])
    return compiled(mlp(units=4), SPARSE, rate=0.1), data, None


@pair("rows-paired", cured=1, sound=0)
def test_rows_paired(shift):
    return compiled(mlp()), X, np.roll(Y, shift, 0)


def test_the_row_of_the_target_is_named():
    (words,) = gains("rows-paired", compiled(mlp()), X, np.roll(Y, -2, 0), steps=2)
    assert words == "the target of row i - 2 for the inputs of row i"


def test_rows_that_keep_their_weights_are_not_moved():
    weights = np.ones(len(X), "float32")
    data = X, np.roll(Y, 1, 0), weights
    assert gains("rows-paired", compiled(mlp()), *data, steps=2) == {}
