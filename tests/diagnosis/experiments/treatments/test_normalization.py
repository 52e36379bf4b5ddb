"""The statistics of batch normalization."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix.backend import to_numpy
from keras_trainfix.diagnosis.experiments.mended import Mended, can_be_made_in_place
from keras_trainfix.diagnosis.experiments.training import training_of
from keras_trainfix.diagnosis.experiments.treatment import TREATMENTS, Case
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.experiments.benches import compiled, gains, mlp, pair, table

X, Y = table()


def net(scale, center=0.0, is_frozen=True):
    """A frozen batch normalization whose statistics are those of other data."""
    norm = layers.BatchNormalization(name="norm")
    model = mlp(norm, layers.Dense(16, "tanh"))
    norm.moving_mean.assign(np.full(16, center))
    norm.moving_variance.assign(np.full(16, 1 / scale**2))
    norm.trainable = not is_frozen
    return compiled(model)


@pair("statistics-recalibrated", cured=1e-4, sound=1.0)
def test_statistics_recalibrated(scale):
    return net(scale), X, Y


@pair("statistics-of-batch", cured=1e-4, sound=1.0)
def test_statistics_of_batch(scale):
    return net(scale), X, Y


@pair("statistics-frozen", cured=1, sound=32)
def test_statistics_frozen(batch_size):
    """Batches of one sample, of which nothing is left."""
    model = compiled(mlp(layers.BatchNormalization(momentum=0.0)))
    model.train_on_batch(X, Y)
    return model, X, Y, {"batch_size": batch_size}


@pytest.mark.parametrize(
    ("name", "is_in_place"),
    [("statistics-recalibrated", True), ("statistics-of-batch", False)],
)
def test_a_copy_has_the_right_statistics(name, is_in_place):
    model = net(1e-4)
    snapshot = Snapshot(model, X, Y)
    case = Case(training_of(snapshot), snapshot)
    (variant,) = TREATMENTS[name].variants(case)
    assert can_be_made_in_place(model, variant.mend) == is_in_place
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    variant.mend(Mended(model, copy))
    norm = copy.get_layer("norm")
    assert norm.trainable != is_in_place
    assert (to_numpy(norm.moving_variance).max() < 100) == is_in_place
    assert to_numpy(model.get_layer("norm").moving_variance).min() > 1e7
    assert not model.get_layer("norm").trainable


def test_both_leave_the_statistics_as_they_were():
    model = net(1e-4)
    before = model.get_weights()
    for name in ("statistics-recalibrated", "statistics-of-batch"):
        assert len(gains(name, model, X, Y, steps=2)) == 1
    for one, two in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert not model.get_layer("norm").trainable


def test_statistics_that_training_computes_are_left_to_it():
    model = net(1e-4, is_frozen=False)
    for name in ("statistics-recalibrated", "statistics-of-batch"):
        assert gains(name, model, X, Y, steps=2) == {}


def test_statistics_frozen_only_after_training():
    model = compiled(mlp(layers.BatchNormalization()))
    assert gains("statistics-frozen", model, X, Y, steps=4) == {}
    found = gains("statistics-frozen", model, X, Y, steps=4, batch_size=1)
    assert len(found) == 1  # whose statistics are of no use
    model.fit(X, Y, epochs=1, verbose=0)
    assert len(gains("statistics-frozen", model, X, Y, steps=4)) == 1
