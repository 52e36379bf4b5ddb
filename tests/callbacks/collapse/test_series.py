"""Which calls of `fit` are one training."""

import numpy as np
import pytest

from keras_trainfix.callbacks.collapse.series import (
    fit_of,
    is_continued,
    is_same_training,
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
