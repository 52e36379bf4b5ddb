"""The standard loss of the task, and the other sign of the user's."""

import keras
import pytest

from keras_trainfix.diagnosis.thresholds import EFFECT
from tests.diagnosis.experiments.benches import compiled, gains, mlp, table

X, Y = table()


def backwards(y_true, y_pred):
    """Falls while the error grows."""
    return 1 / (1 + keras.ops.square(y_true - y_pred))


def own_square(y_true, y_pred):
    """As good as that of Keras."""
    return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)


def likelihood(y_true, y_pred):
    """A gain where a loss belongs."""
    return keras.ops.exp(-0.1 * keras.ops.square(y_true - y_pred))


@pytest.mark.parametrize(("loss", "cures"), [(backwards, True), (own_square, False)])
def test_the_standard_loss(loss, cures):
    ((words, value),) = gains("standard-loss", compiled(mlp(), loss), X, Y).items()
    assert words == "the loss mean_squared_error"
    assert (value > EFFECT) == cures


def test_the_standard_loss_stays():
    assert gains("standard-loss", compiled(mlp()), X, Y) == {}


@pytest.mark.parametrize(("loss", "cures"), [(likelihood, True), (own_square, False)])
def test_the_sign_of_a_loss(loss, cures):
    (value,) = gains("loss-negated", compiled(mlp(), loss), X, Y).values()
    assert (value > EFFECT) == cures


def test_no_sign_is_wrong_in_keras():
    assert gains("loss-negated", compiled(mlp()), X, Y) == {}


def test_logits_of_classes():
    model = compiled(mlp(units=3), "kl_divergence")
    y = keras.utils.to_categorical((Y[:, 0] > 0).astype(int), 3)
    (words,) = gains("standard-loss", model, X, y, steps=8)
    assert words == "the loss categorical_crossentropy"
