"""The layers of a model in one picture: where it breaks is red."""

import re

import numpy as np
from keras import layers, ops

from keras_trainfix import diagnose
from keras_trainfix.diagnosis.examine import examine
from keras_trainfix.diagnosis.findings import LayerSummary
from keras_trainfix.diagnosis.report.layer_picture import (
    BROKEN,
    draw_layers,
    layer_summaries,
)
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.nets import inputs
from tests.diagnosis.report.samples import parsed
from tests.diagnosis.single import sequential

X = inputs(64)


def summary(name, different=1.0, constant=0.0, dead=None, gradient=None):
    return LayerSummary(name, "Dense", different, constant, dead, gradient)


def names(picture):
    return re.findall(r'text-anchor="end"[^>]*>([^<]*)<', picture)


def test_each_layer_has_a_row_and_the_first_broken_one_is_red():
    picture = draw_layers(
        [summary("a", gradient=1e-3), summary("b", 0.02), summary("c", 0.02)]
    )
    parsed(picture)
    assert names(picture) == ["a", "b", "c"]
    red = re.findall(f'<text [^>]*fill="{BROKEN}"[^>]*>([^<]*)<', picture)
    assert red == ["b"]
    assert "1.0e-03" in picture
    assert BROKEN not in draw_layers([summary("a"), summary("b")])


def test_dead_and_constant_units_break_too():
    for broken in (summary("b", constant=0.9), summary("b", dead=0.9)):
        assert BROKEN in draw_layers([summary("a"), broken])


def test_of_many_layers_some_are_drawn():
    many = [summary(f"layer_{i}", 0.1 if i > 20 else 1.0) for i in range(60)]
    shown = names(draw_layers(many))
    assert {"layer_0", "layer_20", "layer_21", "layer_22", "layer_59"} <= set(shown)
    assert len(shown) < 20
    hidden = sum(int(s.split()[1]) for s in shown if s.startswith("…"))
    assert hidden + sum(s.startswith("layer") for s in shown) == 60


def test_nothing_is_drawn_of_a_single_layer():
    assert draw_layers([summary("a")]) == draw_layers([]) == ""
    assert draw_layers([summary("a"), summary("<b>")]).count("&lt;b&gt;") == 1


def test_summaries_of_a_model():
    floor = layers.Lambda(lambda x: ops.floor(ops.abs(x) / 10), name="floor")
    model = sequential(floor, layers.Dense(4, "relu", name="a"), layers.Dense(1))
    diagnosis = examine(Snapshot(model, X, X[:, :1]))
    first, second, _ = diagnosis.layers
    assert (first.name, first.kind, first.constant) == ("floor", "Lambda", 1)
    assert first.different == 1 / 64
    assert second.dead == 1
    assert second.gradient is None
    assert BROKEN in diagnosis._repr_html_()


def test_gradients_of_a_trial_and_other_outputs():
    model = sequential(layers.Dense(4, name="a"), layers.Dense(1))
    shown = diagnose(model, X, X[:, :1], verbose=0).layers
    assert all(one.gradient > 0 for one in shown)
    ids = np.zeros((8, 3), int)
    table = sequential(layers.Embedding(4, 2), layers.Flatten(), shape=(3,))
    assert [s.name for s in layer_summaries(Snapshot(table, ids))] == [
        layer.name for layer in table.layers
    ]
