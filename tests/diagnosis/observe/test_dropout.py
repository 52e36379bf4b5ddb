"""Dropout that keeps too little, or comes after the last layer with weights."""

import pytest
from keras import layers

from keras_trainfix.diagnosis.observe.dropout import late_dropout, strongest_dropout
from tests.diagnosis.nets import inputs, view
from tests.diagnosis.single import sequential

X = inputs()


@pytest.mark.parametrize(
    ("rates", "strongest"),
    [([0.5], None), ([0.8], 0.8), ([0.9, 0.5, 0.95], 0.95), ([], None)],
)
def test_the_strongest_dropout(rates, strongest):
    hidden = [layers.Dropout(rate) for rate in rates]
    one = view(sequential(layers.Dense(4), *hidden, layers.Dense(1)), X)
    found = strongest_dropout(one.snapshot)
    assert (found and found.rate) == strongest


@pytest.mark.parametrize(
    ("parts", "is_late"),
    [
        ([layers.Dropout(0.5), layers.Dense(3)], False),
        ([layers.Dense(3), layers.Dropout(0.5)], True),
        ([layers.Dense(3), layers.Dropout(0.0)], False),
        ([layers.Dense(3), layers.Dropout(0.5), layers.Softmax()], True),
    ],
)
def test_a_late_dropout(parts, is_late):
    late = late_dropout(view(sequential(*parts), X))
    assert (late is not None) == is_late
