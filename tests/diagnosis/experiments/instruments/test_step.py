"""The user's own training step, called several times from the same weights."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix.backend import to_numpy
from keras_trainfix.diagnosis.experiments.instrument import failures
from keras_trainfix.diagnosis.experiments.instruments.step import (
    Steps,
    cosine,
    repeated_step,
)
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.nets import inputs, net

X = inputs()
Y = X[:, :1]


class Own(keras.Sequential):
    """A step of Keras whose effect on each weight is changed."""

    calls = 0
    first = None

    def changed(self, old, new):
        return new

    def train_step(self, *arguments):
        x, y = arguments[-1]  # as in the guides: no weights of samples
        self.calls += 1
        if len(arguments) == 1:
            old = [keras.ops.copy(v.value) for v in self.trainable_variables]
            logs = super().train_step((x, y))
            for variable, value in zip(self.trainable_variables, old, strict=True):
                variable.assign(self.changed(value, variable.value))
            return logs
        logs, (new, *rest) = super().train_step(arguments[0], (x, y))
        pairs = zip(arguments[0][0], new, strict=True)
        return logs, ([self.changed(*pair) for pair in pairs], *rest)


class Grows(Own):
    def changed(self, old, new):
        return old + self.calls * (new - old)


class Uphill(Own):
    def changed(self, old, new):
        return 2 * old - new


class Still(Own):
    def changed(self, old, new):
        return old


class Collects(Own):
    """Moves in each fourth step, by all four: on purpose."""

    def changed(self, old, new):
        return old + 4 * (new - old) if self.calls % 4 == 0 else old


class Same(Own):
    """Takes the first batch for all steps."""

    def train_step(self, *arguments):
        self.first = self.first or arguments[-1]
        return super().train_step(*arguments[:-1], self.first)


def snapshot(kind, optimizer="adam", **settings):
    keras.utils.set_random_seed(1)
    parts = [layers.Dense(8, "relu"), layers.Dropout(0.2), layers.Dense(1)]
    model = kind([keras.Input((6,)), *parts])
    model.compile(optimizer, "mse", metrics=["mae"], **settings)
    one = Snapshot(model, X, Y)
    one.may_step = True
    return one


@pytest.mark.parametrize(
    ("kind", "growth", "moves", "depends", "slope"),
    [
        (Own, 1, True, True, 1),
        (Grows, 4, True, True, 1),
        (Uphill, 1, True, True, -1),
        (Still, 1, False, None, np.nan),
        (Collects, 1, True, None, np.nan),
        (Same, 1, True, False, None),
    ],
)
def test_what_a_step_does(kind, growth, moves, depends, slope):
    seen = repeated_step(snapshot(kind))
    assert seen.growth == pytest.approx(growth, rel=1e-3)
    assert (seen.moves, seen.depends) == (moves, depends)
    if slope is not None:
        assert seen.slope == pytest.approx(slope, abs=1e-3, nan_ok=True)


def test_the_optimizer_does_not_hide_it():
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam())
    for optimizer in ("sgd", "rmsprop", scaled):
        assert repeated_step(snapshot(Grows, optimizer)).growth == pytest.approx(4)


@pytest.mark.parametrize("is_trained", [False, True])
def test_the_model_stays_as_it_is(is_trained):
    one = snapshot(Own)
    model = one.model
    if is_trained:
        model.fit(X, Y, verbose=0)
        one.measured.clear()

    def state():
        optimizer = model.optimizer
        variables = [*model.variables, *model.metrics_variables, *optimizer.variables]
        facts = [optimizer, optimizer.built, model.calls]
        return facts, [to_numpy(v) for v in variables]

    facts, values = state()
    assert repeated_step(one).moves
    later, after = state()
    assert later == facts
    for old, new in zip(values, after, strict=True):
        np.testing.assert_array_equal(old, new)
    model.fit(X, Y, verbose=0)


class Raises(Own):
    def train_step(self, *arguments):
        raise ValueError("of the user")


def test_where_there_is_nothing_to_call():
    one = Snapshot(net(loss="mse"), X, Y)
    one.may_step = True
    assert repeated_step(one) is None
    one = snapshot(Own)
    one.may_step = False
    assert repeated_step(one) is None
    one = snapshot(Raises)
    assert repeated_step(one) is None
    said = {"own training step, repeated": "ValueError: of the user"}
    assert failures(one.measured) == said


def test_growth_is_of_steps_that_grow_throughout():
    steps = Steps([1.0, 2.0, 3.0, 4.0], 1.0, True, True, 1.0)
    assert steps.growth == 4
    assert steps._replace(sizes=[1.0, 3.0, 2.0, 4.0]).growth == 1
    assert steps._replace(sizes=[0.0, 0.0, 0.0, 4.0]).growth == 1
    assert np.isnan(cosine(np.zeros(2), np.ones(2)))
