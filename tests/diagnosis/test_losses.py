"""Values that a loss cannot have, and losses that mix samples up, are found."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers, ops

import keras_trainfix as kt
from keras_trainfix.diagnosis.diagnose import diagnose
from tests.diagnosis.nets import inputs, judge, net, view
from tests.diagnosis.single import assert_page, run, sequential

BCE = "binary_crossentropy"
LOGITS = keras.losses.BinaryCrossentropy(from_logits=True)
X = inputs()
REAL = 3 * X.sum(1)
BINARY = (X[:, :1] > 0).astype("float32")
BOTH = np.hstack([1 - BINARY, BINARY])
IMAGES = np.random.default_rng(1).normal(size=(16, 8, 8, 3)).astype("float32")
MASKS = (IMAGES[..., :1] > 0).astype("float32")


@pytest.mark.parametrize("code", ["KTF208", "KTF209"])
def test_the_page(code):
    assert_page(code)


def conv(units, activation, loss):
    head = layers.Conv2D(units, 3, padding="same", activation=activation)
    return sequential(head, shape=(8, 8, 3), loss=loss)


# --- KTF208 loss-below-minimum ---


def minus_dice(y_true, y_pred):
    overlap = 2 * ops.sum(y_true * y_pred) + 1.0
    return -overlap / (ops.sum(y_true) + ops.sum(y_pred) + 1.0)


def one_minus_iou(y_true, y_pred):
    both = ops.sum(y_true * y_pred)
    return 1 - both / (ops.sum(y_true) + ops.sum(y_pred) - both + 1.0)


def summed_dice(y_true, y_pred):
    return sum(minus_dice(y_true[..., i], y_pred[..., i]) for i in range(3))


@pytest.mark.parametrize(
    ("make", "y"),
    [
        (lambda: net(1, "sigmoid", BCE), REAL[:, None]),
        (lambda: net(1, "sigmoid", BCE), 3 * BINARY),
        (lambda: net(1, None, LOGITS), REAL[:, None]),
        (lambda: net(1, None, LOGITS), 3 * BINARY),
    ],
)
def test_a_cross_entropy_below_zero(make, y):
    model = make()
    finding = run("KTF208", model, X, y)
    if model.loss == BCE and keras.backend.backend() == "torch":
        assert finding is None  # there `fit` raises an error about these targets
        return
    assert finding.evidence["value_of_sure_answers"] < 0
    assert "below 0" in finding.message


@pytest.mark.parametrize("loss", [keras.losses.Dice(), minus_dice, one_minus_iou])
def test_masks_of_0_and_255_have_their_cause_first(loss):
    model = conv(1, "sigmoid", loss)
    finding = run("KTF208", model, IMAGES, 255 * MASKS)
    assert finding.severity == "warning"
    codes = diagnose(model, IMAGES, 255 * MASKS, fit=False).codes
    assert codes.index("KTF123") < codes.index("KTF208")


def test_a_dice_of_a_head_without_activation():
    model = conv(1, None, keras.losses.Dice())
    model.layers[-1].bias.assign([-9.0])
    finding = run("KTF208", model, IMAGES, MASKS)
    assert finding.severity == "error"
    assert finding.evidence["value"] < 0
    codes = diagnose(model, IMAGES, MASKS, fit=False).codes
    assert codes.index("KTF203") < codes.index("KTF208")


def test_losses_in_their_range():
    healthy = [
        (net(1, "sigmoid", BCE), X, BINARY),
        (net(1, "sigmoid", BCE), X, 0.9 * BINARY + 0.05),
        (net(1, None, LOGITS), X, BINARY),
        (net(3, "softmax", "sparse_categorical_crossentropy"), X, np.arange(64) % 3),
        (net(1, None, "mse"), X, REAL),
        (net(1, None, "poisson"), X, abs(REAL)),
        (net(3, None, "cosine_similarity"), X, X[:, :3]),
        (conv(1, "sigmoid", keras.losses.Dice()), IMAGES, MASKS),
        (conv(1, "sigmoid", minus_dice), IMAGES, MASKS),
        (conv(1, "sigmoid", one_minus_iou), IMAGES, MASKS),
        (conv(3, "sigmoid", summed_dice), IMAGES, IMAGES > 0),
        (conv(1, None, kt.MaskedSoftDice(from_logits=True)), IMAGES, MASKS),
        (conv(1, None, kt.MaskedLovasz(from_logits=True)), IMAGES, MASKS),
        (net(1, "sigmoid"), X, REAL),
    ]
    for model, x, y in healthy:
        assert run("KTF208", model, x, np.asarray(y)) is None


def log_likelihood(y_true, y_pred):
    shares = ops.clip(y_pred, 1e-7, 1.0)
    return ops.sum(ops.cast(y_true, shares.dtype) * ops.log(shares), axis=-1)


def dice_coefficient(y_true, y_pred):
    return -minus_dice(y_true, y_pred)


def distance(y_true, y_pred):
    """Low where labels are 1."""
    return ops.mean(y_true * y_pred**2 + (1 - y_true) * (1 - y_pred) ** 2)


@pytest.mark.parametrize(
    ("make", "x", "y", "loss"),
    [
        (lambda loss: net(2, "softmax", loss), X, BOTH, log_likelihood),
        (lambda loss: net(1, "sigmoid", loss), X, BINARY, log_likelihood),
        (lambda loss: conv(1, "sigmoid", loss), IMAGES, MASKS, dice_coefficient),
    ],
    ids=["softmax", "sigmoid", "Dice"],
)
def test_a_loss_whose_sign_is_turned(make, x, y, loss):
    finding = run("KTF208", make(loss), x, y)
    seen = finding.evidence
    assert seen["value_of_right_answers"] > seen["value_of_wrong_answers"]
    assert "- " + loss.__name__ in finding.fix

    def turned(y_true, y_pred):
        return 1 - loss(y_true, y_pred)

    assert run("KTF208", make(turned), x, y) is None


def test_a_loss_with_an_aim_of_its_own():
    for activation in ("sigmoid", None):
        assert run("KTF208", net(1, activation, distance), X, BINARY) is None


def test_labels_without_weight_are_not_judged():
    y = BINARY.copy()
    y[::4] = 255
    weight = (y[:, 0] != 255).astype("float32")
    model = net(1, None, LOGITS)
    assert judge("KTF208", view(model, X, y)) is not None
    assert judge("KTF208", view(model, X, y, weight)) is None


# --- KTF209 broadcasting-loss ---


class Squares(keras.Loss):
    def call(self, y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred), axis=-1)


class Root(keras.Loss):
    def call(self, y_true, y_pred):
        return ops.sqrt(ops.mean(ops.square(y_true - y_pred)))


class Logarithms(keras.Loss):
    def call(self, y_true, y_pred):
        y_pred = ops.clip(y_pred, 1e-6, 1 - 1e-6)
        return -(y_true * ops.log(y_pred) + (1 - y_true) * ops.log(1 - y_pred))


class Ranks(keras.Loss):
    """Wants targets of one axis, and does the rest itself."""

    def call(self, y_true, y_pred):
        return ops.mean(ops.abs(ops.expand_dims(y_true, -1) - y_pred))


def flat_squares(y_true, y_pred):
    return ops.mean(ops.square(ops.reshape(y_true, (-1,)) - y_pred))


def squares(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred))


@pytest.mark.parametrize("kind", ["float32", "float64", "int64"])
@pytest.mark.parametrize("loss", [Squares(), Root(), flat_squares])
def test_it_is_what_fit_does(loss, kind):
    model = net(loss=loss)
    y = REAL.astype(kind)
    finding = run("KTF209", model, X, y)
    assert finding.severity == "error"
    p = model.predict(X, verbose=0)[:32]
    wide = ((y[:32] - p) ** 2).mean()
    wide = np.sqrt(wide) if isinstance(loss, Root) else wide
    assert finding.evidence["value"] == pytest.approx(wide, rel=1e-3)
    assert finding.evidence["samples"] == 32
    reported = model.evaluate(X[:32], y[:32], batch_size=32, verbose=0)
    # The samples are taken from the whole, here all of it.
    assert reported == pytest.approx(wide, rel=1e-3)


def test_a_cross_entropy_that_broadcasts():
    model = net(1, "sigmoid", Logarithms())
    assert run("KTF209", model, X, BINARY[:, 0]).severity == "error"
    assert run("KTF209", model, X, BINARY) is None


def test_a_likelihood_of_a_mean_and_a_variance():
    def likelihood(y_true, y_pred):
        mean, log_variance = y_pred[:, 0], y_pred[:, 1]
        error = ops.square(y_true - mean) * ops.exp(-log_variance)
        return ops.mean(log_variance + error)

    def repaired(y_true, y_pred):
        return likelihood(y_true[:, 0], y_pred)

    y = REAL[:, None]
    assert run("KTF209", net(2, loss=likelihood), X, y).severity == "error"
    assert run("KTF209", net(2, loss=repaired), X, y) is None


def test_a_flat_head():
    model = sequential(layers.Dense(1), layers.Reshape(()), loss=Squares())
    assert run("KTF209", model, X, REAL[:, None]).evidence["prediction_rank"] == 1
    assert run("KTF209", model, X, REAL) is None


def test_losses_that_compare_pairs_right():
    def predictions_alone(y_true, y_pred):
        return ops.mean(y_pred)

    def moments(y_true, y_pred):  # of two distributions
        return ops.square(ops.mean(y_true) - ops.mean(y_pred)) + ops.square(
            ops.std(y_true) - ops.std(y_pred)
        )

    def correlation(y_true, y_pred):
        a, b = y_true - ops.mean(y_true), y_pred - ops.mean(y_pred)
        return -ops.mean(a * b) / (ops.std(a) * ops.std(b))

    for loss in (
        "mse",
        squares,
        Ranks(),
        predictions_alone,
        moments,
        correlation,
        kt.MaskedCrossentropy(),
        lambda a, b: abs(a - b),
    ):
        assert run("KTF209", net(loss=loss), X, REAL) is None
    for y in (REAL[:, None], 1e6 + REAL[:, None]):
        assert run("KTF209", net(loss=Squares()), X, y) is None
        assert run("KTF209", net(loss=squares), X, y) is None
    assert run("KTF209", net(loss=Squares()), X, np.ones(64)) is None
    assert run("KTF209", net(3, loss=Squares()), X, X[:, :3]) is None
    assert run("KTF209", net(loss=Squares()), X) is None


@pytest.mark.parametrize(("units", "columns"), [(1, 5), (5, 1)])
@pytest.mark.parametrize("loss", ["mse", "mae", keras.losses.Huber()])
def test_columns_and_units_that_do_not_fit(loss, units, columns):
    model = net(units, loss=loss)
    finding = run("KTF209", model, X, X[:, :columns])
    assert finding.severity == "warning"
    reported = model.evaluate(X, X[:, :columns], batch_size=64, verbose=0)
    assert finding.evidence["value"] == pytest.approx(reported, rel=1e-4)
    assert run("KTF209", net(columns, loss=loss), X, X[:, :columns]) is None


@settings(max_examples=10, deadline=None)
@given(
    samples=st.integers(6, 60),
    width=st.integers(1, 20),
    offset=st.sampled_from([0.0, -50.0, 1000.0]),
    seed=st.integers(0, 99),
)
def test_shapes_that_broadcast_of_any_size(samples, width, offset, seed):
    x = inputs(samples, width, seed)
    y = offset + x.sum(1)
    model = net(shape=(width,), loss=Squares())
    assert run("KTF209", model, x, y)
    assert run("KTF209", model, x, y[:, None]) is None
