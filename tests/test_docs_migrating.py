"""What docs/migrating.md says of the values of others, by their formulas in NumPy."""

import inspect

import keras
import numpy as np
import pytest
from keras import losses

import keras_trainfix as kt
from keras_trainfix.backend import to_numpy

CLASSES = 3
SMOOTH = 1e-5  # of segmentation_models
KERAS = tuple(map(int, keras.__version__.split(".")[:2]))


def value(tensor):
    return float(to_numpy(tensor))


@pytest.fixture(params=[True, False], ids=["all classes", "one class absent"])
def batch(request, rng):
    """One-hot labels and a softmax; of one class there may be no pixel."""
    labels = rng.integers(0, CLASSES if request.param else CLASSES - 1, (2, 6, 6))
    probabilities = rng.dirichlet(np.ones(CLASSES), labels.shape)
    return np.eye(CLASSES)[labels].astype("float32"), probabilities.astype("float32")


@pytest.fixture
def mask(rng):
    """Binary masks and a sigmoid."""
    y = rng.integers(0, 2, (2, 6, 6, 1)).astype("float32")
    return y, rng.uniform(0.05, 0.95, y.shape).astype("float32")


def of_classes(y, p):
    """True positives, false positives and false negatives of each class."""
    hits = (y * p).sum((0, 1, 2))
    return hits, p.sum((0, 1, 2)) - hits, y.sum((0, 1, 2)) - hits


# keras.losses.Dice and Tversky


def test_dice_of_keras_on_one_channel(mask):
    ours = kt.MaskedSoftDice(scope="batch")(*mask)
    assert value(losses.Dice()(*mask)) == pytest.approx(value(ours), abs=1e-5)


def test_dice_of_keras_over_batch_and_image(batch):
    is_complete = (batch[0].sum((0, 1, 2)) > 0).all()
    ours = value(kt.MaskedSoftDice(scope="batch")(*batch))
    theirs = value(losses.Dice(axis=(0, 1, 2))(*batch))
    assert (theirs == pytest.approx(ours, abs=1e-5)) == is_complete
    ours = value(kt.MaskedSoftDice()(*batch))
    theirs = value(losses.Dice(axis=(1, 2))(*batch))
    assert (theirs == pytest.approx(ours, abs=1e-5)) == is_complete


def test_dice_of_keras_without_axis_is_another_number(batch):
    y, p = batch
    ours = value(kt.MaskedSoftDice(scope="batch")(y, p))
    theirs = value(losses.Dice()(y, p))
    assert theirs == pytest.approx(1 - (y * p).sum() / y[..., 0].size, abs=1e-5)
    assert theirs != pytest.approx(ours, abs=1e-3)


def test_tversky_of_keras(mask):
    theirs = value(losses.Tversky(alpha=0.2, beta=0.7)(*mask))
    swapped = KERAS <= (3, 15)
    alpha, beta = (0.7, 0.2) if swapped else (0.2, 0.7)
    ours = kt.MaskedTversky(alpha=alpha, beta=beta, scope="batch")(*mask)
    assert theirs == pytest.approx(value(ours), abs=1e-5)


def test_crossentropy_of_keras(batch):
    labels = batch[0].argmax(-1)
    labels[:, 0] = 255
    keras_loss = losses.SparseCategoricalCrossentropy(
        ignore_class=255, from_logits=True
    )
    logits = np.log(batch[1])
    ours = value(kt.MaskedCrossentropy(from_logits=True)(labels, logits))
    assert value(keras_loss(labels, logits)) == pytest.approx(ours, abs=1e-5)


def test_smoothed_and_focal_crossentropies_of_keras(batch, mask):
    smooth = {"label_smoothing": 0.2}
    theirs = value(losses.CategoricalCrossentropy(**smooth)(*batch))
    ours = value(kt.MaskedCrossentropy(**smooth)(*batch))
    assert theirs == pytest.approx(ours, abs=1e-5)
    theirs = value(losses.BinaryCrossentropy(**smooth)(*mask))
    assert theirs == pytest.approx(
        value(kt.MaskedCrossentropy(**smooth)(*mask)), abs=1e-5
    )
    focal = kt.MaskedCrossentropy(focal_gamma=2.0)
    theirs = value(losses.BinaryFocalCrossentropy()(*mask))
    assert theirs == pytest.approx(value(focal(*mask)), abs=1e-5)
    theirs = value(losses.CategoricalFocalCrossentropy()(*batch))
    assert 4 * theirs == pytest.approx(value(focal(*batch)), abs=1e-5)


def takes(loss, argument):
    return argument in inspect.signature(loss).parameters


def test_label_smoothing_of_sparse_labels_in_keras(batch):
    labels = batch[0].argmax(-1)
    labels[:, 0] = 255
    settings = {"label_smoothing": 0.2, "from_logits": True}
    theirs = losses.SparseCategoricalCrossentropy
    assert takes(theirs, "label_smoothing") == (KERAS >= (3, 16))
    if KERAS >= (3, 16):
        logits = np.log(batch[1])
        ours = value(kt.MaskedCrossentropy(**settings)(labels, logits))
        theirs = theirs(ignore_class=255, **settings)(labels, logits)
        assert value(theirs) == pytest.approx(ours, abs=1e-5)


