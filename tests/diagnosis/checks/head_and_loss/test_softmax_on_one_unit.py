"""A softmax over one unit is found, and its fix suits the task."""

import keras
import pytest
from keras import layers

import keras_trainfix as kt
from tests.diagnosis.checks.head_and_loss.cases import (
    BCE,
    BINARY,
    CCE,
    IDS,
    IMAGES,
    MASKS,
    REAL,
    SCCE,
    X,
    assert_only,
    conv,
    findings,
    functional,
    layered,
)
from tests.diagnosis.nets import net

pytestmark = [
    pytest.mark.filterwarnings("ignore:You are using a softmax:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*softmax.*:UserWarning"),
]
ERRORS = [
    lambda: (net(1, "softmax", BCE), X, BINARY),
    lambda: (net(1, "softmax", "mse"), X, REAL),
    lambda: (net(1, "softmax", keras.losses.BinaryCrossentropy()), X, BINARY),
    lambda: (net(1, "softmax", CCE), X, BINARY),
    lambda: (net(1, "softmax", SCCE), X, IDS),
    lambda: (functional(1, "softmax", BCE), X, BINARY),
    lambda: (layered(layers.Dense(1), layers.Softmax(), loss=BCE), X, BINARY),
    lambda: (conv(1, "softmax", BCE), IMAGES, MASKS),
    lambda: (conv(1, "softmax", kt.MaskedSoftDice()), IMAGES, MASKS),
]


@pytest.mark.parametrize("make", ERRORS)
def test_an_error_and_its_fix(make):
    assert_only("KTF201", "error", make())


def test_the_fix_of_a_softmax_on_one_unit_fits_the_task():
    def fix(model, y, x=X):
        return findings(model, x, y)["KTF201"].fix

    assert "keras.activations.sigmoid" in fix(net(1, "softmax", BCE), BINARY)
    assert "keras.activations.linear" in fix(net(1, "softmax", "mse"), REAL)
    assert "Dense(3," in fix(net(1, "softmax", SCCE), IDS)
    own_layer = layered(
        layers.Conv2D(1, 3), layers.Softmax(), loss=BCE, shape=(8, 8, 3)
    )
    masks = MASKS[:, 1:-1, 1:-1]
    assert "Conv2D(1, (3, 3), padding=" in fix(own_layer, masks, IMAGES)
