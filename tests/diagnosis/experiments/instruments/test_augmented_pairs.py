"""Images of one target are compared, in two epochs and behind layers."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix.diagnosis.experiments.instruments.augmented_pairs import (
    augmented_pairs,
    is_image,
    pairs_of,
)
from keras_trainfix.diagnosis.observe.sample import Sample
from tests.diagnosis.nets import inputs, net, view

X = np.random.default_rng(0).random((40, 12, 12, 1)).astype("float32")
MASKS = (X > 0.5).astype("float32")
MIRRORED = X[:, :, ::-1]


def twice(second, targets=MASKS):
    return pairs_of(
        Sample(np.concatenate([X, second]), np.concatenate([targets, targets]))
    )


def test_mirrored_images_of_the_same_masks():
    seen = twice(MIRRORED)
    assert (seen.pairs, seen.moved, seen.kind) == (40, 40, "masks")
    assert (seen.how, seen.share) == ("mirrored left to right", 1)


def test_the_same_images():
    seen = twice(X)
    assert (seen.pairs, seen.moved, seen.kind) == (40, 0, "")


def test_masks_that_are_symmetric_do_not_count():
    stripes = np.zeros_like(MASKS)
    stripes[np.arange(40), np.arange(40) % 12] = 1
    stripes[:, 0, 0] = stripes[:, 0, -1] = np.arange(40)[:, None]  # tells them apart
    assert twice(MIRRORED, stripes).moved == 0
    assert twice(MIRRORED).moved == 40


def test_targets_that_coincide_by_chance():
    few = np.arange(40.0)[:, None] // 4
    assert pairs_of(Sample(X, few)) is None
    assert pairs_of(Sample(X, np.zeros((40, 1)))) is None
    assert pairs_of(Sample(X, MASKS)) is None
    assert twice(MIRRORED) is not None


def test_channels_first():
    first = np.moveaxis(np.concatenate([X, MIRRORED]), -1, 1)
    seen = pairs_of(Sample({"image": first}, {"mask": np.tile(MASKS, (2, 1, 1, 1))}))
    assert seen.moved == 40


def test_what_is_an_image():
    assert is_image(X)
    assert is_image(np.moveaxis(X, -1, 1))
    assert not is_image(X[:, :4])
    assert not is_image(X[..., 0])
    assert not is_image(X.astype(object))


def segmenter(*first):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((12, 12, 1)), *first, layers.Conv2D(1, 3, padding="same")]
    )
    model.compile("sgd", "mse")
    return model


@pytest.mark.every_backend
@pytest.mark.parametrize("name", ["RandomFlip", "RandomRotation", "RandomTranslation"])
def test_a_layer_that_moves_images(name):
    size = {"RandomFlip": (), "RandomRotation": (0.3,), "RandomTranslation": (0.2, 0.2)}
    layer = getattr(layers, name)(*size[name], name="augment")
    seen = augmented_pairs(view(segmenter(layer), X, MASKS).snapshot)
    assert (seen.layer, seen.kind) == ("augment", "masks")
    assert seen.moved > 10
    assert augmented_pairs(view(segmenter(), X, MASKS).snapshot) is None


def test_a_layer_that_changes_brightness():
    layer = layers.RandomContrast(0.5)
    assert augmented_pairs(view(segmenter(layer), X, MASKS).snapshot) is None
    assert augmented_pairs(view(segmenter(layers.RandomFlip()), X, MASKS).snapshot)


def test_without_images_or_targets():
    model = net(1, loss="mse")
    assert augmented_pairs(view(model, inputs(), inputs()[:, :1]).snapshot) is None
    model = segmenter(layers.RandomFlip())
    assert augmented_pairs(view(model, X).snapshot) is None
    assert augmented_pairs(view(model, X, MASKS).snapshot) is not None
