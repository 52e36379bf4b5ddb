"""The standard loss of the task, and the other sign of the user's."""

import keras

from tests.diagnosis.experiments.benches import compiled, gains, mlp, pair, table
from tests.diagnosis.experiments.steps import OnlyBias, Own, net

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


@pair("standard-loss", cured=backwards, sound=own_square)
def test_the_standard_loss(loss):
    return compiled(mlp(), loss), X, Y


def test_the_standard_loss_is_named():
    (words,) = gains("standard-loss", compiled(mlp(), own_square), X, Y, steps=2)
    assert words == "the loss mean_squared_error"


def test_the_standard_loss_stays():
    assert gains("standard-loss", compiled(mlp()), X, Y) == {}


@pair("keras-step", cured=OnlyBias, sound=Own)
def test_the_step_of_keras(kind):
    return net(kind), X, Y, {"steps": 64}


def test_a_model_of_keras_has_its_step():
    assert gains("keras-step", compiled(mlp()), X, Y, steps=2) == {}


@pair("loss-negated", cured=likelihood, sound=own_square)
def test_the_sign_of_a_loss(loss):
    return compiled(mlp(), loss), X, Y


def test_no_sign_is_wrong_in_keras():
    assert gains("loss-negated", compiled(mlp()), X, Y) == {}


def test_logits_of_classes():
    model = compiled(mlp(units=3), "kl_divergence")
    y = keras.utils.to_categorical((Y[:, 0] > 0).astype(int), 3)
    (words,) = gains("standard-loss", model, X, y, steps=8)
    assert words == "the loss categorical_crossentropy"
