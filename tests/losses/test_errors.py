"""Bad input gets a message that says what was expected, received, and the way out."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_trainfix as kt
from keras_trainfix.backend import to_numpy

BACKEND = keras.backend.backend()
LOSSES = [
    kt.MaskedCrossentropy,
    kt.MaskedSoftDice,
    kt.MaskedTversky,
    kt.MaskedLovasz,
    lambda **kwargs: kt.WeightedSum([kt.MaskedSoftDice(**kwargs)]),
]
FUNCTIONS = [
    kt.masked_crossentropy,
    kt.masked_soft_dice,
    kt.masked_tversky,
    kt.masked_lovasz,
]
every_loss = pytest.mark.parametrize("loss", LOSSES)
every_function = pytest.mark.parametrize("function", FUNCTIONS)


def uniform(*shape):
    return np.full(shape, 1 / shape[-1], "float32")


def message(call):
    with pytest.raises(ValueError, match="Received: ") as error:
        call()
    return str(error.value)


@every_loss
def test_a_label_that_is_no_class_is_named_with_its_likely_cause(loss):
    labels = np.array([[0, 2, 255, 255]], "uint8")
    text = message(lambda: loss(ignore_class=None)(labels, uniform(1, 4, 3)))
    assert "255 (2 times)" in text
    assert "pass ignore_class=255" in text
    labels = np.array([[0, 2, 7, 255]], "int64")
    text = message(lambda: loss()(labels, uniform(1, 4, 3)))
    assert "a class, 0 to 2, or ignored, ignore_class=255" in text
    assert "7 (1 times)" in text
    assert "the model needs 8 outputs (num_classes too small)" in text
    labels = np.array([[3, 2, 1, 255]], "int64")
    assert "subtract 1" in message(lambda: loss()(labels, uniform(1, 4, 3)))


@every_loss
def test_in_compiled_code_a_label_that_is_no_class_makes_the_value_nan(loss):
    loss = loss()

    def compute(labels, predictions):
        return loss(labels, predictions)

    if BACKEND == "jax":
        import jax

        compute = jax.jit(compute)
    elif BACKEND == "tensorflow":
        import tensorflow as tf

        compute = tf.function(compute, jit_compile=True)
    else:
        pytest.skip("Keras does not compile on torch, and eager code has raised")
    predictions = ops.convert_to_tensor(uniform(1, 4, 3))
    right, wrong = (
        float(compute(ops.convert_to_tensor([[0, 2, last, 255]], "int32"), predictions))
        for last in (1, 7)
    )
    assert np.isfinite(right)
    assert np.isnan(wrong)


@every_loss
@pytest.mark.parametrize("shape", [(2, 4, 5), (2, 5), (1, 4, 6), (2,), (2, 4, 6, 2)])
def test_labels_of_the_wrong_rank_or_size(loss, shape):
    text = message(lambda: loss()(np.zeros(shape, "int32"), uniform(2, 4, 6, 3)))
    assert "`y_true` must have shape (2, 4, 6) or (2, 4, 6, 1) (sparse)" in text
    assert f"y_true.shape={shape}, y_pred.shape=(2, 4, 6, 3)" in text


@every_loss
def test_sparse_labels_are_whole_numbers(loss):
    labels = np.array([[0, 0.5, 1, 2]], "float32")
    text = message(lambda: loss()(labels, uniform(1, 4, 3)))
    assert "0.5 (1 times)" in text
    assert "interpolation='nearest'" in text


@every_loss
def test_rows_that_are_no_distribution(loss):
    rows = np.array([[[1, 1, 0], [0, 0, 1]]], "float32")
    text = message(lambda: loss()(rows, uniform(1, 2, 3)))
    assert "must sum to 1, or be 0 for void" in text
    assert "1 rows of y_true with sums from 2 to 2" in text
    assert "`multi_label=True`" in text
    assert np.isfinite(float(loss(multi_label=True)(rows, uniform(1, 2, 3))))


def test_a_mask_that_has_the_shape_of_the_prediction_by_chance():
    mask = np.tile(np.arange(8) % 2, (2, 8, 1)).astype("float32")
    loss = kt.MaskedSoftDice()
    assert "lacks a class axis" in message(lambda: loss(mask, mask))
    assert float(loss(mask, mask[..., None])) == 0


@every_function
@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ([1, 2], "one weight for each of the 3 classes"),
        ([1, 2, -1], "finite and not negative"),
        ([1, 2, float("nan")], "finite and not negative"),
        ({3: 1.0}, "classes 0 to 2 as its keys"),
        ({0: -1.0}, "finite and not negative"),
    ],
)
def test_class_weights_that_do_not_fit(function, weights, expected):
    labels, predictions = np.zeros((1, 4), "int32"), uniform(1, 4, 3)
    text = message(lambda: function(labels, predictions, class_weight=weights))
    assert expected in text


@every_loss
@pytest.mark.parametrize("weights", [[1, -1.0], {0: -1.0}, [float("inf"), 1]])
def test_bad_class_weights_are_refused_before_training(loss, weights):
    assert "not negative" in message(lambda: loss(class_weight=weights))


@every_function
def test_predictions_that_are_no_probabilities(function):
    labels = np.array([[0, 1, 255]])
    logits = np.array([[[3.0, -8.0], [0.5, 0.5], [np.nan, 1e9]]], "float32")
    text = message(lambda: function(labels, logits))
    assert "y_pred from -8 to 3" in text
    assert "pass `from_logits=True`" in text
    assert np.isfinite(float(function(labels, logits, from_logits=True)))
    # Void may hold anything.
    probabilities = logits * [[[0], [1], [1]]]
    assert np.isfinite(float(function(labels, probabilities)))


@every_function
@pytest.mark.parametrize(
    ("shape", "fits"),
    [
        ((2,), True),
        ((2, 1), True),
        ((2, 1, 1), True),
        ((2, 4, 6), True),
        ((2, 4, 6, 1), True),
        ((2, 4), True),
        ((4,), False),
        ((6,), False),
        ((2, 6), False),
        ((2, 4, 6, 3), False),
    ],
)
def test_weights_broadcast_from_the_left(function, shape, fits):
    labels = np.zeros((2, 4, 6), "int32")

    def compute():
        weights = np.ones(shape, "float32")
        return function(labels, uniform(2, 4, 6, 3), sample_weight=weights)

    if fits:
        expected = function(labels, uniform(2, 4, 6, 3))
        np.testing.assert_allclose(to_numpy(compute()), to_numpy(expected), rtol=1e-6)
    else:
        assert f"sample_weight.shape={shape}" in message(compute)


@every_function
@pytest.mark.parametrize("bad", [-1.0, float("nan")])
def test_sample_weights_are_not_negative(function, bad):
    labels, weights = np.zeros((2, 4), "int32"), np.array([1.0, bad])

    def compute():
        return function(labels, uniform(2, 4, 3), sample_weight=weights)

    assert "`sample_weight` must not be negative or NaN" in message(compute)


@pytest.mark.parametrize(
    ("build", "arguments", "expected"),
    [
        (kt.MaskedCrossentropy, {"label_smoothing": 1.5}, "between 0 and 1"),
        (kt.MaskedCrossentropy, {"label_smoothing": -0.1}, "between 0 and 1"),
        (kt.MaskedCrossentropy, {"focal_gamma": -1}, "must be 0 or more"),
        (kt.MaskedCrossentropy, {"top_k": 0}, "number of pixels"),
        (kt.MaskedCrossentropy, {"top_k": 1.5}, "a share of them"),
        (kt.MaskedCrossentropy, {"top_k": True}, "number of pixels"),
        (kt.MaskedSoftDice, {"scope": "pixel"}, "'image'"),
        (kt.MaskedSoftDice, {"smooth": -1}, "0 or more"),
        (kt.MaskedSoftDice, {"generalized": "cubic"}, "'simple', 'square', 'uniform'"),
        (kt.MaskedTversky, {"alpha": -1}, "0 or more"),
        (kt.MaskedTversky, {"alpha": 0, "beta": 0}, "not both 0"),
        (kt.MaskedTversky, {"gamma": 0}, "above 0"),
        (kt.MaskedTversky, {"scope": None}, "'image'"),
        (kt.MaskedLovasz, {"scope": None}, "'image'"),
        (kt.MaskedLovasz, {"hinge": True}, "`from_logits=True`"),
        (kt.MaskedCrossentropy, {"ignore_class": 2.5}, "32-bit integer"),
        (kt.MaskedCrossentropy, {"reduction": "median"}, "reduction"),
    ],
)
def test_arguments_out_of_range(build, arguments, expected):
    text = message(lambda: build(**arguments))
    assert expected in text
    assert any(f"{name}=" in text for name in (*arguments, "from_logits"))


@every_function
def test_an_unknown_reduction(function):
    labels, predictions = np.zeros((2, 4), "int32"), uniform(2, 4, 3)
    text = message(lambda: function(labels, predictions, reduction="median"))
    assert "`reduction` must be one of" in text
    assert "reduction='median'" in text


def test_a_hinge_needs_sigmoid_units():
    loss = kt.MaskedLovasz(hinge=True, from_logits=True)
    text = message(lambda: loss(np.zeros((1, 4), "int32"), uniform(1, 4, 3)))
    assert "y_pred with 3 classes" in text


def test_losses_that_cannot_be_summed():
    dice, crossentropy = kt.MaskedSoftDice(), kt.MaskedCrossentropy()
    text = message(lambda: kt.WeightedSum([dice, crossentropy], weights=[1]))
    assert "`weights` must be 2 numbers" in text
    assert "0 or more" in message(lambda: kt.WeightedSum([dice], weights=[-1]))
    other = kt.MaskedCrossentropy(from_logits=True)
    text = message(lambda: kt.WeightedSum([dice, other]))
    assert "agree on `from_logits`" in text
    assert "masked_crossentropy with from_logits=True" in text
    whole = kt.MaskedCrossentropy(reduction=None)
    assert "must have a reduction" in message(lambda: kt.WeightedSum([dice, whole]))
    assert "must not be empty" in message(lambda: kt.WeightedSum([]))
    with pytest.raises(TypeError, match="losses of keras_trainfix"):
        kt.WeightedSum([dice, keras.losses.Dice()])
