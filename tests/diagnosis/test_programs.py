"""Short programs with a fault that hides well, and the same without it."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_trainfix import diagnose

X = np.random.default_rng(0).normal(size=(320, 4)).astype("float32")
SUM = X[:, :1] + X[:, 1:2]
TWO = (SUM > 0).astype("float32")
THREE = np.digitize(X[:, 0], (-0.5, 0.5))
COUNTS = np.maximum(0, SUM)
IMAGES = np.random.default_rng(1).random((64, 8, 8, 1), "float32")
MASKS = (IMAGES[..., 0] > 0.5).astype("int32")


def net(*parts, loss="mse", optimizer="adam", shape=(4,)):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input(shape), *parts])
    model.compile(optimizer, loss)
    return model


def segmenter(last):
    return net(
        layers.Conv2D(2, 3, padding="same"),
        last,
        loss="sparse_categorical_crossentropy",
        shape=(8, 8, 1),
    )


def rounded(is_right):
    last = [] if is_right else [layers.Lambda(ops.round)]
    return net(layers.Dense(16, "relu"), layers.Dense(1), *last), X, np.round(3 * SUM)


def chosen(is_right):
    def best(p):
        return ops.cast(ops.argmax(p, -1, keepdims=True), "float32")

    if is_right:
        model = net(layers.Dense(3, "softmax"), loss="sparse_categorical_crossentropy")
        return model, X, THREE
    model = net(layers.Dense(3, "softmax"), layers.Lambda(best))
    return model, X, THREE[:, None].astype("float32")


def cut_in_the_middle(is_right):
    parts = [] if is_right else [layers.Lambda(ops.stop_gradient)]
    model = net(layers.Dense(2, "tanh"), *parts, layers.Dense(1, "sigmoid"), loss="mse")
    circle = ((X[:, :2] ** 2).sum(1, keepdims=True) > 1.4).astype("float32")
    return model, X, circle


def ended_schedule(is_right):
    decay = 1.0 if is_right else 0.3
    schedule = keras.optimizers.schedules.ExponentialDecay(0.01, 1, decay)
    optimizer = keras.optimizers.Adam(schedule)
    model = net(layers.Dense(16, "relu"), layers.Dense(1), optimizer=optimizer)
    model.fit(X, 5 * SUM, epochs=4, batch_size=32, verbose=0)
    return model, X, 5 * SUM


def rare_nan(is_right):
    x = np.tile(X, (20, 1))
    if not is_right:
        x[4321, 2] = np.nan
    return net(layers.Dense(1)), x, np.tile(SUM, (20, 1))


def scaled_twice(is_right):
    scale = 1.0 if is_right else 1 / 255
    conv = layers.Conv2D(8, 3, activation="relu")
    body = [layers.Rescaling(scale), conv, layers.Flatten(), layers.Dense(1)]
    return net(*body, shape=(8, 8, 1)), IMAGES, IMAGES.mean((1, 2))


def normalization_not_adapted(is_right):
    x = 5e4 + 2e4 * X
    layer = layers.Normalization()
    if is_right:
        layer.adapt(x)
    else:
        layer = layers.Normalization(mean=np.zeros(4), variance=np.ones(4))
    return net(layer, layers.Dense(8, "relu"), layers.Dense(1)), x, SUM


def softmax_over_rows(is_right):
    return segmenter(layers.Softmax(axis=-1 if is_right else 1)), IMAGES, MASKS


def percent_of_zero(is_right):
    y = COUNTS + 1 if is_right else COUNTS
    return net(layers.Dense(8, "relu"), layers.Dense(1), loss="mape"), X, y


def logarithm_of_less(is_right):
    y = COUNTS if is_right else SUM * 3
    return net(layers.Dense(8, "relu"), layers.Dense(1), loss="msle"), X, y


def tiny_targets(is_right):
    y = SUM if is_right else SUM * 1e-6
    return net(layers.Dense(8, "relu"), layers.Dense(1)), X, y


def everything_unfrozen(is_right):
    model = net(layers.Dense(8, "relu"), layers.Dense(1))
    model.trainable = False
    model.compile("adam", "mse")
    model.fit(X, SUM, verbose=0)
    model.trainable = True
    if is_right:
        model.compile("adam", "mse")
    return model, X, SUM


def logarithm_in_the_loss(is_right):
    def own(y_true, y_pred):
        p = ops.maximum(y_pred, 1e-7) if is_right else y_pred
        return -ops.mean(y_true * ops.log(p))

    return net(layers.Dense(1, "relu"), loss=own), X, TWO


def one_learned_layer(is_right):
    parts = [] if is_right else [layers.Lambda(ops.stop_gradient)]
    return net(layers.Dense(32, "tanh"), *parts, layers.Dense(1)), X, SUM


def softmax_of_the_wrong_axis_in_a_function(is_right):
    last = layers.Lambda(lambda t: ops.softmax(t, axis=-1 if is_right else 2))
    return segmenter(last), IMAGES, MASKS


def cosine_of_one_number(is_right):
    loss = "mse" if is_right else "cosine_similarity"
    return net(layers.Dense(8, "relu"), layers.Dense(1), loss=loss), X, SUM


def a_rate_that_jumps(is_right):
    rate = 0.003 if is_right else 3.0
    return (
        net(
            layers.Reshape((4, 1)),
            layers.GRU(8),
            layers.Dense(1),
            optimizer=keras.optimizers.Adam(rate),
        ),
        X,
        SUM,
    )


def expensive_outputs(is_right):
    price = keras.regularizers.L1(1e-5 if is_right else 100.0)
    hidden = layers.Dense(8, "relu", activity_regularizer=price)
    optimizer = keras.optimizers.Adam(0.01)
    return net(hidden, layers.Dense(1), optimizer=optimizer), X, SUM


def sigmoids_after_training(is_right):
    activation = "relu" if is_right else "sigmoid"
    hidden = [layers.Dense(16, activation) for _ in range(8)]
    optimizer = keras.optimizers.SGD(0.1)
    model = net(*hidden, layers.Dense(1), optimizer=optimizer)
    model.fit(X, SUM, epochs=10, verbose=0)
    return model, X, SUM


def huge_weights_after_training(is_right):
    large = "he_normal" if is_right else keras.initializers.RandomNormal(stddev=10.0)
    hidden = [layers.Dense(32, "relu", kernel_initializer=large) for _ in range(3)]
    model = net(*hidden, layers.Dense(1))
    model.fit(X, SUM, epochs=10, verbose=0)
    return model, X, SUM


@pytest.mark.filterwarnings("ignore:.*does not have any trainable weights")
@pytest.mark.parametrize(
    ("code", "program"),
    [
        ("KTF405", rounded),
        ("KTF405", chosen),
        ("KTF405", cut_in_the_middle),
        ("KTF402", ended_schedule),
        ("KTF102", rare_nan),
        ("KTF133", scaled_twice),
        ("KTF101", normalization_not_adapted),
        ("KTF213", softmax_over_rows),
        ("KTF206", percent_of_zero),
        ("KTF206", logarithm_of_less),
        ("KTF111", tiny_targets),
        ("KTF304", everything_unfrozen),
        ("KTF409", logarithm_in_the_loss),
        ("KTF414", one_learned_layer),
        ("KTF213", softmax_of_the_wrong_axis_in_a_function),
        ("KTF205", cosine_of_one_number),
        ("KTF401", a_rate_that_jumps),
        ("KTF408", expensive_outputs),
        ("KTF405", sigmoids_after_training),
        ("KTF406", huge_weights_after_training),
    ],
)
def test_the_fault_comes_first_and_the_twin_is_silent(code, program):
    found = diagnose(*program(is_right=False))
    assert found.codes[0] == code, found
    assert code not in diagnose(*program(is_right=True)).codes


def test_answers_that_are_the_same_but_for_rounding():
    model = net(
        layers.Rescaling(1e-7), layers.Dense(1, "sigmoid"), loss="binary_crossentropy"
    )
    model.fit(X, TWO, epochs=12, batch_size=32, verbose=0)
    assert "KTF502" in diagnose(model, X, TWO, fit=False).codes


def test_a_zero_initialized_branch_is_not_cut():
    inputs = keras.Input((4,))
    hidden = layers.Dense(8, "tanh")(layers.Dense(8, "tanh")(inputs))
    branch = layers.Dense(4, kernel_initializer="zeros")(hidden)
    model = keras.Model(inputs, layers.Dense(1)(layers.Add()([inputs, branch])))
    model.compile("adam", "mse")
    assert diagnose(model, X, SUM).ok


def test_a_warm_up_from_0():
    for first in (0.0, 1e-7):
        rates = keras.optimizers.schedules.PolynomialDecay(first, 100, 0.01)
        optimizer = keras.optimizers.Adam(rates)
        model = net(layers.Dense(8, "relu"), layers.Dense(1), optimizer=optimizer)
        assert diagnose(model, X, SUM).ok


@pytest.mark.backend_only("jax", reason="the others keep the weights")
def test_weights_that_are_gone():
    model, x, y = everything_unfrozen(is_right=False)
    with pytest.raises(Exception):  # noqa: B017, PT011 - that of the backend
        model.fit(x, y, verbose=0)
    with pytest.raises(ValueError, match="`model` must have its weights"):
        diagnose(model, X, SUM)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_a_head_of_one_unit_has_no_slope_and_one_finding(activation):
    loss = (
        "binary_crossentropy" if activation == "softmax" else "categorical_crossentropy"
    )
    codes = diagnose(net(layers.Dense(1, activation), loss=loss), X, TWO).codes
    assert codes[0] in ("KTF201", "KTF205")
    assert "KTF405" not in codes


def test_noise_is_not_the_fault_of_the_rate():
    rng = np.random.default_rng(3)
    model = net(
        layers.Dense(16, "relu"),
        layers.Dense(1, "sigmoid"),
        loss="binary_crossentropy",
        optimizer=keras.optimizers.SGD(1e-4),
    )
    codes = diagnose(model, X, rng.integers(0, 2, (320, 1))).codes
    assert "KTF402" not in codes
    assert "KTF131" in codes


def test_saturated_answers_have_no_slope_and_one_finding():
    large = keras.initializers.RandomNormal(stddev=30.0)
    hidden = [layers.Dense(64, "relu", kernel_initializer=large) for _ in range(2)]
    head = layers.Dense(3, "softmax", kernel_initializer=large)
    model = net(*hidden, head, loss="sparse_categorical_crossentropy")
    codes = diagnose(model, X, np.argmax(X[:, :3], axis=1)).codes
    assert codes[0] == "KTF406"
    assert "KTF405" not in codes


@pytest.mark.parametrize(
    ("rate", "is_last", "code"), [(0.97, False, "KTF305"), (0.5, True, "KTF411")]
)
def test_dropout_that_cuts_or_zeroes_has_one_finding(rate, is_last, code):
    dropout, head = layers.Dropout(rate), layers.Dense(3, "softmax")
    ends = (head, dropout) if is_last else (dropout, head)
    model = net(layers.Dense(16, "relu"), *ends, loss="categorical_crossentropy")
    codes = diagnose(model, X, np.eye(3, dtype="float32")[np.argmax(X[:, :3], 1)]).codes
    assert codes[0] == code
    assert not {"KTF405", "KTF409"} & set(codes)
