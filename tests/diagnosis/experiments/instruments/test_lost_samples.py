"""How many samples are different behind each layer, and where they are lost."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_trainfix.diagnosis.experiments.instruments.lost_samples import (
    lost_samples,
    share_of_different,
)
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.nets import inputs
from tests.diagnosis.single import sequential

X = inputs(64)


def lost(model, x=X):
    return lost_samples(Snapshot(model, x))


def test_share_of_different_rows():
    rows = np.array([[1.0, 2.0], [1.0, 2.0 + 1e-7], [1.0, 3.0], [0.0, 2.0]])
    assert share_of_different((rows,)) == 0.75
    assert share_of_different((rows[:, :1], rows[:, 1:])) == 0.75
    assert share_of_different((np.array(["a", "b", "a", "a"]),)) == 0.5
    assert share_of_different((np.zeros((4, 2)),)) == 0.25
    assert share_of_different((np.full((4, 2), np.nan),)) is None
    assert share_of_different(()) is None


def test_the_layer_that_loses_them():
    floor = layers.Lambda(ops.floor, name="floor")
    model = sequential(floor, layers.Dense(4), layers.Dense(1))
    answer = lost(model, np.abs(X) / 10)
    assert answer.lost.layer is floor
    assert answer.lost.share == 1 / 64
    assert [place.share for place in answer.places[:1]] == [1 / 64]
    assert lost(model, 10 * X).lost is None


def test_another_way_past_the_layer():
    given = keras.Input((6,))
    floor = layers.Lambda(ops.floor)(given)
    for way, is_lost in ((floor, True), (layers.Concatenate()([floor, given]), False)):
        model = keras.Model(given, layers.Dense(1)(layers.Dense(4)(way)))
        assert bool(lost(model, np.abs(X) / 10).lost) == is_lost


def test_weights_that_are_dead_are_another_finding():
    dead = layers.Dense(4, "relu", bias_initializer=keras.initializers.Constant(-99))
    zero = layers.Lambda(lambda x: ops.round(x / 100))
    assert lost(sequential(dead, layers.Dense(1))).lost is None
    assert lost(sequential(zero, layers.Dense(4), layers.Dense(1))).lost


@pytest.mark.parametrize(("bins", "is_lost"), [([-0.5, 0.5], False), ([50], True)])
def test_layers_that_make_classes_on_purpose(bins, is_lost):
    classes = layers.Discretization(bins), layers.Embedding(4, 2), layers.Flatten()
    model = sequential(*classes, layers.Dense(1), shape=(2,))
    assert bool(lost(model, X[:, :2]).lost) == is_lost


def test_a_sure_classifier_only_answers_alike():
    model = sequential(layers.Dense(8), layers.Dense(2, "softmax"))
    answer = lost(model, 1000 * X)
    assert answer.places[-1].share < 0.5
    assert answer.lost is None


@pytest.mark.parametrize("x", [np.zeros((64, 6)), X[:4], np.full((64, 6), np.nan)])
def test_inputs_that_cannot_tell(x):
    model = sequential(layers.Dense(4), layers.Dense(1))
    assert lost(model, x.astype("float32")) is None
    assert lost(model).lost is None
    assert lost(model).inputs == 1


def test_steps_in_the_axis_of_samples_are_left_out():
    inner = layers.TimeDistributed(layers.Dense(3))
    model = sequential(inner, layers.Flatten(), layers.Dense(1), shape=(3, 2))
    answer = lost(model, X.reshape(64, 3, 2))
    assert answer.lost is None
    assert all(place.samples == 64 for place in answer.places)