def test_focal_crossentropy_of_sparse_labels_in_keras(batch):
    labels = batch[0].argmax(-1)
    labels[:, 0] = 255
    theirs = getattr(losses, "SparseCategoricalFocalCrossentropy", None)
    assert (theirs is not None) == (KERAS >= (3, 16))
    if theirs is not None:
        logits = np.log(batch[1])
        settings = {"from_logits": True}
        ours = kt.MaskedCrossentropy(focal_gamma=2.0, **settings)(labels, logits)
        found = value(theirs(ignore_class=255, **settings)(labels, logits))
        assert 4 * found == pytest.approx(value(ours), abs=1e-5)


# segmentation_models: one sum over the batch, smoothed; absent classes count.


SETTINGS = {"scope": "batch", "include_absent": True, "smooth": SMOOTH}


def test_dice_loss_of_segmentation_models(batch):
    hits, false, missed = of_classes(*batch)
    score = (2 * hits + SMOOTH) / (2 * hits + false + missed + SMOOTH)
    ours = kt.MaskedSoftDice(**SETTINGS)(*batch)
    assert value(ours) == pytest.approx(1 - score.mean(), abs=1e-5)


def test_jaccard_loss_of_segmentation_models(batch):
    hits, false, missed = of_classes(*batch)
    score = (hits + SMOOTH) / (hits + false + missed + SMOOTH)
    ours = kt.MaskedTversky(alpha=1.0, beta=1.0, **SETTINGS)(*batch)
    assert value(ours) == pytest.approx(1 - score.mean(), abs=1e-5)


def test_crossentropies_of_segmentation_models(batch):
    y, p = batch
    theirs = -(y * np.log(p)).mean()  # over pixels and classes
    ours = value(kt.MaskedCrossentropy()(y, p))
    assert ours == pytest.approx(CLASSES * theirs, rel=1e-4)
    theirs = -(0.25 * y * (1 - p) ** 2 * np.log(p)).mean()
    ours = value(kt.MaskedCrossentropy(focal_gamma=2.0)(y, p))
    assert ours == pytest.approx(4 * CLASSES * theirs, rel=1e-4)


def test_binary_crossentropy_of_segmentation_models(mask):
    y, p = mask
    theirs = -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()
    assert value(kt.MaskedCrossentropy()(y, p)) == pytest.approx(theirs, rel=1e-4)


def test_class_weights_of_segmentation_models(batch):
    weights = np.array([1.0, 2.0, 5.0])
    hits, false, missed = of_classes(*batch)
    score = (2 * hits + SMOOTH) / (2 * hits + false + missed + SMOOTH)
    ours = kt.MaskedSoftDice(class_weight=weights, **SETTINGS)(*batch)
    right = (weights * (1 - score)).sum() / weights.sum()
    assert value(ours) == pytest.approx(right, abs=1e-5)
    assert 1 - (weights * score).mean() != pytest.approx(right, abs=1e-3)


def test_iou_score_of_segmentation_models_is_that_of_a_batch(rng):
    labels = rng.integers(0, 2, (2, 6, 6, 1))
    labels[1] = 0
    labels[1, 0, 0] = 1
    p = rng.uniform(size=labels.shape)

    def score(y, p):
        hits, false, missed = of_classes(y, p > 0.5)
        return (hits / (hits + false + missed)).mean()

    metric = kt.MeanIoU(2, per_class=True)
    for one in range(2):
        metric.update_state(labels[one : one + 1], p[one : one + 1])
    foreground = float(to_numpy(list(metric.result().values())[-1]))
    assert foreground == pytest.approx(score(labels, p), abs=1e-5)
    batches = [score(labels[one : one + 1], p[one : one + 1]) for one in range(2)]
    assert np.mean(batches) != pytest.approx(foreground, abs=1e-2)


# Batch normalization


def fit(layer, **settings):
    inputs = keras.Input((2, 2, 3))
    model = keras.Model(inputs, keras.layers.Flatten()(layer(inputs, **settings)))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    x = np.random.default_rng(1).normal(3, 2, (8, 2, 2, 3)).astype("float32")
    model.fit(x, np.ones((8, 12)), verbose=0)
    return [to_numpy(weight) for weight in layer.get_weights()]


def test_what_keras_2_did_with_training_false():
    gamma, beta, mean, variance = fit(kt.FrozenBatchNorm())
    assert (mean == 0).all()
    assert (variance == 1).all()
    assert (gamma != 1).any()
    assert (beta != 0).any()


@pytest.mark.filterwarnings("ignore:The model does not have any trainable")
def test_what_torchvision_does():
    layer = kt.FrozenBatchNorm(epsilon=1e-5, trainable=False)
    gamma, beta, mean, variance = fit(layer)
    assert (gamma == 1).all()
    assert (beta == 0).all()
    layer.set_weights([gamma + 1, beta + 2, mean + 3, variance * 1e-4])
    x = np.random.default_rng(1).normal(size=(2, 2, 2, 3))
    theirs = 2 * (x - 3) / np.sqrt(1e-4 + 1e-5) + 2
    np.testing.assert_allclose(to_numpy(layer(x)), theirs, rtol=1e-4)
