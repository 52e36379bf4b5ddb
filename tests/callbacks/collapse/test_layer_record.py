"""How far each layer moves between looks."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_trainfix as kt
from keras_trainfix.callbacks.collapse import layer_record
from keras_trainfix.callbacks.collapse.layer_record import LayerRecord
from tests.callbacks.collapse.nets import X, Y, collected, fit, mlp, solved_net


def net():
    parts = [layers.Dense(4, name="a"), layers.BatchNormalization(name="b")]
    return keras.Sequential([keras.Input((3,)), *parts, layers.Dense(1, name="c")])


def test_changes_are_relative_to_the_weights():
    model, record = net(), LayerRecord()
    record.look(model, 0)
    assert record.steps == []
    model.get_layer("a").kernel.assign(1.1 * model.get_layer("a").kernel)
    model.get_layer("b").moving_variance.assign(3 * np.ones(4))
    record.look(model, 8)
    assert record.steps == [8]
    assert record.changes["a"] == [pytest.approx(0.1, rel=1e-4)]
    assert record.changes["b (statistics)"] == [pytest.approx(2)]
    assert record.changes["c"] == [0]


def test_the_same_step_is_one_look():
    model, record = net(), LayerRecord()
    for step in (0, 0, 4, 4):
        record.look(model, step)
    assert record.steps == [4]


def test_weights_that_are_not_finite():
    model, record = net(), LayerRecord()
    record.look(model, 0)
    model.get_layer("c").kernel.assign(np.full((4, 1), np.nan))
    record.look(model, 1)
    assert np.isnan(record.changes["c"][0])


def test_large_weights_are_left_out(monkeypatch):
    monkeypatch.setattr(layer_record, "MOST_NUMBERS", 13)
    record = LayerRecord()
    record.look(net(), 0)
    record.look(net(), 1)
    assert list(record.changes) == ["a"]


def test_a_training_is_recorded():
    detector = kt.CollapseDetector((X, Y))
    fit(solved_net(), detector, epochs=3)
    record = detector.layers
    assert record.steps
    assert record.steps == sorted(set(record.steps))
    assert all(len(row) == len(record.steps) for row in record.changes.values())


def test_a_frozen_layer_does_not_move():
    model = mlp()
    model.layers[0].trainable = False
    model.compile("adam", "mse")
    detector = kt.CollapseDetector((X, Y))
    with collected():
        fit(model, detector, epochs=2)
    frozen, head = detector.layers.changes.values()
    assert not any(frozen)
    assert all(head)
