"""How good the present weights are on samples that no step takes."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix.diagnosis.experiments.held_out import held_out_loss, skills
from keras_trainfix.diagnosis.experiments.training import training_of
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.experiments.benches import compiled, mlp, table

X, Y = table()


def held_out(model, x=X, y=Y):
    """The `Training` of a model, and the `Snapshot` of what is held out."""
    training = training_of(Snapshot(model, x, y))
    return training, Snapshot(model, *training.held_out[:3])


def trained(*middle, loss="mse"):
    model = compiled(mlp(*middle), loss, rate=0.03)
    model.fit(X, Y, epochs=8, verbose=0)
    return model


def test_both_measures_rise_with_training():
    before, after = skills(*held_out(compiled(mlp()))), skills(*held_out(trained()))
    assert before[0] < 0.3
    assert before[1] < 0.6
    assert min(after) > 0.8


def test_statistics_that_lag_behind_do_not_count():
    norm = layers.BatchNormalization()
    model = trained(norm)
    norm.moving_mean.assign(np.full(16, 50.0))
    training, snapshot = held_out(model)
    assert snapshot.views()[0].skill.value < 0
    assert skills(training, snapshot)[0] > 0.8
    assert held_out_loss(training, snapshot.sample) < 0.2


def test_targets_that_cannot_be_compared_leave_the_loss():
    def of_first(y_true, y_pred):
        return keras.ops.square(y_true[:, 0] - y_pred[:, 0])

    targets = np.concatenate([Y, np.zeros((len(Y), 4), "float32")], 1)
    model = compiled(mlp(), of_first, rate=0.03)
    model.fit(X, targets, epochs=8, verbose=0)
    skill, by_loss = skills(*held_out(model, y=targets))
    assert np.isnan(skill)
    assert by_loss > 0.8


def test_a_loss_that_ignores_the_targets_shows_nothing():
    model = compiled(mlp(), lambda y_true, y_pred: keras.ops.square(y_pred))
    assert skills(*held_out(model))[1] == pytest.approx(0, abs=1e-6)


def test_the_loss_is_that_of_evaluate():
    model = compiled(mlp(layers.Dropout(0.5)))
    training, snapshot = held_out(model)
    expected = model.evaluate(*training.held_out[:2], verbose=0)
    assert held_out_loss(training, snapshot.sample) == pytest.approx(expected, rel=1e-5)


def test_a_loss_that_is_not_finite_has_no_number():
    model = compiled(mlp(), lambda y_true, y_pred: keras.ops.log(-y_pred * y_pred))
    training, snapshot = held_out(model)
    assert np.isnan(held_out_loss(training, snapshot.sample))
    assert np.isnan(skills(training, snapshot)[1])
