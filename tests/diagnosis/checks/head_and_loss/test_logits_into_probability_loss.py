"""Logits in a loss that takes probabilities are found."""

import keras
import pytest

import keras_trainfix as kt
from tests.diagnosis.checks.head_and_loss.cases import (
    BCE,
    BINARY,
    CCE,
    CLASSES,
    IDS,
    IMAGES,
    MASKS,
    ONE_HOT,
    SCCE,
    SERIES,
    TAGS,
    X,
    assert_only,
    conv,
    findings,
    functional,
    tagger,
)
from tests.diagnosis.nets import net

pytestmark = [
    pytest.mark.filterwarnings("ignore:You are using a softmax:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*softmax.*:UserWarning"),
]
ERRORS = [
    lambda: (tagger("relu", CCE), SERIES, TAGS),
    lambda: (tagger(None, CCE), SERIES, TAGS),
    lambda: (net(1, None, BCE), X, BINARY),
    lambda: (net(1, "relu", BCE), X, BINARY),
    lambda: (net(1, "tanh", BCE), X, BINARY),
    lambda: (net(3, None, SCCE), X, IDS),
    lambda: (net(3, None, CCE), X, ONE_HOT),
    lambda: (net(3, "relu", keras.losses.CategoricalCrossentropy()), X, ONE_HOT),
    lambda: (functional(1, "linear", keras.losses.BinaryCrossentropy()), X, BINARY),
    lambda: (conv(3, None, SCCE), IMAGES, CLASSES),
    lambda: (conv(1, None, BCE), IMAGES, MASKS),
    lambda: (conv(3, None, kt.MaskedCrossentropy()), IMAGES, CLASSES),
    lambda: (conv(1, "relu", keras.losses.Dice()), IMAGES, MASKS),
]


@pytest.mark.parametrize("make", ERRORS)
def test_an_error_and_its_fix(make):
    assert_only("KTF203", "error", make())


def test_an_overlap_of_ones_own_says_what_it_takes():
    def dice(y_true, y_pred):
        both = 2 * keras.ops.sum(y_true * y_pred)
        return 1 - both / (keras.ops.sum(y_true) + keras.ops.sum(y_pred) + 1e-7)

    def dice_of_logits(y_true, y_pred):
        return dice(y_true, keras.ops.sigmoid(y_pred))

    finding = findings(conv(1, None, dice), IMAGES, MASKS)["KTF203"]
    assert "lower than a perfect answer" in finding.message
    assert "from_logits" not in finding.fix
    for model in (conv(1, None, dice_of_logits), conv(1, "sigmoid", dice)):
        assert "KTF203" not in findings(model, IMAGES, MASKS)


def test_the_share_that_is_clipped_is_measured():
    model = net(3, "relu", SCCE)
    finding = findings(model, X, IDS)["KTF203"]
    p = model.predict(X, verbose=0)
    assert finding.evidence["clipped_share"] == pytest.approx(
        ((p <= 0) | (p >= 1)).mean()
    )
