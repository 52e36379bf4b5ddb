"""The classes, their functions and their saved text are the same loss."""

import inspect
import json

import keras
import numpy as np
import pytest
from keras import ops

import keras_trainfix as kt
from keras_trainfix.backend import to_numpy
from tests.losses.cases import (
    FUNCTIONS,
    LOSSES,
    OF_DISTANCES,
    OF_SHAPES,
    every_function,
    every_loss,
    make,
    message,
    random_batch,
    softmax,
    uniform,
    value_of,
)
from tests.losses.reference import BACKEND, array, tensor

pairs = pytest.mark.parametrize(
    ("kind", "function"), list(zip([*LOSSES, *OF_SHAPES], FUNCTIONS, strict=True))
)


# --- functions ---


@pairs
def test_a_function_has_the_settings_of_its_class(kind, function):
    of_class = dict(inspect.signature(kind).parameters)
    of_function = dict(inspect.signature(function).parameters)
    assert list(of_function)[:2] == ["y_true", "y_pred"]
    for name in ("y_true", "y_pred", "sample_weight"):
        del of_function[name]
    for name in ("name", "dtype"):
        del of_class[name]
    assert list(of_function.items()) == list(of_class.items())


@pairs
def test_class_function_and_saved_text_are_the_same_loss(rng, kind, function):
    labels, y_pred = random_batch(rng)
    y_pred = softmax(y_pred)
    expected = value_of(labels, y_pred, kind())
    text = json.dumps(keras.losses.serialize(kind()))
    others = [
        function,
        keras.losses.deserialize(json.loads(text)),
        keras.losses.get(json.loads(text)),
        keras.saving.get_registered_object(f"keras_trainfix>{function.__name__}"),
    ]
    for loss in others:
        np.testing.assert_allclose(value_of(labels, y_pred, loss), expected, rtol=1e-6)


@every_function
def test_the_result_of_a_function_is_float32_under_any_policy(rng, function):
    labels, y_pred = random_batch(rng)
    keras.config.set_dtype_policy("mixed_float16")
    value = function(labels, tensor(y_pred, "float16"), from_logits=True)
    assert keras.backend.standardize_dtype(value.dtype) == "float32"


@every_function
def test_arguments_that_a_function_does_not_have(function):
    labels, y_pred = np.zeros((1, 4), "int32"), uniform(1, 4, 3)
    with pytest.raises(TypeError, match="name"):
        function(labels, y_pred, name="loss")
    with pytest.raises(TypeError, match="y_pred"):
        function(labels)


# --- reduction and dtype ---


@pairs
def test_reductions(rng, kind, function):
    labels, y_pred = rng.integers(0, 3, (8, 6, 5)), rng.normal(size=(8, 6, 5, 3))
    labels[rng.random(labels.shape) < 0.2] = 255
    y_pred = softmax(y_pred)
    weights = np.arange(1, 9, dtype="float32")
    results = {
        reduction: to_numpy(kind(reduction=reduction)(labels, y_pred, weights))
        for reduction in ("none", "sum", "sum_over_batch_size", None)
    }
    mean = results["sum_over_batch_size"]
    weighted = results["none"]
    is_pixelwise = kind in (kt.MaskedCrossentropy, *OF_DISTANCES)
    assert weighted.shape == (labels.shape if is_pixelwise else (8,))
    np.testing.assert_array_equal(results[None], weighted)
    np.testing.assert_allclose(results["sum"], weighted.sum(), rtol=1e-5)
    counts = (labels != 255) * weights[:, None, None] if is_pixelwise else weights
    np.testing.assert_allclose(mean, weighted.sum() / counts.sum(), rtol=1e-5)
    for reduction in ("mean", "mean_with_sample_weight"):  # unknown to older classes
        value = function(labels, y_pred, sample_weight=weights, reduction=reduction)
        assert float(value) == mean
    plain = to_numpy(kind().call(labels, y_pred))
    expanded = weights.reshape(-1, *(1,) * (weighted.ndim - 1))
    np.testing.assert_allclose(plain * expanded, weighted, rtol=1e-5)
    if is_pixelwise:
        assert not plain[labels == 255].any()


