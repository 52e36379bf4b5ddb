"""What `fit` gets beside the data."""

import numpy as np
import pytest

from keras_trainfix.diagnosis.fit_arguments import (
    FitArguments,
    planned_steps,
    split,
    weighted_by_class,
)

X = np.arange(20.0).reshape(10, 2)
Y = np.arange(10) % 2


def test_the_end_is_held_out_as_in_fit():
    (x, y, weights), (x_val, y_val, _) = split(X, Y, None, 0.25)
    assert len(x) == 7
    assert len(x_val) == 3
    assert weights is None
    np.testing.assert_array_equal(np.concatenate([y, y_val]), Y)


def test_without_a_share_nothing_is_cut():
    parts, rest = split(X, Y, None, 0.0)
    assert parts[0] is X
    assert rest is None


def test_batches_cannot_be_cut():
    with pytest.raises(ValueError, match="Pass `validation_data` with batches"):
        split(iter([(X, Y)]), None, None, 0.5)


def test_a_share_must_leave_samples():
    with pytest.raises(ValueError, match="samples on both sides"):
        split(X, Y, None, 0.99)


@pytest.mark.parametrize("labels", [Y, Y[:, None], np.eye(2)[Y], Y.astype("float32")])
def test_class_weights_become_sample_weights(labels):
    weights = weighted_by_class(labels, None, {0: 1.0, 1: 4.0})
    np.testing.assert_array_equal(weights, np.where(Y, 4.0, 1.0))


def test_class_weights_multiply_sample_weights():
    weights = weighted_by_class(Y, np.full(10, 0.5), {1: 4.0})
    np.testing.assert_array_equal(weights, np.where(Y, 2.0, 0.5))


def test_of_several_outputs_the_weights_stay():
    assert weighted_by_class([Y, Y], None, {0: 2.0}) is None


@pytest.mark.parametrize(
    ("name", "value"), [("class_weight", [1, 2]), ("validation_split", 1.5)]
)
def test_what_fit_does_not_take_is_refused(name, value):
    with pytest.raises(ValueError, match=f"Received: {name}="):
        FitArguments(**{name: value})


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        ((X, 10, 0, None, None), 10 * -(-len(X) // 32)),
        ((X, 10, 0, None, 8), 10 * -(-len(X) // 8)),
        ((X, 10, 4, 25, None), 150),
        (([X, X], 3, 3, None, None), 0),
        (([X, X], 3, 5, None, None), 0),
        ((X, 1, 0, None, None), None),
        ((iter([X]), 10, 0, None, None), None),
        ((iter([X]), 10, 0, 7, None), 70),
    ],
)
def test_the_steps_that_fit_will_make(settings, steps):
    assert planned_steps(*settings) == steps
