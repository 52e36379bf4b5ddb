"""The losses of several outputs, balanced."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix.diagnosis.experiments.mended import Mended, can_be_made_in_place
from keras_trainfix.diagnosis.experiments.training import training_of
from keras_trainfix.diagnosis.experiments.treatment import TREATMENTS, Case
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.experiments.benches import compiled, gains, mlp, pair, table

X, Y = table()
NOISE = np.random.default_rng(3).normal(size=Y.shape).astype("float32")


def three_heads(loss="mse", **settings):
    keras.utils.set_random_seed(1)
    inputs = keras.Input((4,))
    body = layers.Dense(3, "tanh")(layers.Dense(8, "relu")(inputs))
    heads = [layers.Dense(1, name=name)(body) for name in ("large", "small", "other")]
    model = keras.Model(inputs, heads)
    model.compile(keras.optimizers.Adam(0.01), loss, **settings)
    return model


@pair("outputs-balanced", cured=1000.0, sound=1.0)
def test_outputs_balanced(scale):
    """A target on a large scale, which is noise, and two on a small scale."""
    return three_heads(), X, [scale * NOISE, Y, -Y]


def balanced(model):
    snapshot = Snapshot(model, X, [1000 * NOISE, Y, -Y])
    case = Case(training_of(snapshot), snapshot)
    (variant,) = TREATMENTS["outputs-balanced"].variants(case)
    return variant


@pytest.mark.parametrize("by_name", [True, False])
def test_the_weights_of_a_copy_are_times_those_of_the_user(by_name):
    given = {"large": 1.0, "small": 4.0, "other": 4.0}
    loss = dict.fromkeys(given, "mse") if by_name else ["mse"] * 3
    weights = given if by_name else list(given.values())
    model = three_heads(loss, loss_weights=weights)
    mended = Mended(model, keras.models.clone_model(model))
    balanced(model).mend(mended)
    found = mended.loss_weights
    large, *small = found.values() if by_name else found
    assert 1e-5 < large < 0.1
    assert max(small) == 4.0


def test_a_running_fit_keeps_its_weights():
    model = three_heads()
    assert not can_be_made_in_place(model, balanced(model).mend)


def test_one_output_has_nothing_to_balance():
    assert gains("outputs-balanced", compiled(mlp()), X, 1000 * Y, steps=2) == {}
