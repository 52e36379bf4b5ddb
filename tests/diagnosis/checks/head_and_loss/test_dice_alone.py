"""Masks that Dice alone made trivial are found, and nets that learn are not."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_trainfix as kt
from tests.diagnosis.single import run, sequential


def minus_dice(y_true, y_pred):
    overlap = 2 * ops.sum(y_true * y_pred) + 1.0
    return -overlap / (ops.sum(y_true) + ops.sum(y_pred) + 1.0)


def segments(share=0.35, noise=1.0, samples=16, size=10):
    """Noisy images with a disc each, and its mask."""
    rng = np.random.default_rng(1)
    place = np.stack(np.meshgrid(*[np.linspace(-1, 1, size)] * 2), -1)
    centre = rng.uniform(-0.4, 0.4, (samples, 1, 1, 2))
    radius = np.sqrt(4 * share / np.pi)
    mask = (np.square(place - centre).sum(-1, keepdims=True) < radius**2) * 1.0
    x = mask + rng.normal(0, noise, mask.shape)
    return x.astype("float32"), mask.astype("float32")


def segmenter(loss, units=1, activation="sigmoid", rate=0.01):
    parts = [layers.Conv2D(4, 3, padding="same", activation="relu") for _ in "12"]
    head = layers.Conv2D(units, 1, activation=activation)
    optimizer = keras.optimizers.Adam(rate)
    return sequential(*parts, head, shape=(10, 10, 1), loss=loss, optimizer=optimizer)


def one_minus_dice(y_true, y_pred):
    return 1 + minus_dice(y_true, y_pred)


def jaccard_distance(y_true, y_pred, smooth=100.0):
    """As in `keras_contrib`: from 0 to `smooth`."""
    both = ops.sum(y_true * y_pred)
    either = ops.sum(y_true + y_pred) - both
    return (1 - (both + smooth) / (either + smooth)) * smooth


def dice_and_bce(y_true, y_pred):
    both = keras.losses.binary_crossentropy(y_true, y_pred)
    return one_minus_dice(y_true, y_pred) + ops.mean(both)


DICES = [
    keras.losses.Dice(),
    kt.MaskedSoftDice(),
    one_minus_dice,
    minus_dice,
    jaccard_distance,
]


@pytest.mark.parametrize("loss", DICES)
def test_a_mask_that_ended_trivial(loss):
    x, y = segments()
    y = np.random.default_rng(0).permutation(y)  # nothing to see
    model = segmenter(loss, rate=1e-4)
    model.fit(x, y, batch_size=4, epochs=6, verbose=0)
    model.layers[-1].bias.assign([12.0])
    finding = run("KTF210", model, x, y)
    assert finding.severity == "error"
    assert finding.evidence["predicted_share"] == 1
    assert finding.evidence["foreground_share"] == pytest.approx(y.mean(), abs=0.01)
    assert "full" in finding.message
    model.layers[-1].bias.assign([-12.0])
    assert "empty" in run("KTF210", model, x, y).message
    model.layers[-1].kernel.assign(model.layers[-1].kernel * 0.1)
    model.layers[-1].bias.assign([1.0])  # may come back
    assert run("KTF210", model, x, y).severity == "note"


def test_a_few_wrong_pixels_are_no_mask():
    x, y = segments(noise=0.1)
    rng = np.random.default_rng(0)
    chance = rng.random(x.shape) < 0.02
    head = layers.Conv2D(1, 1, activation="sigmoid")
    model = sequential(head, shape=(10, 10, 1), loss=one_minus_dice)
    model.fit(x, y, batch_size=4, epochs=6, verbose=0)
    head.set_weights([np.ones((1, 1, 1, 1)), np.array([-25.0])])
    finding = run("KTF210", model, x + 50 * chance, y)
    assert finding.severity == "error"
    assert 0.01 < finding.evidence["predicted_share"] < 0.03
    sees_it = 50 * y * (rng.random(x.shape) < 0.4)  # a part of the mask, no more
    assert run("KTF210", model, sees_it.astype("float32"), y) is None
    assert run("KTF210", model, x, 0 * y) is None


@pytest.mark.parametrize("loss", [keras.losses.Dice(), one_minus_dice])
def test_nets_that_learn_with_dice(loss):
    x, y = segments(noise=0.5)
    model = segmenter(loss, rate=0.02)
    for _ in range(4):
        finding = run("KTF210", model, x, y)
        assert finding is None or finding.severity == "note"
        model.fit(x, y, batch_size=4, epochs=2, verbose=0)
    assert run("KTF210", model, x, y) is None
    # Full, and yet in the right order: it is on its way.
    model.layers[-1].kernel.assign(model.layers[-1].kernel * 0.02)
    model.layers[-1].bias.assign([2.0])
    assert run("KTF210", model, x, y).severity == "note"


def test_rare_foreground_is_a_note_before_training():
    x, y = segments(share=0.01)
    for loss in DICES:
        finding = run("KTF210", segmenter(loss), x, y)
        assert finding.severity == "note"
        assert finding.evidence["foreground_share"] < 0.02
    x, y = segments()
    assert run("KTF210", segmenter(keras.losses.Dice()), x, y) is None
    y[::2] = 0
    assert (
        run("KTF210", segmenter(keras.losses.Dice()), x, y).evidence["empty_share"]
        == 0.5
    )


def test_other_losses_and_other_causes():
    x, y = segments(share=0.01)
    both = kt.WeightedSum(
        [kt.MaskedSoftDice(from_logits=True), kt.MaskedCrossentropy(from_logits=True)]
    )
    assert run("KTF210", segmenter(keras.losses.Dice()), x, y).severity == "note"
    assert run("KTF210", segmenter(both, activation=None), x, y) is None
    for loss in ("binary_crossentropy", dice_and_bce, kt.MaskedLovasz()):
        assert run("KTF210", segmenter(loss), x, y) is None
    assert run("KTF210", segmenter(keras.losses.Dice()), x, 255 * y) is None
    soft = segmenter(keras.losses.Dice(), activation="softmax")
    assert run("KTF210", soft, x, y) is None  # KTF201
    dead = segmenter(keras.losses.Dice())
    x, y = segments()
    dead.fit(x, y, batch_size=4, epochs=6, verbose=0)
    dead.layers[1].bias.assign(np.full(4, -99.0))
    dead.layers[-1].bias.assign([9.0])
    assert run("KTF210", dead, x, y) is None  # KTF403
