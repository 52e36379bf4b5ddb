"""A metric that does not see right answers is found; one that fits is not."""

import keras
import numpy as np
import pytest

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
    X,
    conv,
    logits,
)
from tests.diagnosis.nets import net
from tests.diagnosis.single import assert_page, run

pytestmark = pytest.mark.every_backend
metrics = keras.metrics


def classifier(units, loss, metric, activation="softmax"):
    return net(units, activation, loss, metrics=[metric])


@pytest.mark.parametrize(
    ("units", "loss", "y", "metric", "right", "wrong"),
    [
        (3, CCE, ONE_HOT, metrics.Accuracy(), 0.0, 0.0),
        (3, CCE, ONE_HOT, "binary_accuracy", 1.0, 1 / 3),
        (3, CCE, ONE_HOT, metrics.binary_accuracy, 1.0, 1 / 3),
        (3, SCCE, IDS[:, None], "categorical_accuracy", 0.34, 0.33),
        (3, CCE, ONE_HOT, metrics.MeanIoU(2), 0.33, 0.33),
        (3, CCE, ONE_HOT, metrics.MeanIoU, None, None),
    ],
)
def test_a_metric_of_another_form(units, loss, y, metric, right, wrong):
    finding = run("KTF215", classifier(units, loss, metric), X, y)
    if right is None:
        assert finding is None  # it needs arguments: nothing is known of it
        return
    assert finding.severity == "warning"
    assert finding.evidence["of_right"] == pytest.approx(right, abs=0.01)
    assert finding.evidence["of_wrong"] == pytest.approx(wrong, abs=0.01)


def test_binary_classes_without_a_threshold():
    model = classifier(1, BCE, metrics.MeanIoU(2), "sigmoid")
    assert "`MeanIoU` is" in run("KTF215", model, X, BINARY).message
    model = classifier(1, BCE, metrics.Accuracy(), "sigmoid")
    assert run("KTF215", model, X, BINARY)
    for metric in ("binary_accuracy", metrics.BinaryIoU(), "accuracy", "mse"):
        assert run("KTF215", classifier(1, BCE, metric, "sigmoid"), X, BINARY) is None


@pytest.mark.parametrize(
    ("units", "activation", "loss", "y", "metric"),
    [
        (3, "softmax", CCE, ONE_HOT, "accuracy"),
        (3, "softmax", CCE, ONE_HOT, metrics.CategoricalAccuracy()),
        (3, "softmax", CCE, ONE_HOT, metrics.OneHotMeanIoU(3)),
        (3, "softmax", SCCE, IDS, "sparse_categorical_accuracy"),
        (3, "softmax", SCCE, IDS, metrics.MeanIoU(3, sparse_y_pred=False)),
        (3, None, logits("SparseCategoricalCrossentropy"), IDS, "acc"),
        (1, None, logits("BinaryCrossentropy"), BINARY, "binary_accuracy"),
        (3, "softmax", SCCE, IDS, metrics.SparseTopKCategoricalAccuracy(2)),
        (1, None, "mse", BINARY + 0.3 * X[:, :1], metrics.Accuracy()),
    ],
)
def test_a_metric_that_fits(units, activation, loss, y, metric):
    model = classifier(units, loss, metric, activation)
    assert run("KTF215", model, X, y) is None


def test_pixels():
    model = conv(1, "sigmoid", BCE, metrics=[metrics.MeanIoU(2)])
    assert run("KTF215", model, IMAGES, MASKS)
    model = conv(3, "softmax", SCCE, metrics=["accuracy"])
    assert run("KTF215", model, IMAGES, CLASSES) is None


def test_the_fix():
    model = classifier(3, CCE, metrics.Accuracy())
    names = {"model": model, "x": X, "y": ONE_HOT, "keras": keras, "np": np}
    exec(run("KTF215", model, X, ONE_HOT).fix, names)
    assert run("KTF215", names["model"], X, ONE_HOT) is None


def test_the_page():
    assert_page("KTF215")