@every_function
def test_an_unknown_reduction(function):
    labels, predictions = np.zeros((2, 4), "int32"), uniform(2, 4, 3)
    text = message(lambda: function(labels, predictions, reduction="median"))
    assert "`reduction` must be one of" in text
    assert "Received: reduction='median'." in text


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64"])
@every_loss
def test_the_dtype_is_that_of_the_result_and_never_of_the_labels(kind, dtype):
    if dtype == "float64" and BACKEND == "jax":
        pytest.skip("JAX has no float64 unless it is enabled for the whole process")
    y_pred = np.zeros((1, 4, 1000), "float32")
    y_pred[..., 999] = 1
    labels = np.full((1, 4), 999, "int32")
    loss = kind(dtype=dtype)(labels, y_pred)
    assert keras.backend.standardize_dtype(loss.dtype) == dtype
    assert float(loss) == 0
    assert float(kind(dtype=dtype)(labels - 1, y_pred)) > 0.5


# --- labels, ids and class weights that do not fit ---


@pytest.mark.backend_only("tensorflow", "jax", reason="torch runs eager code, as here")
@pytest.mark.parametrize(
    "kind", [*LOSSES, lambda: kt.WeightedSum([kt.MaskedSoftDice()])]
)
def test_in_compiled_code_an_invalid_label_makes_the_value_nan(kind):
    loss = make(kind)

    def compute(labels, predictions):
        return loss(labels, predictions)

    if BACKEND == "jax":
        import jax

        compute = jax.jit(compute)
    else:
        import tensorflow as tf

        compute = tf.function(compute)
    predictions = tensor(uniform(1, 4, 3))
    right, wrong = (
        float(compute(ops.convert_to_tensor([[0, 2, last, 255]], "int32"), predictions))
        for last in (1, 7)
    )
    assert np.isfinite(right)
    assert np.isnan(wrong)


@every_loss
def test_an_ignored_id_that_is_no_integer(kind):
    text = message(lambda: kind(ignore_class=2.5))
    assert "must be a 32-bit integer" in text
    assert "Received: ignore_class=2.5." in text


@every_function
@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ([1, 2], "one weight for each of the 3 classes"),
        (2.0, "of shape ()"),
        ([1, 2, -1], "finite and not negative"),
        ([1, 2, float("nan")], "finite and not negative"),
        ({3: 1.0}, "classes 0 to 2 as its keys"),
        ({"dog": 1.0}, "with unknown classes ['dog']"),
        ({0: -1.0}, "finite and not negative"),
    ],
)
def test_class_weights_that_do_not_fit(function, weights, expected):
    labels, predictions = np.zeros((1, 2, 4), "int32"), uniform(1, 2, 4, 3)
    text = message(lambda: function(labels, predictions, class_weight=weights))
    assert expected in text


@every_loss
@pytest.mark.parametrize("weights", [[1, -1.0], {0: -1.0}, [float("inf"), 1]])
def test_bad_class_weights_are_refused_before_training(kind, weights):
    text = message(lambda: kind(class_weight=weights))
    assert f"not negative. Received: class_weight={weights}." in text


@every_loss
def test_class_weights_survive_json(rng, kind):
    labels, y_pred = random_batch(rng)
    weighted = kind(class_weight={1: 2.0, np.int64(3): 0}, from_logits=True)
    config = json.loads(json.dumps(weighted.get_config()))
    again = kind.from_config(config)
    assert again.class_weight == {1: 2.0, 3: 0.0}
    value = value_of(labels, y_pred, weighted)
    assert array(again(labels, y_pred)) == value
    assert value != value_of(labels, y_pred, kind(from_logits=True))
