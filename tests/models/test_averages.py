"""Averages as a number of steps leaves them."""

import keras
import numpy as np
import pytest

from keras_trainfix.models.averages import (
    average_of_weights,
    momenta,
    with_averages_after,
)


def normalized(momentum=0.9, trainable=True):
    layer = keras.layers.BatchNormalization(momentum=momentum, trainable=trainable)
    return keras.Sequential([keras.Input((2,)), layer])


X = np.array([[0.0, 9.0], [2.0, 11.0]], "float32")


@pytest.mark.every_backend
def test_they_are_those_that_the_same_steps_leave():
    model, trained = normalized(), normalized()
    for _ in range(5):
        trained(X, training=True)
    wanted = [keras.ops.convert_to_numpy(v) for v in trained.non_trainable_variables]
    before = model.get_weights()
    with with_averages_after(model, X, 5):
        for variable, value in zip(model.non_trainable_variables, wanted, strict=True):
            np.testing.assert_allclose(
                keras.ops.convert_to_numpy(variable), value, rtol=1e-5
            )
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_layers_that_do_not_move_are_left_alone():
    frozen = normalized(trainable=False)
    assert momenta(frozen) == {}
    assert list(momenta(normalized(0.8)).values()) == [0.8]
    with with_averages_after(frozen, X, 5):
        np.testing.assert_array_equal(frozen.get_weights()[2], [0, 0])


def test_statistics_come_back_after_an_error():
    model = normalized()
    with pytest.raises(KeyError), with_averages_after(model, X, 5):
        raise KeyError
    np.testing.assert_array_equal(model.get_weights()[2], [0, 0])


def test_averages_of_the_weights():
    assert average_of_weights(None) is None
    assert average_of_weights(keras.optimizers.Adam()) is None
    inner = keras.optimizers.Adam(
        use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=7
    )
    scaled = keras.optimizers.LossScaleOptimizer(inner)
    assert average_of_weights(scaled) == (0.5, 7)
