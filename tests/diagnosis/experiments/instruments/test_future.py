"""Later steps are replaced where they hold the targets of earlier ones."""

import numpy as np
import pytest
from keras import layers

from keras_trainfix.diagnosis.experiments.instruments.future import (
    seen_future,
    steps_ahead,
)
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.experiments.instruments.sequences import (
    TOKENS,
    one_behind,
    reader,
    tokens,
    translator,
)
from tests.diagnosis.nets import inputs, net

NEXT = np.roll(tokens(), -1, axis=1)
EYE = np.eye(TOKENS)
SERIES = np.random.default_rng(0).normal(size=(40, 12, 3))


@pytest.mark.parametrize(
    ("values", "targets", "steps"),
    [
        (tokens(), NEXT, 1),
        (EYE[tokens()], NEXT, 1),
        (tokens(), EYE[NEXT], 1),
        (SERIES[:, :-2], SERIES[:, 2:], 2),
        (SERIES[:, :-1], SERIES[:, 1:, 1], 1),
        (tokens(), tokens(), 0),
        (NEXT, tokens(), 0),
        (tokens(), tokens(seed=1), 0),
        (tokens()[:, :3], NEXT[:, :3], 0),
        (np.ones((20, 8)), np.ones((20, 8)), 0),
        (tokens(), NEXT[:, 0], 0),
    ],
)
def test_by_how_many_steps_targets_are_ahead(values, targets, steps):
    assert steps_ahead(values, targets) == steps


def moved(model, x, y):
    (seen,) = seen_future(Snapshot(model, x, y))
    return seen.moved, seen.layer and seen.layer.name


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (lambda: layers.GRU(8, return_sequences=True), None),
        (lambda: layers.Conv1D(8, 3, padding="causal"), None),
        (lambda: layers.Conv1D(8, 3, padding="same", name="conv"), "conv"),
        (
            lambda: layers.Bidirectional(
                layers.GRU(8, return_sequences=True), name="both"
            ),
            "both",
        ),
    ],
)
def test_the_layer_that_looks_ahead(layer, name):
    by, found = moved(reader(layer()), tokens(), NEXT)
    assert found == name
    assert by == 0 if name is None else by > 0.05


def test_a_decoder():
    y, source = tokens(), tokens(seed=1)
    x = [source, one_behind(y)]
    assert moved(translator(use_causal_mask=True), x, y)[0] == 0
    by, name = moved(translator(use_causal_mask=False), x, y)
    assert by > 0.05
    assert "attention" in name


def test_where_targets_are_not_the_next_inputs():
    both = reader(layers.Bidirectional(layers.GRU(8, return_sequences=True)))
    assert seen_future(Snapshot(both, tokens(), tokens(seed=1))) is None
    assert seen_future(Snapshot(both, tokens())) is None
    assert seen_future(Snapshot(net(), inputs(), inputs()[:, 0])) is None
