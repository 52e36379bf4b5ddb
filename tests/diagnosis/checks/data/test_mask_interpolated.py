"""Masks of ids that were averaged are found, flat or not."""

import keras
import numpy as np
import pytest

from tests.diagnosis.measure.test_interpolated import squares
from tests.diagnosis.single import run

LARGE = squares()
SMALL = LARGE[:, 2::4, 2::4]
AVERAGED = LARGE.reshape(40, 16, 4, 16, 4).mean((2, 4)).round().astype("int32")
X = (SMALL[..., None] / 4).astype("float32")


def net(flat=False, loss="sparse_categorical_crossentropy"):
    keras.utils.set_random_seed(1)
    parts = [keras.layers.Conv2D(5, 1, activation="softmax")]
    parts += [keras.layers.Reshape((256, 5))] * flat
    model = keras.Sequential([keras.Input((16, 16, 1)), *parts])
    model.compile("adam", loss)
    return model


@pytest.mark.parametrize("flat", [False, True])
def test_ids_between_others(flat):
    shape = (40, 256) if flat else (40, 16, 16, 1)
    finding = run("KTF151", net(flat), X, AVERAGED.reshape(shape))
    assert finding.severity == "warning"
    assert "lies between the other two, by chance in a third" in finding.message
    assert run("KTF151", net(flat), X, SMALL.reshape(shape)) is None


def test_two_classes_and_one_hot_masks_are_not_judged():
    binary = net(loss="binary_crossentropy")
    assert run("KTF151", binary, X, (AVERAGED > 0)[..., None]) is None
    one_hot = net(loss="categorical_crossentropy")
    assert run("KTF151", one_hot, X, np.eye(5)[AVERAGED]) is None
    assert run("KTF151", net(), X, np.minimum(AVERAGED, 1)) is None
