"""Arrays as small RGB images."""

import numpy as np
import pytest

from keras_trainfix.callbacks.snapshots import tiles
from keras_trainfix.callbacks.snapshots.grid import Cell
from tests.callbacks.snapshots.nets import SIZE, colors_of

pytestmark = pytest.mark.one_backend  # no framework takes part

BYTES = np.random.default_rng(1).integers(0, 256, (2, SIZE, SIZE, 3))
BYTES[0, 0, 0], BYTES[0, 0, 1] = 0, 255


@pytest.mark.parametrize(
    "images",
    [
        BYTES.astype("uint8"),
        BYTES.astype("float32"),
        BYTES / 255,
        BYTES / 127.5 - 1,
        (BYTES / 127.5 - 1).astype("float16"),
        3 * BYTES - 90.0,
    ],
    ids=["bytes", "255", "0 to 1", "-1 to 1", "half", "others"],
)
def test_the_range_of_images_is_inferred(images):
    for tile, expected in zip(tiles.image_tiles(images), BYTES, strict=True):
        assert np.abs(colors_of(Cell(tile)) - expected).max() <= 1


@pytest.mark.parametrize("value", [0, 1])
def test_images_of_one_value(value):
    images = np.full((1, SIZE, SIZE, 1), value, "float32")
    assert (tiles.image_tiles(images)[0] == 255 * value).all()


@pytest.mark.parametrize(
    ("shape", "size"), [((300, 500), (77, 128)), ((40, 10), (128, 32)), ((1, 900), 0)]
)
def test_large_and_narrow_images(shape, size):
    images = np.linspace(0, 1, 2 * np.prod(shape)).reshape(2, *shape, 1)
    tile = tiles.image_tiles(images)[0]
    assert tile.shape[:2] == (size or (1, 128))
    assert tile.dtype == np.uint8


def test_gray_images_with_and_without_a_channel_axis():
    images = np.linspace(0, 1, SIZE**2).reshape(1, SIZE, SIZE)
    without, with_axis = tiles.image_tiles(images), tiles.image_tiles(images[..., None])
    assert np.array_equal(without, with_axis)
    assert (np.ptp(without[0], axis=-1) == 0).all()


def test_given_limits_replace_those_of_the_images():
    (tile,) = tiles.image_tiles(np.full((1, SIZE, SIZE), 0.5), limits=(0.0, 2.0))
    assert (tile == 64).all()


def test_values_that_are_not_finite_do_not_set_the_range():
    images = np.array([[[0.0, 90.0, np.nan, np.inf]]])
    assert tiles.value_limits(images) == (0.0, 255.0)
    assert tiles.value_limits(np.full((1, 2, 2), np.nan)) == (0.0, 1.0)


def test_classes_differ_in_color():
    colors = tiles.class_colors(24).astype(int)
    assert len({tuple(color) for color in colors.tolist()}) == 24
    assert np.abs(np.diff(colors, axis=0)).max(1).min() > 100  # neighbors by far
    assert np.array_equal(tiles.class_colors(3), colors[:3])


def test_limits_of_several_arrays():
    assert tiles.finite_limits(np.array([1.0]), np.array([[np.nan, 5.0]])) == (1, 5)
    assert tiles.finite_limits(np.array([2.0])) == (1.5, 2.5)
    assert tiles.finite_limits(np.array([np.inf])) == (0.0, 1.0)


def test_large_images_are_averaged():
    noise = np.random.default_rng(1).integers(0, 256, (1024, 1024, 3)).astype("uint8")
    tile = tiles.scaled_to_tile(noise)
    assert tile.shape == (tiles.TILE, tiles.TILE, 3)
    assert tile.std() < noise.std() / 6  # the mean of 64 pixels: an eighth


def test_stripes_only_where_asked():
    tile = np.zeros((32, 32, 3), "uint8")
    where = np.zeros((32, 32), bool)
    where[8:24, 8:24] = True
    striped = tiles.striped(tile, where, ((1, 2, 3), (4, 5, 6)))
    assert (striped[~where] == 0).all()
    assert {tuple(c) for c in striped[where].tolist()} == {(1, 2, 3), (4, 5, 6)}
