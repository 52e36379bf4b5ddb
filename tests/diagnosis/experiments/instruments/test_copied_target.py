"""Targets are found among the inputs, in any of their forms."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix.diagnosis.experiments.instruments.copied_target import (
    copied_column,
    copied_targets,
    whole_copy,
)
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.experiments.instruments.sequences import (
    one_behind,
    reader,
    tokens,
    translator,
)
from tests.diagnosis.nets import inputs, net

EYE = np.eye(12)


@pytest.mark.parametrize(
    ("values", "targets", "kind"),
    [
        (tokens(), tokens(), "steps"),
        (EYE[tokens()], tokens(), "steps"),
        (tokens()[..., None], tokens(), "steps"),
        (tokens()[:, 0], tokens()[:, 0], "answer"),
        (tokens()[:, 1:], tokens()[:, :-1], "ahead"),
        (tokens()[:, :-1], tokens()[:, 1:], None),
        (tokens(), tokens(seed=1), None),
        (tokens()[:, :4], tokens(), None),
    ],
)
def test_whole_copies(values, targets, kind):
    assert whole_copy(values, targets) == kind


def test_sequences_of_one_token_are_not_ahead_of_themselves():
    same = np.repeat(tokens()[:, :1], 8, axis=1)
    ahead = same.copy()
    ahead[0, -1] += 1
    assert whole_copy(ahead, same) is None
    assert whole_copy(same, same) == "steps"


X = inputs(80)


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        (X[:, 2], (2, "equal")),
        (5 - 3 * X[:, 2], (2, "round")),
        (5.1234 - 3 * X[:, 2], (2, "affine")),
        (0.7312 * X[:, 2], (2, "affine")),
        (np.exp(X[:, 2]), (2, "monotone")),
        (-(X[:, 2] ** 3), (2, "monotone")),
        (X[:, 2] ** 2, None),
        ((X[:, 2] > 0).astype(float), None),
        (X[:, 2] + 1e-3 * X[:, 3], None),
    ],
)
def test_columns_of_numbers(y, expected):
    assert copied_column(X, y) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda ids: ids, (3, "equal")),
        (lambda ids: np.array([7, 2, 5])[ids], (3, "one-to-one")),
        (lambda ids: np.where(np.arange(80) == 9, 9, ids), None),
        (lambda ids: np.maximum(ids, 1), None),
    ],
)
def test_columns_that_name_the_class(change, expected):
    ids = np.arange(80) % 3
    table = X.copy()
    table[:, 3] = change(ids)
    assert copied_column(table, ids) == expected


def test_the_step_that_is_copied_moves_its_own_answer_only():
    y, source = tokens(), tokens(seed=1)
    (copy,) = copied_targets(Snapshot(translator(), [source, y], y))
    assert (copy.input.name, copy.kind, copy.before) == ("decoder", "steps", 0)
    assert 0 < copy.after < 1
    (copy,) = copied_targets(Snapshot(translator(), [y, one_behind(y)], y))
    assert copy.input.name == "source"
    assert copy.before > 0.5  # through the last state of the encoder


def test_a_label_that_only_feeds_a_loss_is_not_followed():
    y = EYE[np.arange(64) % 12].astype("float32")

    def model(uses):
        x, label = keras.Input((6,)), keras.Input((12,))
        part = layers.Concatenate()([x, label]) if uses else x
        out = layers.Dense(12, activation="softmax")(part)
        out = layers.Lambda(lambda pair: pair[0])([out, label])
        net = keras.Model([x, label], out)
        net.compile("adam", "categorical_crossentropy")
        return net

    for uses in (True, False):
        (copy,) = copied_targets(Snapshot(model(uses), [inputs(), y], y))
        assert (copy.kind, copy.follows) == ("answer", uses)


def test_a_column_of_a_sequence_is_a_step():
    x = tokens(samples=64, steps=6).astype("float32")
    y = x[:, 0].astype("int64")
    (copy,) = copied_targets(Snapshot(net(12, "softmax", "mse"), x, y))
    assert copy.column == 0
    read = reader(layers.GRU(8), steps=6)
    assert copied_targets(Snapshot(read, x, y)) == []


def test_no_targets_and_text():
    assert copied_targets(Snapshot(net(), inputs())) is None
    assert copied_targets(Snapshot(net(), inputs(), np.full(64, np.nan))) == []
    assert copied_targets(Snapshot(net(), inputs(), np.ones(64))) == []
