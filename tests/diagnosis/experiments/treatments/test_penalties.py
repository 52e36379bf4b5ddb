"""Terms that are added to the loss, off."""

import keras
import pytest

from keras_trainfix.diagnosis.thresholds import EFFECT
from tests.diagnosis.experiments.benches import compiled, gains, mlp, table

X, Y = table()


class Term(keras.layers.Layer):
    """Adds the mean square of its input to the loss, with a weight."""

    def __init__(self, weight, **kwargs):
        super().__init__(**kwargs)
        self.weight = weight

    def call(self, inputs):
        self.add_loss(self.weight * keras.ops.mean(keras.ops.square(inputs)))
        return inputs


@pytest.mark.parametrize(("weight", "cures"), [(300.0, True), (1e-5, False)])
def test_penalties_on_weights(weight, cures):
    penalty = keras.regularizers.L2(weight)
    model = compiled(mlp(kernel_regularizer=penalty))
    (value,) = gains("no-weight-penalties", model, X, Y).values()
    assert (value > EFFECT) == cures
    assert model.layers[0].kernel.regularizer is penalty


@pytest.mark.parametrize(("weight", "cures"), [(10.0, True), (1e-5, False)])
def test_penalties_on_activities(weight, cures):
    model = compiled(mlp(activity_regularizer=keras.regularizers.L2(weight)))
    (value,) = gains("no-activity-penalties", model, X, Y).values()
    assert (value > EFFECT) == cures


@pytest.mark.parametrize(("weight", "cures"), [(1e3, True), (1e-5, False)])
def test_terms_of_add_loss(weight, cures):
    model = compiled(mlp(Term(weight, name="term")))
    ((words, value),) = gains("no-added-loss", model, X, Y).items()
    assert words == "the `add_loss` of 'term' off"
    assert (value > EFFECT) == cures


def test_without_penalties_there_is_nothing_to_try():
    model = compiled(mlp())
    names = ("no-weight-penalties", "no-activity-penalties", "no-added-loss")
    assert [gains(name, model, X, Y) for name in names] == [{}, {}, {}]
