"""Predictions and targets in one form: void, weights and axes of any kind."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_trainfix as kt
from keras_trainfix.diagnosis.measure.eval_pairs import read
from keras_trainfix.diagnosis.measure.skill import (
    score,
    score_of,
)
from tests.diagnosis.nets import inputs, net, view

X = inputs(48)
IDS = np.digitize(X[:, 0], [-0.5, 0.5])
ROWS = np.eye(3)[IDS]


def passing(*shape, activation=None, loss=None, **settings):
    """A model that gives its inputs, through an activation."""
    model = keras.Sequential([keras.Input(shape), layers.Activation(activation)])
    model.compile("sgd", loss, **settings)
    return model


@pytest.mark.parametrize("form", ["sparse", "channel", "one-hot"])
def test_void_pixels_are_left_out(rng, form):
    ids = rng.integers(0, 3, (8, 4, 4))
    logits = rng.normal(size=(8, 4, 4, 3)).astype("float32")
    void = ids == 2
    marked = np.where(void, 255, ids)
    y = {"sparse": marked, "channel": marked[..., None]}.get(form)
    if form == "one-hot":
        y = np.where(void[..., None], 0, np.eye(3)[ids])
    loss = kt.MaskedCrossentropy(from_logits=True, ignore_class=255)
    answers = read(view(passing(4, 4, 3, loss=loss), logits, y))
    assert len(answers.targets) == (~void).sum()
    np.testing.assert_array_equal(answers.targets, np.eye(3)[ids[~void]])
    seen = score(answers)
    assert seen.present[2] == 0
    p = np.exp(logits[~void].astype("float64"))
    p = (p / p.sum(1, keepdims=True))[range(len(p)), ids[~void]]
    assert seen.loss == pytest.approx(-np.log(p).mean(), rel=1e-5)


def test_an_ignored_class_in_range():
    loss = kt.MaskedCrossentropy(from_logits=True, ignore_class=0)
    model = passing(3, loss=loss)
    for y in (IDS, ROWS):
        assert score_of(view(model, X[:, :3], y)).samples == (IDS != 0).sum()


def test_classes_on_the_first_axis(rng):
    logits = rng.normal(size=(8, 3, 4, 5)).astype("float32")
    ids = logits.argmax(1)
    loss = kt.MaskedCrossentropy(from_logits=True, axis=1)
    assert score_of(view(passing(3, 4, 5, loss=loss), logits, ids)).accuracy == 1


def test_sequences_and_samples_without_weight(rng):
    scores = rng.normal(size=(16, 6, 1)).astype("float32")
    y = (scores[..., 0] > 0).astype("int32")
    weights = np.ones((16, 6))
    weights[:, 4:] = 0
    y[:, 4:] = 0
    model = passing(6, 1, activation="sigmoid", loss="binary_crossentropy")
    seen = score_of(view(model, scores, y, weights))
    assert (seen.samples, seen.accuracy) == (64, 1)


def test_what_cannot_be_compared_is_none():
    model = net(1, None, "mse")
    assert score_of(view(model, X, X[:, :1])) is not None
    assert score_of(view(model, X)) is None
    assert score_of(view(model, X, np.full((48, 1), np.nan))) is None
    assert score_of(view(model, X, np.zeros((48, 7)))) is None
    model.layers[-1].bias.assign([np.nan])
    assert score_of(view(model, X, X[:, :1])) is None
    words = np.array(["a", "b"] * 24)
    assert score_of(view(net(1, "sigmoid", "binary_crossentropy"), X, words)) is None
