"""The training step of the user on the bench, beside that of Keras."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix import diagnose
from keras_trainfix.backend import to_numpy
from keras_trainfix.diagnosis.experiments.own_step import (
    optimizers_of,
    with_optimizers,
)
from tests.diagnosis.experiments.benches import table

X, Y = table()


class Own(keras.Model):
    """Steps as Keras does, and counts them."""

    calls = 0

    def train_step(self, *arguments):
        self.calls += 1
        return super().train_step(*arguments)


class OnlyBias(Own):
    """Moves the last bias alone."""

    def train_step(self, *arguments):
        *hidden, _ = self.trainable_variables
        before = [to_numpy(v) for v in hidden] if not arguments[1:] else None
        result = super().train_step(*arguments)
        if before is None:  # JAX: `(logs, state)`
            logs, (trainable, *others) = result
            return logs, ([*arguments[0][0][: len(hidden)], *trainable[-1:]], *others)
        for variable, value in zip(hidden, before, strict=True):
            variable.assign(value)
        return result


def net(kind):
    keras.utils.set_random_seed(1)
    inputs = keras.Input((4,))
    hidden = layers.Dense(16, "relu")(inputs)
    model = kind(inputs, layers.Dense(1)(hidden))
    model.compile(keras.optimizers.Adam(0.01), "mse", run_eagerly=True)
    return model


def test_another_optimizer_is_lent():
    model = net(Own)
    own, other = model.optimizer, keras.optimizers.SGD(0.1)
    assert optimizers_of(model) == {"optimizer": own}
    other.build(model.trainable_variables)
    data = (keras.ops.convert_to_tensor(X[:8]), keras.ops.convert_to_tensor(Y[:8]))
    with with_optimizers(model, data, optimizer=other):
        assert model.optimizer is other
        model.calls = 5
    assert model.optimizer is own
    assert model.calls == 0


@pytest.mark.usefixtures("whole_bench")
@pytest.mark.parametrize(("kind", "is_wrong"), [(OnlyBias, True), (Own, False)])
def test_a_step_that_does_not_train(kind, is_wrong):
    model = net(kind)
    before = model.get_weights()
    diagnosis = diagnose(model, X, Y)
    found = [f for f in diagnosis.findings if f.code == "KTF601"]
    assert bool(found) == is_wrong
    if is_wrong:
        assert "the `train_step` of Keras" in found[0].message
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert model.calls == 0
