"""What is gathered for the pictures of a report."""

import keras
import numpy as np
import pytest

from keras_trainfix.diagnosis.findings import RateCurve
from keras_trainfix.diagnosis.report.figures import (
    confusion,
    figures_of,
    mask_examples,
    rate_curve,
)
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.trial.attempt import attempt
from tests.diagnosis.nets import inputs, net, view

X = inputs()


def test_a_confusion_counts_labels_by_predictions():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Softmax()])
    model.compile("adam", "sparse_categorical_crossentropy")
    x = 9 * np.eye(3, dtype="float32")[[0, 0, 1, 2]]
    seen = confusion(view(model, x, np.array([0, 1, 1, 0])))
    assert seen.counts.tolist() == [[1, 0, 1], [1, 1, 0], [0, 0, 0]]


def test_no_confusion_of_numbers_or_of_many_classes():
    assert confusion(view(net(1, None, "mse"), X, X[:, :1])) is None
    many = net(50, "softmax", "sparse_categorical_crossentropy")
    assert confusion(view(many, X, np.arange(64) % 50)) is None


def segmented(units, activation, loss, y, channels=1):
    x = np.random.default_rng(0).random((8, 200, 6, channels)).astype("float32")
    head = keras.layers.Conv2D(units, 1, activation=activation)
    model = keras.Sequential([keras.Input(x.shape[1:]), head])
    model.compile("adam", loss)
    return mask_examples(view(model, x, y(x)))


def test_masks_of_one_unit_are_probabilities():
    seen = segmented(1, "sigmoid", "binary_crossentropy", lambda x: x > 0.5)
    assert seen.images.shape == (4, 67, 2, 3)  # every third pixel
    assert seen.images.dtype == "uint8"
    assert seen.labels.shape == seen.predictions.shape == (4, 67, 2)
    assert seen.predictions.dtype.kind == "f"
    assert len(seen.scores) == 4


@pytest.mark.parametrize("is_one_hot", [True, False])
def test_masks_of_classes(is_one_hot):
    def labels(x):
        ids = (x[..., 0] > 0.5).astype(int) + (x[..., 0] > 0.8)
        ids[0, 0] = 255 if not is_one_hot else 0
        return np.eye(3)[ids] if is_one_hot else ids

    loss = "categorical_crossentropy" if is_one_hot else None
    loss = loss or keras.losses.SparseCategoricalCrossentropy(ignore_class=255)
    seen = segmented(3, "softmax", loss, labels, channels=3)
    assert set(np.unique(seen.labels)) == {*([] if is_one_hot else [-1]), 0, 1, 2}
    assert seen.predictions.dtype.kind == "i"
    assert all(0 <= score <= 1 for score in seen.scores)


def test_no_masks_of_a_table():
    assert mask_examples(view(net(1, None, "mse"), X, X[:, :1])) is None


def test_the_rates_of_a_trial():
    snapshot = Snapshot(net(1, None, "mse"), X, X[:, :1])
    assert rate_curve(snapshot) is None
    assert attempt(snapshot) is None
    curve = rate_curve(snapshot)
    assert isinstance(curve, RateCurve)
    assert list(curve.rates) == sorted(curve.rates)
    assert any(rate == pytest.approx(curve.compiled) for rate in curve.rates)
    assert figures_of(snapshot).rates == curve


def test_what_raises_is_left_out():
    broken = Snapshot(net(1, None, "mse"), X, X[:, :1])
    broken.views()[0].snapshot.sample = None
    figures_of(broken)
