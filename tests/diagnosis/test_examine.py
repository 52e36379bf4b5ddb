"""Checks run on a snapshot; those of steps again where training has ended a model."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix import diagnose
from keras_trainfix.diagnosis.examine import asked_again, examine
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.trial.attempt import new_weights
from tests.diagnosis.nets import inputs

X = inputs(64)


def root_net(power):
    """A distance whose slope is infinite for equal halves, if `power` is below 1."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((6,))
    halves = layers.Dense(4)(inputs[:, :3]), layers.Dense(4)(inputs[:, :3])
    squares = layers.Lambda(lambda pair: keras.ops.square(pair[0] - pair[0]) + pair[1])
    distance = squares([halves[0], keras.ops.square(halves[1])])
    out = layers.Dense(1)(layers.Lambda(lambda d: d**power, name="root")(distance))
    model = keras.Model(inputs, out)
    model.compile("adam", "mse")
    return model


def zero_first(x):
    x = x.copy()
    x[0] = 0
    return x


@pytest.mark.parametrize(("power", "is_named"), [(0.5, True), (1.0, False)])
def test_what_made_the_weights_nan_is_still_named(power, is_named):
    x, y = zero_first(X), X[:, :1]
    model = root_net(power)
    assert ("KTF412" in diagnose(model, x, y).codes) == is_named
    model.optimizer.build(model.trainable_variables)
    model.optimizer.iterations.assign(100)
    model.set_weights([np.full_like(w, np.nan) for w in model.get_weights()])
    codes = diagnose(model, x, y).codes
    assert "KTF409" in codes
    assert ("KTF412" in codes) == is_named
    assert all(np.isnan(w).all() for w in model.get_weights())


def test_only_the_checks_of_steps_are_asked_again():
    model = root_net(0.5)
    snapshot = Snapshot(model, zero_first(X), X[:, :1])
    before = examine(snapshot)
    kept = [f for f in before.findings if f.code != "KTF412"]
    again = asked_again(snapshot, new_weights(model), before)
    assert [f.code for f in again.findings if f.code != "KTF412"] == [
        f.code for f in kept
    ]
    assert "KTF412" in again.codes
