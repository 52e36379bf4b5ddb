"""The best constant answer by any loss, against NumPy that tries them all."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_trainfix as kt
from keras_trainfix.diagnosis.measure.constant import (
    constant_for_loss,
    loss_skill,
)
from keras_trainfix.diagnosis.measure.constant_search import MOST_CALLS
from tests.diagnosis.nets import inputs, net, view

X = inputs(64)
SKEWED = np.exp(X[:, :1] + X[:, 1:2]).astype("float32")
ON = (X[:, :1] > 0.5).astype("float32")
IDS = np.digitize(X[:, 0], [-0.5, 0.5])
ROWS = np.eye(3)[IDS]


def between(y):
    return np.linspace(y.min(), y.max(), 20001)


def quantile(tau, y, c):
    return np.mean(np.maximum(tau * (y - c), (tau - 1) * (y - c)))


def quantile_loss(tau):
    def loss(y, p):
        return ops.mean(ops.maximum(tau * (y - p), (tau - 1) * (y - p)))

    return loss


def huber(y, c, delta=1.0):
    far = np.abs(y - c)
    return np.mean(np.where(far <= delta, far**2 / 2, delta * far - delta**2 / 2))


# Each a loss and what it is, in NumPy, for one number everywhere.
NUMBERS = {
    "mse": ("mse", lambda y, c: np.mean((y - c) ** 2)),
    "mae": ("mae", lambda y, c: np.mean(np.abs(y - c))),
    "huber": ("huber", huber),
    "huber of 0.2": (keras.losses.Huber(0.2), lambda y, c: huber(y, c, 0.2)),
    "log_cosh": (
        "log_cosh",
        lambda y, c: np.mean(np.logaddexp(y - c, c - y) - np.log(2)),
    ),
    "msle": (
        "mean_squared_logarithmic_error",
        lambda y, c: np.mean((np.log1p(y) - np.log1p(max(c, 1e-7))) ** 2),
    ),
    "quantile .9": (quantile_loss(0.9), lambda y, c: quantile(0.9, y, c)),
    "quantile .2": (quantile_loss(0.2), lambda y, c: quantile(0.2, y, c)),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_the_constant_of_numbers(name):
    loss, expected = NUMBERS[name]
    best = constant_for_loss(view(net(1, None, loss), X, SKEWED))
    y = SKEWED.astype("float64")
    least = min(expected(y, c) for c in between(y))
    assert best.calls <= MOST_CALLS
    assert best.loss == pytest.approx(least, rel=1e-3)
    assert expected(y, best.answer[0]) == pytest.approx(least, rel=1e-3)


def test_known_losses_are_called_once():
    for loss in ("mse", "mae"):
        best = constant_for_loss(view(net(1, None, loss), X, SKEWED))
        assert best.calls == 1
    assert best.answer[0] == pytest.approx(np.median(SKEWED))


def test_the_constant_of_counts(rng):
    y = rng.poisson(3, (64, 1)).astype("float32")
    best = constant_for_loss(view(net(1, "softplus", "poisson"), X, y))
    assert best.answer[0] == pytest.approx(y.mean())
    assert best.loss == pytest.approx(np.mean(y.mean() - y * np.log(y.mean())), 1e-5)


def entropy(shares):
    return -sum(p * np.log(p) for p in shares if p)


@pytest.mark.parametrize("logits", [False, True])
def test_the_constant_of_classes(logits):
    head, share = (None if logits else "sigmoid"), ON.mean()
    loss = keras.losses.BinaryCrossentropy(from_logits=logits)
    best = constant_for_loss(view(net(1, head, loss), X, ON))
    expected = np.log(share / (1 - share)) if logits else share
    assert best.answer[0] == pytest.approx(expected, rel=1e-5)
    assert best.loss == pytest.approx(entropy([share, 1 - share]), rel=1e-5)

    head, shares = (None if logits else "softmax"), ROWS.mean(0)
    for name, y in (("SparseCategorical", IDS), ("Categorical", ROWS)):
        loss = getattr(keras.losses, f"{name}Crossentropy")(from_logits=logits)
        best = constant_for_loss(view(net(3, head, loss), X, y))
        assert best.loss == pytest.approx(entropy(shares), rel=1e-5)
        answer = np.exp(best.answer) if logits else best.answer
        np.testing.assert_allclose(answer, shares, rtol=1e-5)


def test_the_constant_of_smoothed_labels():
    loss = keras.losses.BinaryCrossentropy(label_smoothing=0.2)
    best = constant_for_loss(view(net(1, "sigmoid", loss), X, ON))
    share = ON.mean() * 0.8 + 0.1
    assert best.answer[0] == pytest.approx(share, rel=1e-2)
    assert best.loss == pytest.approx(entropy([share, 1 - share]), rel=1e-4)


def masks(rng):
    return (rng.random((8, 6, 6, 1)) < 0.3).astype("float32")


def segmenter(loss, units=1):
    activation = "sigmoid" if units == 1 else "softmax"
    model = keras.Sequential(
        [keras.Input((6, 6, 1)), layers.Conv2D(units, 1, activation=activation)]
    )
    model.compile("adam", loss)
    return model


def test_the_constant_of_dice_is_all_foreground(rng):
    y = masks(rng)
    best = constant_for_loss(view(segmenter(keras.losses.Dice()), y, y))
    assert best.answer[0] == pytest.approx(1, abs=1e-3)
    share = y.mean(dtype="float64")
    assert best.loss == pytest.approx(1 - 2 * share / (share + 1), rel=1e-4)


def test_the_constant_with_void(rng):
    y = rng.integers(1, 3, (8, 6, 6))
    y[:, :2] = 255
    loss = kt.MaskedCrossentropy(ignore_class=255)
    x = np.where(y == 2, 1.0, 0.0)[..., None].astype("float32")
    best = constant_for_loss(view(segmenter(loss, 3), x, y))
    share = (y == 2).sum() / (y != 255).sum()
    assert best.loss == pytest.approx(entropy([share, 1 - share]), rel=1e-2)


def test_columns_are_searched_one_by_one():
    y = np.concatenate([SKEWED, 3 - 2 * SKEWED], 1)
    best = constant_for_loss(view(net(2, None, quantile_loss(0.9)), X, y))
    expected = np.mean(
        [min(quantile(0.9, y[:, i], c) for c in np.unique(y[:, i])) for i in (0, 1)]
    )
    assert best.calls <= MOST_CALLS
    assert best.loss == pytest.approx(expected, rel=1e-2)


def test_many_columns(rng):
    y = rng.exponential(size=(64, 12)).astype("float32")
    best = constant_for_loss(view(net(12, None, "huber"), X, y))
    assert best.calls <= MOST_CALLS
    each = [min(huber(column, c) for c in between(column)[::20]) for column in y.T]
    assert np.mean(each) <= best.loss * 1.0001 < 1.05 * np.mean(each)


def test_the_head_sets_the_limits():
    best = constant_for_loss(view(net(1, "tanh", "mse"), X, SKEWED + 5))
    assert best.answer[0] == 1
    best = constant_for_loss(view(net(1, "relu", "mae"), X, -SKEWED))
    assert best.answer[0] == 0


def test_what_has_no_constant():
    assert constant_for_loss(view(net(1), X, SKEWED)) is None
    assert constant_for_loss(view(net(1, None, "mse"), X)) is None
    words = np.array(["a", "b"] * 32)
    assert constant_for_loss(view(net(1, None, "mse"), X, words)) is None
    nans = np.full((64, 1), np.nan)
    assert constant_for_loss(view(net(1, None, "mse"), X, nans)) is None


# --- Skill by the loss ---


def skill_of(values, y, loss):
    """The skill of a model that gives its inputs."""
    units = values.shape[-1]
    model = keras.Sequential([keras.Input((units,)), layers.Dense(units)])
    model.layers[0].kernel.assign(np.eye(units))
    model.compile("sgd", loss)
    return loss_skill(view(model, values.astype("float32"), y))


@pytest.mark.parametrize("name", ["mse", "mae", "huber", "quantile .9"])
def test_skill_is_1_for_perfect_and_0_for_constant_answers(name):
    loss, _ = NUMBERS[name]
    assert skill_of(SKEWED, SKEWED, loss).skill == pytest.approx(1, abs=1e-5)
    answer = constant_for_loss(view(net(1, None, loss), X, SKEWED)).answer[0]
    constant = np.full_like(SKEWED, answer)
    assert skill_of(constant, SKEWED, loss).skill == pytest.approx(0, abs=1e-3)
    half = skill_of((constant + SKEWED) / 2, SKEWED, loss).skill
    assert 0.3 < half < 0.9


def test_the_median_has_skill_0_by_its_own_loss():
    """Its mean squared error is worse than that of the mean: R2 is negative."""
    median = np.full_like(SKEWED, np.median(SKEWED))
    assert skill_of(median, SKEWED, "mae").skill == pytest.approx(0, abs=1e-6)
    assert skill_of(median, SKEWED, "mse").skill < -0.05


def test_perfect_counts_have_a_loss_below_0(rng):
    y = rng.poisson(20, (64, 1)).astype("float32")
    seen = skill_of(y, y, "poisson")
    assert seen.perfect_loss < seen.constant_loss < 0
    assert seen.skill == pytest.approx(1, abs=1e-5)


def test_a_negative_dice_has_a_skill(rng):
    y = masks(rng)

    def negative_dice(y, p):
        return -2 * ops.sum(y * p) / (ops.sum(y) + ops.sum(p) + 1e-7)

    model = segmenter(negative_dice)
    model.layers[0].kernel.assign([[[[40.0]]]])
    model.layers[0].bias.assign([-20.0])
    seen = loss_skill(view(model, y, y))
    assert seen.perfect_loss == pytest.approx(-1, abs=1e-5)
    assert seen.constant_loss > -0.6
    assert seen.skill == pytest.approx(1, abs=1e-3)


def test_skill_of_classes_by_ids_and_by_rows():
    logits = (4 * ROWS).astype("float32")
    p = np.exp(4) / (np.exp(4) + 2)
    expected = 1 + np.log(p) / entropy(ROWS.mean(0))
    for name, y in (("SparseCategorical", IDS), ("Categorical", ROWS)):
        loss = getattr(keras.losses, f"{name}Crossentropy")(from_logits=True)
        assert skill_of(logits, y, loss).skill == pytest.approx(expected, abs=1e-4)


def test_hinge_is_perfect_at_both_ends():
    signs = 2 * ON - 1
    assert skill_of(signs, ON, "hinge").skill == pytest.approx(1)
    assert skill_of(signs, signs, "hinge").skill == pytest.approx(1)


def test_what_has_no_skill():
    assert loss_skill(view(net(1), X, SKEWED)) is None
    assert loss_skill(view(net(1, None, "mse"), X, np.ones((64, 1)))) is None
    assert loss_skill(view(net(1, None, "mse"), X)) is None
