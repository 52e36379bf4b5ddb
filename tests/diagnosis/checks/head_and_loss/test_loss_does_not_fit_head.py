"""Heads that do not fit their loss are found."""

import keras
import numpy as np
import pytest
from keras import layers

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
    codes,
    conv,
    functional,
    layered,
    sparse,
    tagger,
)
from tests.diagnosis.nets import judge, net, view

pytestmark = [
    pytest.mark.filterwarnings("ignore:You are using a softmax:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*softmax.*:UserWarning"),
]
ERRORS = [
    lambda: (net(1, "sigmoid", CCE), X, BINARY),
    lambda: (net(1, None, CCE), X, BINARY[:, 0]),
    lambda: (net(1, "sigmoid", keras.losses.CategoricalCrossentropy()), X, IDS),
    lambda: (net(1, "sigmoid", SCCE), X, BINARY),
    lambda: (functional(1, "sigmoid", SCCE), X, IDS),
    lambda: (net(1, "sigmoid", BCE), X, IDS),
    lambda: (net(3, "softmax", SCCE), X, np.arange(64) % 7),
    lambda: (net(3, "softmax", CCE), X, np.eye(5)[np.arange(64) % 5]),
    lambda: (conv(1, "sigmoid", CCE), IMAGES, MASKS),
    lambda: (conv(2, "softmax", SCCE), IMAGES, CLASSES),
]
WARNINGS = [
    lambda: (net(3, "sigmoid", CCE), X, ONE_HOT),
    lambda: (net(3, "softmax", BCE), X, ONE_HOT),
    lambda: (functional(3, "sigmoid", CCE), X, ONE_HOT),
    lambda: (conv(3, "softmax", BCE), IMAGES, np.eye(3)[CLASSES]),
]


@pytest.mark.parametrize("make", ERRORS)
def test_an_error_and_its_fix(make):
    assert_only("KTF205", "error", make())


@pytest.mark.parametrize("make", WARNINGS)
def test_a_warning_and_its_fix(make):
    assert_only("KTF205", "warning", make())


def test_the_head_of_every_step_is_read():
    assert codes(tagger("softmax", CCE), SERIES, TAGS) == []
    assert codes(tagger("sigmoid", CCE), SERIES, TAGS) == ["KTF205"]


@pytest.mark.parametrize("columns", [2, 3])
def test_the_fix_for_rows_takes_rows(columns):
    y = np.eye(columns)[np.arange(64) % columns]
    model = net(1, "sigmoid", BCE)
    finding = assert_only("KTF205", "error", (model, X, y))
    assert '"categorical_crossentropy"' in finding.fix
    assert f"Dense({columns}," in finding.fix


def test_the_fix_keeps_a_loss_of_logits():
    model = net(2, None, sparse(from_logits=True))
    finding = assert_only("KTF205", "error", (model, X, IDS))
    assert "softmax" not in finding.fix


def test_a_softmax_along_another_axis_is_turned():
    def make(axis):
        head = layers.Conv2D(3, 1), layers.Softmax(axis=axis, name="softmax")
        return layered(*head, loss=SCCE, shape=(8, 8, 3)), IMAGES, CLASSES

    finding = assert_only("KTF205", "error", make(1))
    assert 'model.get_layer("softmax").axis = -1' in finding.fix
    assert codes(*make(-1)) == []


def test_a_step_of_ones_own_may_give_the_loss_something_else():
    class Metric(keras.Model):
        def train_step(self, *data):
            return {}

    plain = net(2, None, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    own = Metric(plain.inputs, plain.outputs)
    own.compile("adam", plain.loss)
    found = [judge("KTF205", view(model, X, IDS)) for model in (plain, own)]
    assert [finding.severity for finding in found] == ["error", "note"]
