"""Surface distances are those of a loop over pixels, and of MONAI."""

import importlib.util
import math
import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from keras_trainfix import surface_distances
from keras_trainfix.metrics.surfaces import MEASURES
from tests.metrics.helpers import message

pytestmark = pytest.mark.one_backend  # they are NumPy
pytest.importorskip("scipy")
CLASSES = 3


def blobs(rng, shape):
    """A map of classes: balls at random places, over a background."""
    ids = np.zeros(shape, int)
    grid = np.indices(shape[1:])
    for image in ids:
        for index in range(1, CLASSES):
            center = [rng.uniform(0, size) for size in image.shape]
            away = sum((g - c) ** 2 for g, c in zip(grid, center, strict=True))
            image[away <= rng.uniform(0.5, 3.5) ** 2] = index
    return ids


@st.composite
def cases(draw):
    """Labels, predicted ids, and the spacing."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.sampled_from([(2, 9, 8), (1, 5, 6, 7)]))
    spacing = draw(st.sampled_from([None, tuple(rng.uniform(0.4, 2, len(shape) - 1))]))
    return blobs(rng, shape), blobs(rng, shape), spacing, rng


def surface(mask, valid):
    """The places of the pixels of a mask that touch a known one outside of it."""
    places = []
    for place in np.argwhere(mask & valid):
        for axis in range(mask.ndim):
            for step in (-1, 1):
                other = place.copy()
                other[axis] += step
                inside = 0 <= other[axis] < mask.shape[axis]
                other = tuple(other)
                if not inside or (valid[other] and not mask[other]):
                    places.append(tuple(place))
    return np.array(sorted(set(places)))


def expected(labels, ids, valid, spacing, percentile, tolerance):
    """The three measures of one image and class, in float64, by brute force."""
    scale = np.ones(labels.ndim) if spacing is None else np.array(spacing)
    one, other = surface(labels, valid), surface(ids, valid)
    if not len(one) or not len(other):
        if (labels & valid).any() == (ids & valid).any():
            return [math.nan] * 3  # in neither, or an outline is nowhere known
        diagonal = math.sqrt((((np.array(labels.shape) - 1) * scale) ** 2).sum())
        return [diagonal, diagonal, 0.0]
    pairs = np.sqrt((((one[:, None] - other[None]) * scale) ** 2).sum(-1))
    ways = pairs.min(axis=1), pairs.min(axis=0)
    both = np.concatenate(ways)
    return [
        max(np.percentile(way, percentile) for way in ways),
        both.mean(),
        (both <= tolerance).mean(),
    ]


@given(drawn=cases(), share=st.sampled_from([0.0, 0.2, 1.0]))
def test_values_are_those_of_a_loop_over_pixels(drawn, share):
    labels, ids, spacing, rng = drawn
    labels[rng.random(labels.shape) < share] = 255
    options = {"percentile": 80, "tolerance": 1.2, "spacing": spacing}
    table = surface_distances(labels, ids, CLASSES, include_background=True, **options)
    for n in range(len(labels)):
        for index in range(CLASSES):
            masks = labels[n] == index, ids[n] == index
            values = expected(*masks, labels[n] != 255, spacing, 80, 1.2)
            found = [table.by_image[name][n, index] for name in MEASURES]
            np.testing.assert_allclose(found, values, rtol=1e-12)
    for name in MEASURES:
        values = table.by_image[name]
        known = ~np.isnan(values)
        assert (table.images == known.sum(axis=0)).all()
        for index in range(CLASSES):
            mean = (
                values[known[:, index], index].mean()
                if known[:, index].any()
                else np.nan
            )
            np.testing.assert_allclose(getattr(table, name)[index], mean, rtol=1e-12)


# MONAI's own use of an argument of its own.
@pytest.mark.filterwarnings("ignore:.*always_return_as_numpy:FutureWarning")
@pytest.mark.skipif(importlib.util.find_spec("monai") is None, reason="needs monai")
@given(drawn=cases(), percentile=st.sampled_from([50, 95, 100]))
def test_monai_gives_the_same(drawn, percentile):
    torch = pytest.importorskip("torch")
    from monai import metrics

    labels, ids, spacing, _ = drawn
    number = range(1, CLASSES)
    assume(
        all(
            (maps == c).any((*range(1, maps.ndim),)).all()
            for maps in (labels, ids)
            for c in number
        )
    )
    masks = [
        torch.nn.functional.one_hot(torch.tensor(maps), CLASSES).movedim(-1, 1)
        for maps in (ids, labels)
    ]
    options = {"percentile": percentile, "tolerance": 1.5, "spacing": spacing}
    table = surface_distances(labels, ids, CLASSES, **options)
    theirs = (
        metrics.compute_hausdorff_distance(
            *masks, percentile=percentile, spacing=spacing
        ),
        metrics.compute_average_surface_distance(
            *masks, symmetric=True, spacing=spacing
        ),
        metrics.compute_surface_dice(*masks, [1.5] * (CLASSES - 1), spacing=spacing),
    )
    for name, values in zip(MEASURES, theirs, strict=True):
        np.testing.assert_allclose(table.by_image[name][:, 1:], values, rtol=1e-5)


# --- empty masks and void ---


def square(first=2, last=6, size=8):
    mask = np.zeros((1, size, size), int)
    mask[0, first:last, first:last] = 1
    return mask


EMPTY = np.zeros((1, 8, 8), int)


def test_what_is_neither_labeled_nor_predicted_is_nan():
    table = surface_distances(EMPTY, EMPTY, 2)
    assert np.isnan(table.hausdorff).all()
    assert table.images.tolist() == [0, 0]


@pytest.mark.parametrize(("labels", "ids"), [(square(), EMPTY), (EMPTY, square())])
def test_what_is_missed_or_extra_is_as_far_as_the_image_is_large(labels, ids):
    table = surface_distances(labels, ids, 2, spacing=(1, 2))
    diagonal = math.hypot(7, 14)
    values = [getattr(table, name)[1] for name in MEASURES]
    np.testing.assert_allclose(values, [diagonal, diagonal, 0], rtol=1e-12)


def test_an_outline_that_is_nowhere_known_has_no_distance():
    labels = np.full((1, 8, 8), 255)
    labels[0, 2:6, 2:6] = 1
    for ids in (np.ones((1, 8, 8), int), square(3, 5)):
        table = surface_distances(labels, ids, 2)
        assert np.isnan(table.hausdorff[1])
        assert table.images[1] == 0


def test_one_pixel():
    labels, ids = square(2, 3), square(5, 6)
    table = surface_distances(labels, ids, 2, tolerance=math.hypot(3, 3))
    values = [getattr(table, name)[1] for name in MEASURES]
    np.testing.assert_allclose(values, [math.hypot(3, 3)] * 2 + [1], rtol=1e-12)


def test_equal_masks_are_at_0_whatever_is_under_void():
    labels, ids = square(), square()
    labels[0, 4:], ids[0, 4:] = 255, 0
    table = surface_distances(labels, ids, 2, percentile=100, tolerance=0)
    assert [getattr(table, name)[1] for name in MEASURES] == [0, 0, 1]


def test_only_void_is_nan():
    table = surface_distances(np.full((1, 8, 8), 255), square(), 2)
    assert np.isnan(table.average_distance).all()


def test_one_sigmoid_unit_and_one_hot_rows_are_the_same():
    labels, ids = square(), square(3, 7)
    first = surface_distances(labels, ids, 2)
    probabilities = np.where(ids, 0.9, 0.1).astype("float32")
    rows = np.eye(2, dtype="uint8")
    for y, p, options in (
        (labels, probabilities, {}),
        (rows[labels], rows[ids], {}),
        (labels[..., None], probabilities[..., None], {"multi_label": True}),
    ):
        number = 1 if options else 2
        table = surface_distances(y, p, number, include_background=True, **options)
        for name in MEASURES:
            assert getattr(table, name)[-1] == getattr(first, name)[1]


# --- the table and errors ---


def test_the_table_shows_the_numbers_of_each_class_found():
    table = surface_distances(
        square(), square(3, 7), 3, class_names=["sky", "liver", "tumor"], tolerance=0.5
    )
    assert str(table) == (
        "| class | Hausdorff 95 % | average distance | surface Dice at 0.5 | images |\n"
        "| :---- | -------------: | ---------------: | ------------------: | -----: |\n"
        "| liver |          1.186 |            0.868 |               0.167 |      1 |\n"
        "| mean  |          1.186 |            0.868 |               0.167 |        |"
    )


@pytest.mark.parametrize(
    ("options", "received"),
    [
        ({"tolerance": -1}, "`tolerance` must be a distance, 0 or more.* tolerance=-1"),
        ({"tolerance": math.nan}, "tolerance=nan"),
        ({"tolerance": math.inf}, "tolerance=inf"),
        ({"tolerance": None}, "tolerance=None"),
        ({"percentile": 0}, "`percentile` must be a number above 0.*percentile=0"),
        ({"percentile": 101}, "percentile=101"),
        ({"percentile": True}, "percentile=True"),
        (
            {"spacing": (1, 2, 3)},
            "`spacing` must have 2 numbers.*images of shape .8, 8",
        ),
        ({"spacing": (1, 0)}, "`spacing` must be positive numbers.*spacing=.1, 0"),
        ({"spacing": -1}, "spacing=-1"),
        ({"spacing": ()}, "spacing=()"),
        ({"spacing": "mm"}, "spacing='mm'"),
        ({"class_names": ["a"]}, "2 different names"),
        ({"num_classes": 1}, "`num_classes` must be an integer, 2 or more"),
    ],
)
def test_arguments_out_of_range(options, received):
    options = {"num_classes": 2, **options}
    text = message(lambda: surface_distances(square(), square(), **options))
    assert re.search(received, text)


@pytest.mark.parametrize("shape", [(4, 8), (1, 2, 3, 4, 5)])
def test_images_have_two_or_three_axes(shape):
    maps = np.zeros(shape, int)
    text = message(lambda: surface_distances(maps, maps, 2))
    assert f"pixels of shape {shape}" in text
    assert "y_pred[None]" in text
