"""The metrics that `compile` got, output by output."""

import keras
import pytest
from keras import layers

from keras_trainfix.diagnosis.observe.metrics import compiled_metrics
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.nets import inputs


def seen(names, **settings):
    entry = keras.Input((6,))
    heads = {name: layers.Dense(1, name=name)(entry) for name in names}
    model = keras.Model(entry, heads if len(names) > 1 else heads[names[0]])
    losses = dict.fromkeys(names, "mse") if len(names) > 1 else "mse"
    model.compile("adam", losses, **settings)
    return [compiled_metrics(view) for view in Snapshot(model, inputs()).views()]


@pytest.mark.parametrize("key", ["metrics", "weighted_metrics"])
def test_of_each_output(key):
    assert seen(["a"], **{key: ["mae"]}) == [["mae"]]
    assert seen(["a"], **{key: [["mae", "mse"]]}) == [["mae", "mse"]]
    assert seen(["a", "b"], **{key: {"b": ["mae"]}}) == [[], ["mae"]]
    assert seen(["a", "b"]) == [[], []]


def test_both_kinds():
    assert seen(["a"], metrics=["mae"], weighted_metrics=["mse"]) == [["mae", "mse"]]
