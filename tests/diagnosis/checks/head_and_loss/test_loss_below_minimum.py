"""Values that a loss cannot have are found, and those of odd losses are not."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_trainfix as kt
from keras_trainfix.diagnosis.diagnose import diagnose
from tests.diagnosis.nets import inputs, judge, net, view
from tests.diagnosis.single import run, sequential

BCE = "binary_crossentropy"
LOGITS = keras.losses.BinaryCrossentropy(from_logits=True)
X = inputs()
REAL = 3 * X.sum(1)
BINARY = (X[:, :1] > 0).astype("float32")
BOTH = np.hstack([1 - BINARY, BINARY])
IMAGES = np.random.default_rng(1).normal(size=(16, 8, 8, 3)).astype("float32")
MASKS = (IMAGES[..., :1] > 0).astype("float32")


def conv(units, activation, loss):
    head = layers.Conv2D(units, 3, padding="same", activation=activation)
    return sequential(head, shape=(8, 8, 3), loss=loss)


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
    assert run("KTF208", net(1, "sigmoid", log_likelihood), X, BINARY) is not None


def test_labels_without_weight_are_not_judged():
    y = BINARY.copy()
    y[::4] = 255
    weight = (y[:, 0] != 255).astype("float32")
    model = net(1, None, LOGITS)
    assert judge("KTF208", view(model, X, y)) is not None
    assert judge("KTF208", view(model, X, y, weight)) is None


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_the_fix_agrees_with_the_finding_before_it(activation):
    """One class id for each sample, 3 classes, and 64 units."""
    model = net(64, activation, keras.losses.Dice())
    findings = diagnose(model, X, np.arange(64) % 3, fit=False).findings
    fixes = {finding.code: finding.fix for finding in findings}
    assert next(iter(fixes)) == "KTF206"
    assert "MaskedSoftDice" in fixes["KTF206"]
    assert fixes["KTF208"] == "# repair KTF206 first: this follows from it"


def test_the_fix_of_a_head_alone():
    model = conv(1, None, keras.losses.Dice())
    model.layers[-1].bias.assign([-9.0])
    fix = run("KTF208", model, IMAGES, MASKS).fix
    assert "keras.activations.sigmoid" in fix
    exec(fix, {"model": model, "keras": keras})
    assert run("KTF208", model, IMAGES, MASKS) is None


def test_a_sum_with_a_boundary_loss_may_be_below_0():
    logits = {"from_logits": True}
    parts = [kt.MaskedBoundary(**logits), kt.MaskedCrossentropy(**logits)]
    for weights, is_found in (([1.0, 0.0], False), ([0.0, 1.0], False)):
        model = conv(1, None, kt.WeightedSum(parts, weights))
        model.layers[-1].kernel.assign(ops.zeros_like(model.layers[-1].kernel) + 3)
        assert (run("KTF208", model, IMAGES, MASKS) is not None) is is_found
