"""Batches and epochs of different scales."""

import keras
import numpy as np
import pytest

from keras_trainfix import diagnose
from tests.diagnosis.nets import inputs, judge, net, view

X = inputs(512)
Y = (X[:, :1] * X[:, 1:2] > 0).astype("float32")


class Batches(keras.utils.PyDataset):
    """Batches of 32 whose inputs a function of epoch and index changes."""

    def __init__(self, change):
        super().__init__()
        self.change, self.read = change, 0

    def __len__(self):
        return 16

    def __getitem__(self, index):
        epoch = self.read // 16
        self.read += 1
        rows = slice(32 * index, 32 * index + 32)
        return self.change(X[rows], epoch, index).astype("float32"), Y[rows]


FAULTY = {
    "another scale in every fourth": lambda x, _, i: x if i % 4 else 255 * x,
    "half of them scaled": lambda x, _, i: x if i % 2 else x / 100,
    "another level in some": lambda x, _, i: x if i % 4 else x + 20,
    "scaled in each epoch again": lambda x, epoch, _: x / 255**epoch,
}
SOUND = {
    "as they are": lambda x, *_: x,
    "brighter and darker": lambda x, _, i: x * (0.7 + 0.05 * i),
    "a drift": lambda x, _, i: x + 0.1 * i,
    "one odd batch": lambda x, _, i: x if i != 7 else 100 * x,
}


def finding(change):
    return judge("KTF137", view(net(1, "sigmoid", "mse"), Batches(change)))


@pytest.mark.parametrize("kind", FAULTY)
def test_batches_shift(kind):
    found = finding(FAULTY[kind])
    assert found.severity == "error"
    assert ("second epoch" in found.message) == (kind == "scaled in each epoch again")


@pytest.mark.parametrize("kind", SOUND)
def test_batches_that_do_not(kind):
    assert finding(SOUND[kind]) is None
    assert finding(FAULTY["half of them scaled"]) is not None


@pytest.mark.parametrize("is_faulty", [True, False])
def test_it_is_the_first_finding(is_faulty):
    change = FAULTY["scaled in each epoch again"] if is_faulty else SOUND["as they are"]
    model = net(1, "sigmoid", keras.losses.BinaryCrossentropy())
    found = diagnose(model, Batches(change), fit=False).findings
    codes = [one.code for one in found if one.severity != "note"]
    assert codes == (["KTF137"] if is_faulty else [])


def test_ids_and_text():
    words = [(np.array(["a", "b"] * 8), np.zeros((16, 1)))] * 6
    one = view(net(1, "sigmoid", "mse"), Batches(SOUND["as they are"]))
    one.snapshot.batches.epochs[:] = [
        [batch._replace(x=part[0], y=part[1]) for batch, part in zip(epoch, words)]  # noqa: B905
        for epoch in one.snapshot.batches.epochs
    ]
    assert judge("KTF137", one) is None
    assert finding(FAULTY["half of them scaled"]) is not None
