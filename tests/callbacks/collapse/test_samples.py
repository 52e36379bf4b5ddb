"""Whether samples fit a model, and what is reported if they do not."""

import re

import keras
import numpy as np
import pytest

from keras_trainfix.callbacks.collapse.samples import (
    MisfitError,
    check_inputs,
    is_fitting,
    unseen,
    without_targets,
)
from keras_trainfix.diagnosis.observe.sample import Sample
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.callbacks.collapse.nets import SPARSE, X, Y, mlp

IDS = np.arange(256) % 3


def view_of(model, y):
    return Snapshot(model, X, y).views()[0]


def classifier():
    return mlp(3, "softmax", SPARSE)


def one_hot_classifier():
    return mlp(3, "softmax", "categorical_crossentropy")


# --- inputs ---


class Subclassed(keras.Model):
    """A model that does not say what inputs it takes."""


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (
            X[:, :3],
            ValueError("text"),
            "\\(256, 3\\)\\], the model takes .*4",
        ),
        (X[:, :3], TypeError("text"), "TypeError: text"),
        ([X, X], ValueError("text"), "\\[\\(256, 4\\), \\(256, 4\\)\\]"),
        ([X] * 7, ValueError("text"), "and 2 more"),
        (X[:, :3], RuntimeError("text"), None),  # not an error about arguments
        (X, ValueError("text"), None),  # the inputs fit
        (X[:9], ValueError("text"), None),  # a batch of any size fits
    ],
)
def test_inputs_of_another_shape(x, error, message):
    if message is None:
        check_inputs("probe", mlp(), Sample(x), error)
        return
    with pytest.raises(MisfitError, match=f"`probe` does not fit the model.*{message}"):
        check_inputs("probe", mlp(), Sample(x), error)


def test_the_message_of_a_model_without_known_inputs_decides():
    with pytest.raises(MisfitError, match="\\(256, 4\\)\\]\\. ValueError: Bad shape"):
        check_inputs("images", Subclassed(), Sample(X), ValueError("Bad shape"))
    check_inputs("images", Subclassed(), Sample(X), ValueError("Bad luck"))


# --- targets ---


@pytest.mark.parametrize(
    ("y", "build", "message"),
    [
        (np.hstack([Y, Y]), mlp, "do not fit the output.*\\(256, 2\\).*\\(256, 1\\)"),
        (np.array(["a", "b"] * 128), mlp, "are not numbers.*dtype <U1. Only"),
        (
            IDS + 1,
            classifier,
            "hold labels that are no class .*3 units.*\\[3\\]",
        ),
        (IDS, classifier, None),
        (Y, mlp, None),
        (np.where(X[:, :1] > 2, np.nan, Y), mlp, None),  # the checks report it
        (None, mlp, None),
    ],
    ids=["shape", "text", "no class", "classes", "numbers", "nan", "none"],
)
def test_targets_that_cannot_be_compared(y, build, message):
    line = unseen(view_of(build(), y))
    if message is None:
        assert line is None
        return
    assert re.match(f"The targets of `probe` {message}", line), line
    assert len(line.splitlines()) == 1


def test_predictions_that_are_not_finite_are_reported_by_others():
    model = mlp()
    y = np.hstack([Y, Y])
    assert "do not fit" in unseen(view_of(model, y))
    model.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    assert unseen(view_of(model, y)) is None


@pytest.mark.parametrize(
    ("build", "y", "expected"),
    [
        (mlp, Y, True),
        (mlp, np.hstack([Y, Y]), False),
        (mlp, None, True),
        (classifier, IDS, True),
        (classifier, IDS + 1, True),  # the shape fits
        (one_hot_classifier, np.eye(3)[IDS], True),
        (one_hot_classifier, np.eye(2)[IDS % 2], False),
        (lambda: mlp(2, loss=lambda y, p: keras.ops.mean(p[:, :1] - y)), Y, True),
    ],
)
def test_shapes_of_targets(build, y, expected):
    assert is_fitting(view_of(build(), y)) == expected


def test_the_targets_of_some_outputs_are_left_out():
    names = ["a", "b"]
    pair, named = Sample(X, [Y, 2 * Y]), Sample(X, {"a": Y, "b": 2 * Y}, Y)
    assert without_targets(pair, names, {"b"}).y.keys() == {"a"}
    left = without_targets(named, names, {"a"})
    assert left.y.keys() == {"b"}
    assert left.x is X
    assert left.sample_weight is Y
    assert without_targets(named, names, {"a", "b"})[1:3] == (None, None)
    assert without_targets(Sample(X, Y), ["a"], {"a"}).y is None
