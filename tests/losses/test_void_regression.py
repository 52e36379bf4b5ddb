"""The losses of a real DeepLab v3+ that learned nothing in weeks, and a masked loss.

Its labels were one binary mask per class, with 255 in all of them at void pixels. Two
of its losses are here. Cross-entropy reads 255 as a probability, and void pixels
outweigh all others. Dice of the elements that are not 255 drops the void, but with it
the images and the classes: it gathers one long vector, whose Dice is the mean
probability of the right class, which a rare class hardly changes. (The original then
sums over rows and columns, which a vector does not have. Only the sum over the whole
vector can run.)

Each loss trains the same network from the same seed on the same images and labels.
"""

import keras
import numpy as np
import pytest
from keras import layers, ops

from examples import real_data
from keras_trainfix import MaskedCrossentropy, MaskedSoftDice, WeightedSum
from keras_trainfix.backend import to_numpy

VOID = 255
SEED = 1
# name: (number of classes, epochs, mean IoU that the losses of the case stay below)
DATA = {"blobs": (3, 10, 0.7), "tissues": (4, 15, 0.45)}


def dice_of_valid_elements(y_true, y_pred):
    """Dice with zeros at void elements: the same sums as those of the gathered rest.

    JAX cannot compile a result whose shape depends on values.
    """
    is_valid = ops.not_equal(y_true, VOID)
    y_true, y_pred = (ops.where(is_valid, part, 0.0) for part in (y_true, y_pred))
    return keras.losses.dice(y_true, y_pred)


LOSSES_OF_THE_CASE = {
    "dice": dice_of_valid_elements,
    "crossentropy": keras.losses.categorical_crossentropy,
}


def masked_loss():
    return WeightedSum([MaskedSoftDice(), MaskedCrossentropy()])


def blobs():
    """Noisy discs with a small spot, and void along the borders of both."""
    rng = np.random.default_rng(1)
    rows, columns = np.mgrid[:32, :32]

    def disc(center, radius):
        return (rows - center[0]) ** 2 + (columns - center[1]) ** 2 < radius**2

    def sample():
        center, shift = rng.uniform(13, 19, 2), rng.uniform(-3, 3, 2)
        body = disc(center, rng.uniform(8, 11))
        spot = disc(center + shift, rng.uniform(2.5, 4))
        image = np.select([spot, body], [0.6, 0.2], -1.0)
        labels = np.select([spot, body], [2, 1], 0)
        steps = np.abs(np.gradient(labels.astype(float))).sum(0)
        noise = rng.normal(0, 0.1, labels.shape)
        return image + noise, np.where(steps > 0, VOID, labels)

    samples = [sample() for _ in range(48)]
    images = np.array([image for image, _ in samples], "float32")[..., None]
    labels = np.array([label for _, label in samples])
    return (images[:32], labels[:32]), (images[32:], labels[32:])


def tissues():
    try:
        return real_data.tissue_slices()
    except ConnectionError as error:
        pytest.skip(str(error))


def masks(labels, num_classes):
    """A binary mask for each class, 255 in all of them under void."""
    rows = (labels[..., None] == np.arange(num_classes)).astype("float32")
    rows[labels == VOID] = VOID
    return rows


def network(size, num_classes):
    def conv(x):
        return layers.Conv2D(16, 3, padding="same", activation="relu")(x)

    inputs = keras.Input((size, size, 1))
    fine = conv(inputs)
    coarse = conv(conv(layers.MaxPooling2D(2)(fine)))
    both = layers.Concatenate()([fine, layers.UpSampling2D(2)(coarse)])
    outputs = layers.Conv2D(num_classes, 1, activation="softmax")(conv(both))
    return keras.Model(inputs, outputs)


def train(loss, data, num_classes, epochs):
    """Trains a network; returns the IoU of each class over valid test pixels."""
    (x, labels), (x_test, labels_test) = data
    keras.utils.set_random_seed(SEED)
    model = network(x.shape[1], num_classes)
    model.compile(keras.optimizers.Adam(1e-2), loss)
    y = masks(labels, num_classes)
    model.fit(x, y, batch_size=4, epochs=epochs, verbose=0)
    predicted = to_numpy(model(x_test, training=False)).argmax(-1)
    valid = labels_test != VOID
    hits = predicted[valid] == np.arange(num_classes)[:, None]
    truth = labels_test[valid] == np.arange(num_classes)[:, None]
    return (hits & truth).sum(1) / (hits | truth).sum(1)


