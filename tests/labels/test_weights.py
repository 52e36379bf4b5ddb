"""Weights of pixels broadcast from the left; weights of classes are one vector."""

import json

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_trainfix.labels.weights import (
    class_weight_vector,
    pixel_weights,
    standard_class_weight,
)
from tests.labels.reference import FLOATS, array, compiled, tensor


@st.composite
def weights_and_pixels(draw):
    rank = draw(st.integers(1, 4))
    pixels = draw(st.tuples(*[st.integers(1, 4)] * rank))
    own = draw(st.integers(0, rank))
    shape = tuple(draw(st.sampled_from([size, 1])) for size in pixels[:own])
    trailing = own == rank and draw(st.booleans())
    return (*shape, 1) if trailing else shape, pixels


@given(weights_and_pixels(), st.sampled_from([*FLOATS[1:], "int32", "bool"]))
def test_sample_weights_broadcast_from_the_left(shapes, dtype):
    shape, pixels = shapes
    rng = np.random.default_rng(len(shape))
    weights = (rng.random(shape) * 3).astype(dtype)
    valid = rng.random(pixels) < 0.7
    expected = np.zeros(pixels)
    for at in np.ndindex(*pixels):
        own = [0 if size == 1 else i for i, size in zip(at, shape, strict=False)]
        own += [0] * (len(shape) - len(own))
        if valid[at]:
            expected[at] = weights[tuple(own)]
    for run in (pixel_weights, compiled(pixel_weights)):
        found = run(tensor(weights), tensor(valid))
        assert keras.backend.standardize_dtype(found.dtype) in FLOATS[2:]
        np.testing.assert_allclose(array(found), expected, rtol=1e-6)


def test_weights_of_samples_are_never_weights_of_columns():
    found = array(pixel_weights([1, 2, 3], np.ones((3, 3, 3), bool)))
    assert found[:, 0, 0].tolist() == [1, 2, 3]
    assert (found == found[:, :1, :1]).all()


def test_no_sample_weight_weighs_what_is_valid():
    assert array(pixel_weights(None, tensor([True, False]))).tolist() == [1, 0]


def test_weights_under_void_do_not_count():
    found = pixel_weights([np.nan, 2.0], tensor([False, True]))
    assert array(found).tolist() == [0, 2]


@pytest.mark.parametrize(
    "shape", [(4,), (5, 5), (2, 5, 4), (3, 4, 5, 2), (3, 4, 5, 1, 1), (1, 5, 1)]
)
def test_sample_weights_that_do_not_fit(shape):
    expected = f"sample_weight.shape={shape}, labels of shape (3, 4, 5). To weigh other"
    for run in (pixel_weights, compiled(pixel_weights)):
        with pytest.raises(ValueError, match="`sample_weight` must have the fi") as e:
            run(tensor(np.ones(shape)), tensor(np.ones((3, 4, 5), bool)))
        assert expected in str(e.value)
        assert "`sample_weight[None, :, None]`" in str(e.value)


@pytest.mark.parametrize(
    "class_weight",
    [
        [1, 2.5, 0],
        (1, 2.5, 0),
        np.array([1, 2.5, 0]),
        {1: 2.5, 2: 0},
        {0: 1, np.int64(1): 2.5, 2.0: 0},
    ],
)
def test_class_weights(class_weight):
    vector = class_weight_vector(class_weight, 3)
    assert vector.dtype == "float32"
    assert vector.tolist() == [1, 2.5, 0]


def test_class_weights_may_be_a_tensor():
    assert class_weight_vector(tensor([1.0, 2.0]), 2).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("class_weight", "expected"),
    [
        (
            [1, 2],
            "one weight for each of the 3 classes. Received: class_weight=[1, 2] ",
        ),
        ([1, 2], "of shape (2,). A dict may leave classes out."),
        (2.0, "of shape ()"),
        ([[1, 2, 3]], "of shape (1, 3)"),
        ([1, -2, 3], "finite and not negative. Received: class_weight=[1, -2, 3]. A w"),
        ({1: np.nan}, "finite and not negative. Received: class_weight={1: nan}."),
        (
            {3: 1, "dog": 2, -1: 1},
            "must have classes 0 to 2 as its keys. Received: class_weight={3: 1, 'dog':"
            " 2, -1: 1}, with unknown classes [3, 'dog', -1]. Remove them, or give the",
        ),
    ],
)
def test_invalid_class_weights(class_weight, expected):
    with pytest.raises(ValueError, match="`class_weight` must") as error:
        class_weight_vector(class_weight, 3)
    assert expected in str(error.value)


@pytest.mark.parametrize(
    ("class_weight", "expected"),
    [
        (None, None),
        ((1, 2), [1.0, 2.0]),
        (np.array([1, 2]), [1.0, 2.0]),
        ({1: 2, np.int64(3): 0, 2.0: 1}, {1: 2.0, 3: 0.0, 2: 1.0}),
        ({"1": 2.0}, {1: 2.0}),  # read from JSON
    ],
)
def test_class_weights_for_json(class_weight, expected):
    found = standard_class_weight(class_weight)
    assert found == expected
    assert json.loads(json.dumps(found)) == json.loads(json.dumps(expected))


def test_class_weights_of_a_tensor_for_json():
    assert standard_class_weight(tensor([1.0, 2.0])) == [1.0, 2.0]


@pytest.mark.parametrize("class_weight", [{"dog": 1.0}, {1.5: 1.0}, 2.0, [[1.0]]])
def test_class_weights_that_no_number_of_classes_fits(class_weight):
    found = standard_class_weight(class_weight)
    with pytest.raises(ValueError, match="`class_weight` must have"):
        class_weight_vector(found, 3)


@pytest.mark.parametrize("class_weight", [[1, -2], {1: np.nan}, {0: np.inf}])
def test_class_weights_are_checked_before_training(class_weight):
    with pytest.raises(ValueError, match="finite and not negative") as error:
        standard_class_weight(class_weight)
    assert f"Received: class_weight={class_weight}." in str(error.value)
