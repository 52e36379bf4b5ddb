"""Where answers move if a block of the image is replaced."""

import numpy as np
import pytest
from keras import layers, ops

from keras_trainfix.diagnosis.experiments.instruments.places import (
    CORNERS,
    TURNS,
    block,
    places_of_answers,
    share,
)
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.nets import inputs, net
from tests.diagnosis.single import sequential

SIDE = 16


def images(samples=12, channels=1):
    shape = (samples, SIDE, SIDE, channels)
    return np.random.default_rng(0).random(shape).astype("float32")


def conv(units=4):
    return layers.Conv2D(units, 3, padding="same", activation="relu")


def places(*parts):
    model = sequential(*parts, shape=(SIDE, SIDE, 1))
    (seen,) = places_of_answers(Snapshot(model, images()))
    return seen


def test_no_turn_leaves_the_blocks_in_place():
    masks = [block(32, 32, corner) for corner in CORNERS]
    for turn in TURNS.values():
        shares = [share(m / m.sum(), turn(m)) for m in masks]
        assert np.mean(shares) <= 0


@pytest.mark.parametrize(
    ("wrong", "turn"),
    [
        (lambda: layers.Permute((2, 1, 3), name="wrong"), "transposed"),
        (
            lambda: layers.Lambda(lambda h: ops.flip(h, 1), name="wrong"),
            "flipped up and down",
        ),
        (
            lambda: layers.Lambda(lambda h: ops.flip(h, 2), name="wrong"),
            "flipped left and right",
        ),
    ],
)
def test_turns(wrong, turn):
    seen = places(conv(), wrong(), layers.Conv2D(1, 1))
    assert seen.in_place < 0.1
    assert seen.turn == turn
    assert seen.turned > 0.4
    assert seen.layer.name == "wrong"
    sound = places(conv(), layers.Conv2D(1, 1))
    assert sound.in_place > 0.4
    assert sound.layer is None


def test_a_reshape_in_another_order_scatters():
    shape = (SIDE, SIDE, 4)
    seen = places(
        conv(), layers.Permute((3, 1, 2)), layers.Reshape(shape), layers.Conv2D(1, 1)
    )
    assert seen.in_place < 0.15
    assert seen.scattered > 0.6
    assert seen.untouched > 0.5
    spread = places(
        layers.Flatten(),
        layers.Dense(8),
        layers.Dense(256),
        layers.Reshape((SIDE, SIDE, 1)),
    )
    assert spread.in_place < 0.15
    assert spread.scattered < 0.3
    assert spread.untouched == 0


def test_layers_without_weights_that_tear_a_pixel_apart():
    pixels = SIDE * SIDE
    torn = places(
        conv(),
        layers.Conv2D(3, 1),
        layers.Reshape((3, pixels), name="wrong"),
        layers.Permute((2, 1)),
        layers.Softmax(),
    )
    assert torn.is_torn
    assert torn.layer.name == "wrong"
    sound = places(conv(), layers.Conv2D(3, 1), layers.Reshape((pixels, 3)))
    assert not sound.is_torn
    assert sound.in_place > 0.4
    learned = places(
        conv(),
        layers.Reshape((4, pixels)),
        layers.Permute((2, 1)),
        layers.Dense(3),
    )
    assert not learned.is_torn


def test_a_flat_list_of_turned_pixels_may_fit_its_targets():
    model = sequential(
        conv(),
        layers.Conv2D(3, 1),
        layers.Permute((2, 1, 3)),
        layers.Reshape((SIDE * SIDE, 3)),
        shape=(SIDE, SIDE, 1),
    )
    assert places_of_answers(Snapshot(model, images())) is None


def test_without_an_answer_for_each_pixel():
    assert places_of_answers(Snapshot(net(), inputs())) is None
    halved = sequential(layers.MaxPooling2D(), shape=(SIDE, SIDE, 1))
    assert places_of_answers(Snapshot(halved, images())) is None
    constant = sequential(layers.Rescaling(0.0), shape=(SIDE, SIDE, 1))
    assert places_of_answers(Snapshot(constant, images())) is None
