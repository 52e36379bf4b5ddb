"""Numbers that leave the range of a function, or of a precision."""

import keras
import numpy as np
from keras import layers, ops

from keras_trainfix.diagnosis.thresholds import EFFECT
from tests.diagnosis.experiments.benches import compiled, gains, mlp, pair, table

X, Y = table()
BINARY = (Y > 0).astype("float32")


def own_crossentropy(y_true, y_pred):
    """Without the guard that Keras' has."""
    return -ops.mean(y_true * ops.log(y_pred) + (1 - y_true) * ops.log(1 - y_pred))


def guarded_crossentropy(y_true, y_pred):
    """With it."""
    return own_crossentropy(y_true, ops.clip(y_pred, 1e-6, 1 - 1e-6))


@pair("float32", cured=500.0, sound=1.0)
def test_float32(scale):
    """Squares beyond 65504."""
    keras.config.set_dtype_policy("mixed_float16")
    square = layers.Lambda(lambda x: ops.square(x * scale) / scale**2)
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            square,
            layers.Dense(16, "relu"),
            layers.Dense(1, dtype="float32"),
        ]
    )
    return compiled(model), X, X[:, :1] ** 2 + X[:, 1:2] ** 2


def test_float32_is_not_changed():
    assert gains("float32", compiled(mlp()), X, Y, steps=2) == {}


@pair("answers-clipped", cured=own_crossentropy, sound=guarded_crossentropy)
def test_answers_clipped(loss):
    """Answers that float32 rounds to 0 and 1."""
    model = keras.Sequential([*mlp().layers[:-1], layers.Dense(1, "sigmoid")])
    return compiled(model, loss), 20 * X, BINARY


def test_a_loss_of_keras_needs_no_clipping():
    model = keras.Sequential([*mlp().layers[:-1], layers.Dense(1, "sigmoid")])
    compiled(model, "binary_crossentropy")
    assert gains("answers-clipped", model, X, BINARY, steps=2) == {}


@pair("softplus", cured="exponential", sound="softplus")
def test_softplus(activation):
    """Answers that begin at e to the power of 5."""
    start = keras.initializers.Constant(5.0)
    head = layers.Dense(1, activation, bias_initializer=start)
    model = keras.Sequential([*mlp().layers[:-1], head])
    return compiled(model, rate=0.05), X, np.abs(Y) + Y


def test_counts_have_to_be_positive():
    counts = np.random.default_rng(0).poisson(np.exp(Y / 2)).astype("float32")
    (value,) = gains("softplus", compiled(mlp(), "poisson"), X, counts).values()
    assert value > EFFECT
    assert gains("softplus", compiled(mlp()), X, counts, steps=2) == {}
