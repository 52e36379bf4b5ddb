"""The training step of the user on the bench, beside that of Keras."""

import keras
import numpy as np
import pytest

from keras_trainfix import diagnose
from keras_trainfix.diagnosis.experiments.own_step import (
    optimizers_of,
    with_optimizers,
)
from tests.diagnosis.experiments.benches import table
from tests.diagnosis.experiments.steps import OnlyBias, Own, net

X, Y = table()


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
