"""Which calls of `fit` are one training."""

import gc
import weakref

import numpy as np
import pytest

from keras_trainfix.callbacks.collapse.schedule import State
from keras_trainfix.callbacks.collapse.series import (
    Watched,
    find_watched,
    fit_of,
    is_continued,
    is_same_training,
    keep_watched,
)
from tests.callbacks.collapse.nets import mlp


def freeze(model):
    model.layers[0].trainable = False


def compile_again(model):
    model.compile(model.optimizer, model.loss)


def other_weights(model):
    model.set_weights([weight + 1 for weight in model.get_weights()])


@pytest.mark.parametrize(
    ("change", "is_same", "goes_on"),
    [
        (lambda model: None, True, True),
        (other_weights, True, False),
        (compile_again, False, True),
        (freeze, False, False),
    ],
)
def test_what_makes_a_new_training(change, is_same, goes_on):
    model = mlp()
    before = fit_of(model)
    change(model)
    assert is_same_training(before, fit_of(model)) == is_same
    assert is_continued(before, fit_of(model)) == goes_on


def test_another_model_is_another_training():
    model, other = mlp(), mlp()
    other.set_weights(model.get_weights())
    assert not is_same_training(fit_of(model), fit_of(other))
    assert is_continued(fit_of(model), fit_of(other))
    assert not is_same_training(None, fit_of(model))


def test_a_model_whose_weights_are_nan():
    model = mlp()
    model.set_weights([np.full_like(w, np.nan) for w in model.get_weights()])
    assert is_continued(fit_of(model), fit_of(model))


WATCHED = Watched(State(step=40), begun_at=0, price=20.0)


@pytest.mark.parametrize(
    ("change", "steps", "found"),
    [
        (lambda model: None, 3, WATCHED),
        (lambda model: None, 20, None),  # long enough for a look of its own
        (lambda model: None, None, None),
        (other_weights, 3, None),
        (compile_again, 3, None),
        (freeze, 3, None),
    ],
)
def test_what_another_detector_continues(change, steps, found):
    model = mlp()
    assert find_watched(fit_of(model), 3) is None
    keep_watched(fit_of(model), WATCHED)
    change(model)
    assert find_watched(fit_of(model), steps) == found


def test_a_watched_model_is_not_kept_alive():
    model = mlp()
    keep_watched(fit_of(model), WATCHED)
    alive = weakref.ref(model)
    del model
    gc.collect()
    assert alive() is None


@pytest.mark.parametrize(
    ("step", "begun_at", "due"),
    [
        (40, 21, False),
        (40, 20, True),  # twice the steps
        (5999, 5000, False),
        (6000, 5000, True),  # 2 % of the steps since
    ],
)
def test_when_another_detector_may_begin(step, begun_at, due):
    assert Watched(State(step=step), begun_at, 20.0).is_due == due


def test_steps_that_no_detector_watched():
    assert WATCHED.after(3).state.step == 43
