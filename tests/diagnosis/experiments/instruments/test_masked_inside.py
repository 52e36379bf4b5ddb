"""Holes of a mask are counted; padding is none."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix.diagnosis.experiments.instruments.masked_inside import (
    masked_inside,
    share_inside,
    within,
)
from keras_trainfix.diagnosis.snapshot import Snapshot

X = np.array([[0, 1, 0, 0, 2, 0], [3, 0, 1, 1, 0, 0]] * 8)


def asked(*body, x=X):
    model = keras.Sequential([keras.Input(x.shape[1:]), *body, layers.GRU(2)])
    return masked_inside(Snapshot(model, x))


@pytest.mark.every_backend
def test_a_masking_layer_and_an_embedding():
    values = X[..., None].astype("float32")
    (one,) = asked(layers.Masking(), x=values)
    assert (one.value, one.share) == (0.0, 3 / 8)
    (one,) = asked(layers.Embedding(4, 2, mask_zero=True))
    assert one.share == 3 / 8
    assert asked(layers.Masking(9.0), x=values) == []


def test_models_without_masks():
    assert asked(layers.Embedding(4, 2)) is None


def test_padding_is_no_hole():
    mask = np.array([[0, 1, 1, 0], [0, 0, 0, 0], [1, 0, 0, 1]], bool)
    np.testing.assert_array_equal(within(mask[2:]), [[True] * 4])
    assert share_inside(mask[:2]) == 0
    assert share_inside(mask) == 2 / 6
    assert share_inside(mask[..., None]) == 0