@pytest.fixture(
    scope="module",
    params=[
        "blobs",
        pytest.param("tissues", marks=[pytest.mark.network, pytest.mark.slow]),
    ],
)
def case(request):
    """The data, the number of classes, the epochs, and a bound (see `DATA`)."""
    return {"blobs": blobs, "tissues": tissues}[request.param](), *DATA[request.param]


@pytest.mark.one_backend
@pytest.mark.parametrize("name", LOSSES_OF_THE_CASE)
def test_losses_of_the_case_leave_classes_out(case, name):
    data, num_classes, epochs, bound = case
    ious = train(LOSSES_OF_THE_CASE[name], data, num_classes, epochs)
    assert ious.min() < 0.05
    assert ious.mean() < bound


def test_a_masked_loss_learns_all_classes(case):
    data, num_classes, epochs, _ = case
    ious = train(masked_loss(), data, num_classes, epochs)
    assert ious.min() > 0.5
    assert ious.mean() > 0.8


@pytest.fixture
def blob_masks():
    _, (_, labels) = blobs()
    return masks(labels, 3)


def test_gathering_valid_elements_makes_dice_blind_to_a_rare_class(blob_masks):
    without_spot = np.where(blob_masks == VOID, 1 / 3, blob_masks)
    without_spot[..., 1] += without_spot[..., 2]
    without_spot[..., 2] = 0
    is_valid = blob_masks != VOID
    gathered = keras.losses.dice(blob_masks[is_valid], without_spot[is_valid])
    blind = float(dice_of_valid_elements(blob_masks, without_spot))
    assert blind == pytest.approx(float(gathered), abs=1e-6)
    right = (blob_masks * without_spot).sum(-1)[is_valid[..., 0]].mean()
    assert blind == pytest.approx(1 - right, abs=1e-6)
    assert blind < 0.03
    assert float(MaskedSoftDice()(blob_masks, without_spot)) > 0.3


def test_sparse_labels_make_dice_the_same_for_all_predictions(blob_masks, rng):
    sparse = blob_masks.argmax(-1)[..., None]
    sparse[blob_masks[..., 0] == VOID] = VOID
    some, other = rng.dirichlet([1, 1, 1], (2, *sparse.shape[:-1])).astype("float32")
    keras_dice, masked_dice = keras.losses.Dice(), MaskedSoftDice()
    constant = float(keras_dice(sparse, some))
    assert constant < -0.9  # useless: a Dice loss is between 0 and 1
    assert float(keras_dice(sparse, other)) == pytest.approx(constant, abs=1e-5)
    perfect = np.where(blob_masks == VOID, 0, blob_masks)
    assert float(masked_dice(sparse, perfect)) == pytest.approx(0, abs=1e-6)
    assert float(masked_dice(sparse, some)) > 0.3


@pytest.mark.network
def test_the_tissues_have_a_real_void_class():
    (x, labels), (x_test, labels_test) = tissues()
    assert x.shape == (26, 64, 64, 1)
    assert x_test.shape == (10, 64, 64, 1)
    assert x.min() == x_test.min() == -1
    assert 0.9 < x.max() <= 1
    image, volume = real_data.tissue_volume()
    values, counts = np.unique(volume, return_counts=True)
    percent = np.round(100 * counts / volume.size, 2)
    assert dict(zip(values.tolist(), percent.tolist(), strict=True)) == {
        0: 78.25,
        1: 10.74,
        2: 6.33,
        3: 1.31,
        VOID: 3.36,
    }
    assert (volume[image > 0] == VOID).mean() == pytest.approx(0.154, abs=5e-4)
    assert not volume[image == 0].any()
    for part in (labels, labels_test):
        assert part.dtype == "uint8"
        assert np.unique(part).tolist() == values.tolist()
