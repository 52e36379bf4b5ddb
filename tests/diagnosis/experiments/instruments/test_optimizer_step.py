"""A step of the user's own optimizer against the gradient of the loss."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_trainfix.diagnosis.experiments.instruments.optimizer_step import (
    optimizer_step,
)
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.nets import inputs
from tests.diagnosis.single import run, sequential

pytestmark = pytest.mark.every_backend
X = inputs()
Y = X[:, :1]


class Plain(keras.optimizers.SGD):
    sign = -1.0

    def update_step(self, gradient, variable, learning_rate):
        step = self.sign * ops.cast(learning_rate, variable.dtype) * gradient
        self.assign_add(variable, step)


class Uphill(Plain):
    sign = 1.0


class Still(Plain):
    sign = 0.0


class Signs(Plain):
    def update_step(self, gradient, variable, learning_rate):
        rate = ops.cast(learning_rate, variable.dtype)
        self.assign_sub(variable, rate * ops.sign(gradient))


def model(optimizer):
    return sequential(layers.Dense(8, "relu"), layers.Dense(1), optimizer=optimizer)


@pytest.mark.parametrize(
    ("optimizer", "words"),
    [
        (Uphill(0.01), "`Uphill` goes uphill"),
        (Still(0.01), "`Still` moves no weight"),
        (keras.optimizers.LossScaleOptimizer(Uphill(0.01)), "`Uphill` goes uphill"),
        (Plain(0.01), None),
        (Signs(0.01), None),
        (Plain(0.01, gradient_accumulation_steps=8), None),
    ],
)
def test_own_optimizers(optimizer, words):
    finding = run("KTF417", model(optimizer), X, Y)
    assert words in finding.message if words else finding is None


def test_the_model_and_its_optimizer_stay_as_they_are():
    net = model(Uphill(0.01))
    before = net.get_weights()
    step = optimizer_step(Snapshot(net, X, Y))
    assert step.slope == pytest.approx(-1, abs=1e-3)
    assert all(map(np.array_equal, before, net.get_weights()))
    assert int(net.optimizer.iterations) == 0


def test_optimizers_of_keras_are_not_judged():
    assert optimizer_step(Snapshot(model("adam"), X, Y)) is None
