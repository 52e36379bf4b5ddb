"""A late change of `trainable` is found, and does what the finding says."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from tests.diagnosis.nets import inputs
from tests.diagnosis.single import run, sequential

pytestmark = pytest.mark.every_backend
X = inputs()
Y = X[:, :1]
IDS = np.digitize(X[:, 0], [-0.5, 0.5])


BACKEND = keras.backend.backend()


def fitted(body_trainable=True, **settings):
    body = layers.Dense(8, "relu", trainable=body_trainable)
    model = sequential(body, layers.Dense(1))
    if settings:
        model.compile(**settings)
    model.fit(X, Y, verbose=0)
    return model


def test_unfrozen_too_late_and_what_fit_does():
    model = fitted(body_trainable=False)
    assert run("KTF304", model, X, Y) is None
    model.layers[0].trainable = True
    finding = run("KTF304", model, X, Y)
    assert finding.severity == "error"
    assert (finding.evidence["unfrozen"], finding.evidence["in_optimizer"]) == (2, 2)
    before = model.layers[0].get_weights()[0]
    if BACKEND == "tensorflow":
        assert "continues" in finding.message
        model.fit(X, Y, verbose=0)
        np.testing.assert_array_equal(model.layers[0].get_weights()[0], before)
    else:
        assert "error" in finding.message
        with pytest.raises(ValueError, match=r"optimizer_variables|Unknown variable"):
            model.fit(X, Y, verbose=0)


def test_frozen_too_late_and_what_fit_does():
    model = fitted()
    model.layers[0].trainable = False
    finding = run("KTF304", model, X, Y)
    assert finding.severity == ("warning" if BACKEND == "torch" else "error")
    assert finding.evidence["frozen"] == 2
    before = model.layers[0].get_weights()[0]
    if BACKEND == "jax":
        with pytest.raises(ValueError, match="optimizer_variables"):
            model.fit(X, Y, verbose=0)
        return
    model.fit(X, Y, verbose=0)
    moved = (model.layers[0].get_weights()[0] != before).any()
    assert moved == (BACKEND == "tensorflow")


def test_changes_in_time_and_changes_that_were_compiled():
    model = sequential(layers.Dense(8), layers.Dense(1))
    model.layers[0].trainable = False
    assert run("KTF304", model, X, Y) is None  # before the first fit
    model.fit(X, Y, verbose=0)
    assert run("KTF304", model, X, Y) is None
    model.layers[0].trainable = True
    model.compile("adam", "mse")
    assert run("KTF304", model, X, Y) is None
    model.fit(X, Y, verbose=0)
    assert run("KTF304", model, X, Y) is None
    model.layers[0].trainable = False
    model.layers[0].trainable = True  # as it was
    assert run("KTF304", model, X, Y) is None
    model.trainable = False
    assert run("KTF304", model, X, Y) is None  # KTF303 says it
    assert run("KTF303", model, X, Y).severity == "error"


def test_an_old_optimizer_in_a_new_compile():
    model = fitted(body_trainable=False)
    model.layers[0].trainable = True
    model.compile(model.optimizer, "mse")
    assert run("KTF304", model, X, Y).severity == "error"
    with pytest.raises(ValueError, match=r"optimizer_variables|Unknown variable"):
        model.fit(X, Y, verbose=0)


def test_a_scaled_loss_is_looked_into():
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())
    model = fitted(optimizer=optimizer, loss="mse")
    assert run("KTF304", model, X, Y) is None
    model.layers[0].trainable = False
    assert run("KTF304", model, X, Y)


def test_a_train_step_of_ones_own_is_not_judged():
    class Part(keras.Sequential):
        def train_step(self, *args):
            return super().train_step(*args)

    for kind, is_found in ((Part, False), (keras.Sequential, True)):
        model = kind([keras.Input((6,)), layers.Dense(8), layers.Dense(1)])
        model.compile("adam", "mse")
        model.optimizer.build(model.layers[-1].trainable_variables)
        assert bool(run("KTF304", model, X, Y)) == is_found


@settings(max_examples=8, deadline=None)
@given(depth=st.integers(2, 5), data=st.data())
def test_any_layers_that_change(depth, data):
    model = sequential(*[layers.Dense(3) for _ in range(depth)], layers.Dense(1))
    flags = st.lists(st.booleans(), min_size=depth, max_size=depth)

    def freeze():
        chosen = data.draw(flags)
        for layer, trainable in zip(model.layers, chosen, strict=False):
            layer.trainable = trainable
        return chosen

    at_first = freeze()
    model.optimizer.build(model.trainable_variables)
    then = freeze()
    finding = run("KTF304", model, X, Y)
    if at_first == then:
        assert finding is None
    elif any(now and not before for before, now in zip(at_first, then, strict=True)):
        count = sum(n and not b for b, n in zip(at_first, then, strict=True))
        assert finding.evidence["unfrozen"] == 2 * count
