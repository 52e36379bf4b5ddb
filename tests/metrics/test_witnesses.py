"""Other libraries count the same, where they can."""

import importlib.util

import keras
import numpy as np
import pytest

import keras_trainfix as kt
from tests.metrics.reference import Case

BACKEND = keras.backend.backend()
needs = {
    name: pytest.mark.skipif(
        importlib.util.find_spec(name) is None, reason=f"{name} is not installed"
    )
    for name in ("monai", "sklearn", "torchmetrics")
}
seeds = pytest.mark.parametrize("seed", range(4))


@needs["sklearn"]
@seeds
@pytest.mark.parametrize("ignored", [(255,), (1,)])
def test_scikit_learn(seed, ignored):
    from sklearn import metrics

    case = Case(np.random.default_rng(seed), (2, 8, 6), 5, ignored, 0.3)
    labels, ids = case.labels[case.valid], case.ids[case.valid]
    matrix = kt.ConfusionMatrix(5, ignore_class=ignored)
    matrix.update_state(case.labels, case.scores)
    expected = metrics.confusion_matrix(labels, ids, labels=range(5))
    assert (matrix.confusion_matrix() == expected).all()
    classes = [c for c in range(5) if c not in ignored and c in (*labels, *ids)]
    for metric, function in (
        (kt.MeanIoU, metrics.jaccard_score),
        (kt.DiceScore, metrics.f1_score),
    ):
        metric = metric(5, ignore_class=ignored)
        metric.update_state(case.labels, case.scores)
        expected = function(labels, ids, labels=classes, average="macro")
        assert float(metric.result()) == pytest.approx(expected, rel=1e-6)
    accuracy = kt.PixelAccuracy(5, ignore_class=ignored)
    accuracy.update_state(case.labels, case.scores)
    expected = metrics.accuracy_score(labels, ids)
    assert float(accuracy.result()) == pytest.approx(expected, rel=1e-6)


@needs["torchmetrics"]
@pytest.mark.backend_only("torch", reason="torchmetrics needs tensors of torch")
@seeds
@pytest.mark.parametrize("ignored", [255, 0, -1])
def test_torchmetrics(seed, ignored):
    import torch
    import torchmetrics

    case = Case(np.random.default_rng(seed), (2, 8, 6), 5, (ignored,), 0.3)
    scores = torch.tensor(np.nan_to_num(case.scores)).movedim(-1, 1)
    labels = torch.tensor(case.labels)
    theirs = torchmetrics.JaccardIndex(
        task="multiclass", num_classes=5, ignore_index=ignored
    )
    ours = kt.MeanIoU(5, ignore_class=ignored)
    for _ in range(2):
        theirs.update(scores, labels)
        ours.update_state(case.labels, case.scores)
    assert float(ours.result()) == pytest.approx(float(theirs.compute()), rel=1e-6)


@needs["torchmetrics"]
@pytest.mark.backend_only("torch", reason="torchmetrics needs tensors of torch")
@seeds
def test_torchmetrics_with_several_classes_a_pixel(seed):
    import torch
    from torchmetrics import classification

    rng = np.random.default_rng(seed)
    rows, probabilities = rng.integers(0, 2, (2, 8, 6, 5)), rng.random((2, 8, 6, 5))
    void = rng.random((2, 8, 6)) < 0.3
    rows[void] = 255  # they know no other void than of all entries
    peers = {
        kt.MeanIoU: (classification.MultilabelJaccardIndex, "macro"),
        kt.DiceScore: (classification.MultilabelF1Score, "macro"),
        kt.PixelAccuracy: (classification.MultilabelAccuracy, "micro"),
    }
    theirs = [torch.tensor(a).movedim(-1, 1).flatten(2) for a in (probabilities, rows)]
    for ours, (peer, average) in peers.items():
        metric = ours(5, multi_label=True)
        metric.update_state(rows, probabilities)
        expected = peer(num_labels=5, average=average, ignore_index=255)(*theirs)
        assert float(metric.result()) == pytest.approx(float(expected), rel=1e-6)
    expected = classification.MultilabelConfusionMatrix(5, ignore_index=255)(*theirs)
    tables = kt.ConfusionMatrix(5, multi_label=True)
    tables.update_state(rows, probabilities)
    assert (tables.confusion_matrix() == expected.numpy()).all()


@needs["monai"]
@pytest.mark.backend_only("torch", reason="MONAI needs tensors of torch")
@seeds
@pytest.mark.parametrize("include_background", [True, False])
def test_monai_score_of_images(seed, include_background):
    """Where each image has a class that counts: otherwise MONAI leaves it out."""
    import torch
    from monai import metrics

    rng = np.random.default_rng(seed)
    labels, ids = rng.integers(0, 5, (2, 4, 6, 6))
    labels[1][labels[1] == 3] = 0  # the second image lacks a class
    theirs = [
        torch.nn.functional.one_hot(torch.tensor(maps), 5).movedim(-1, 1)
        for maps in (ids, labels)
    ]
    options = {"include_background": include_background}
    for ours, peer in (
        (kt.DiceScore, metrics.DiceMetric),
        (kt.MeanIoU, metrics.MeanIoU),
    ):
        metric = ours(5, scope="image", **options)
        peer = peer(**options)
        for part in (slice(3), slice(3, 4)):
            metric.update_state(labels[part], ids[part])
            peer(*(maps[part] for maps in theirs))
        expected = peer.aggregate().item()
        assert float(metric.result()) == pytest.approx(expected, rel=1e-6)


# Keras' own cast, on JAX.
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64:UserWarning")
def test_keras_mean_iou_where_it_is_right(rng):
    case = Case(rng, (2, 8, 6), 5, (255,), 0.3)
    theirs = keras.metrics.MeanIoU(5, ignore_class=255, sparse_y_pred=False)
    ours = kt.MeanIoU(5)
    theirs.update_state(case.labels.astype("int32"), np.nan_to_num(case.scores))
    ours.update_state(case.labels, case.scores)
    assert float(ours.result()) == pytest.approx(float(theirs.result()), rel=1e-6)
