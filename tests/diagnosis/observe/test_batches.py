"""The batches of `fit`, and how many a one-time iterator is asked for."""

import keras
import numpy as np
import pytest

from keras_trainfix import diagnose
from keras_trainfix.diagnosis.observe.batches import FEWEST_BATCHES, read_batches

X = np.arange(64.0).reshape(32, 2)
Y = np.arange(32.0)


class Twice(keras.utils.PyDataset):
    """Batches of 4 that can be read again."""

    def __len__(self):
        return 8

    def __getitem__(self, index):
        chosen = slice(4 * index, 4 * index + 4)
        return X[chosen], Y[chosen]


def endless():
    while True:
        yield X[:4], Y[:4]


def test_data_that_can_be_read_again_give_two_epochs():
    read = read_batches(Twice(), 1, least=8)
    assert [len(epoch) for epoch in read.epochs] == [8, 8]
    assert read.taken == 0
    np.testing.assert_array_equal(read.first[1].y, Y[4:8])


def test_a_generator_gives_no_more_than_it_must():
    for least, taken in ((10, FEWEST_BATCHES), (40, 10)):
        read = read_batches(endless(), 1, least)
        assert [len(epoch) for epoch in read.epochs] == [taken]
        assert read.taken == taken


def test_steps_per_epoch_ends_an_epoch():
    assert len(read_batches(Twice(), 1, least=8, steps=2).first) == 2


def test_no_sample_is_an_error():
    with pytest.raises(ValueError, match="at least one sample"):
        diagnose(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]), iter([]))


def test_a_diagnosis_says_how_many_batches_it_took():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    diagnosis = diagnose(model, endless(), fit=False, steps_per_epoch=3)
    assert "3 batches of the iterator" in str(diagnosis)
    assert diagnosis.to_dict()["remarks"] == list(diagnosis.remarks)
