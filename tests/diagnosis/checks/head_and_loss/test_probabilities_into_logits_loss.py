"""Probabilities in a loss of logits are found."""

import keras
import pytest
from keras import layers

import keras_trainfix as kt
from tests.diagnosis.checks.head_and_loss.cases import (
    BINARY,
    CLASSES,
    IDS,
    IMAGES,
    ONE_HOT,
    X,
    assert_only,
    conv,
    functional,
    layered,
    logits,
    sparse,
    without_layer,
)
from tests.diagnosis.nets import net

pytestmark = [
    pytest.mark.filterwarnings("ignore:You are using a softmax:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*softmax.*:UserWarning"),
]
WARNINGS = [
    lambda: (without_layer(keras.ops.softmax, sparse(from_logits=True)), X, IDS),
    lambda: (net(1, "sigmoid", logits("BinaryCrossentropy")), X, BINARY),
    lambda: (net(3, "softmax", logits("CategoricalCrossentropy")), X, ONE_HOT),
    lambda: (functional(3, "softmax", sparse(from_logits=True)), X, IDS),
    lambda: (
        layered(layers.Dense(3), layers.Softmax(), loss=sparse(from_logits=True)),
        X,
        IDS,
    ),
    lambda: (conv(3, "softmax", sparse(from_logits=True)), IMAGES, CLASSES),
    lambda: (
        conv(3, "softmax", kt.MaskedCrossentropy(from_logits=True)),
        IMAGES,
        CLASSES,
    ),
]


@pytest.mark.parametrize("make", WARNINGS)
def test_a_warning_and_its_fix(make):
    assert_only("KTF204", "warning", make())
