"""Each term of a loss, and how hard it pulls at each layer."""

import keras
import numpy as np
import pytest
from keras import layers, ops, regularizers

from keras_trainfix.backend import to_numpy
from keras_trainfix.diagnosis.experiments.instruments.loss_terms import (
    Term,
    drowned,
    loss_terms,
)
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.nets import inputs, net
from tests.diagnosis.single import answers

X = inputs()
Y = X[:, :1]


class Adds(layers.Layer):
    """Adds the mean square of its inputs to the loss."""

    def __init__(self, weight=1.0, times=1, **kwargs):
        super().__init__(**kwargs)
        self.weight, self.times = weight, times

    def call(self, x):
        for _ in range(self.times):
            self.add_loss(self.weight * ops.mean(x**2))
        return x


def sequential(*parts, loss="mse"):
    keras.utils.set_random_seed(1)
    last = layers.Dense(1, kernel_initializer="ones", name="last")
    model = keras.Sequential([keras.Input((6,)), *parts, last])
    model.compile("adam", loss)
    return model


def kinds(terms):
    return [(term.kind, term.owner) for term in terms]


def test_the_terms_are_told_apart():
    first = layers.Dense(
        4,
        name="first",
        kernel_regularizer=regularizers.L2(0.1),
        activity_regularizer=regularizers.L2(0.1),
    )
    model = sequential(first, Adds(name="adds"))
    data, activity, added, penalty = loss_terms(Snapshot(model, X, Y))
    assert kinds([data, penalty]) == [("loss", ""), ("penalty", "")]
    assert kinds([activity, added]) == [("activity", "first"), ("added", "adds")]
    assert set(data.pulls) == {"first", "last"}
    assert set(added.pulls) == {"first"}
    whole = model.evaluate(X, Y, batch_size=64, verbose=0)
    parts = [term.value for term in (data, activity, added, penalty)]
    assert sum(parts) == pytest.approx(whole, rel=1e-4)
    kernel = to_numpy(first.kernel)
    expected = 0.2 * np.linalg.norm(kernel)
    assert penalty.pulls["first"] == pytest.approx(expected, rel=1e-4)
    assert first.kernel.regularizer is not None


def test_a_term_counts_by_its_weight():
    ratios = []
    for weight in (1.0, 1000.0):
        model = sequential(layers.Dense(4, name="first"), Adds(weight, name="adds"))
        (pair, *_) = drowned(loss_terms(Snapshot(model, X, Y)))
        ratios.append(pair.ratio if pair.strong.kind == "added" else 1 / pair.ratio)
        assert pair.layers == ["first"]
    assert ratios[1] == pytest.approx(1000 * ratios[0], rel=1e-3)


def test_initial_weights_count_after_training():
    model = sequential(layers.Dense(4, name="first"), Adds(1e4, name="adds"))
    fresh = drowned(loss_terms(Snapshot(model, X, Y)))[0]
    model.fit(X, Y, epochs=30, verbose=0)
    before = model.get_weights()
    later = drowned(loss_terms(Snapshot(model, X, Y)))[0]
    assert later.strong.owner == fresh.strong.owner == "adds"
    assert later.ratio > fresh.ratio / 100
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("structure", [list, dict])
def test_each_output_is_a_term(structure):
    keras.utils.set_random_seed(1)
    image = keras.Input((6,))
    h = layers.Dense(8, name="trunk")(image)
    outputs = [layers.Dense(1, name=name)(h) for name in "qp"]
    targets = [Y, 1000 * Y]
    if structure is dict:
        outputs = dict(zip("qp", outputs, strict=True))
        targets = dict(zip("qp", targets, strict=True))
    model = keras.Model(image, outputs)
    model.compile("adam", {"p": "mse", "q": "mse"})
    pair, *_ = drowned(loss_terms(Snapshot(model, X, targets)))
    assert (pair.strong.owner, pair.weak.owner) == ("p", "q")
    assert pair.ratio > 100
    assert pair.layers == ["trunk"]


def test_losses_without_targets():
    """Two losses of one layer, none compiled."""
    model = sequential(layers.Dense(4), Adds(times=2, name="adds"), loss=None)
    one, two = loss_terms(Snapshot(model, X))
    assert (one.number, two.number) == (1, 2)
    assert "loss 2 that 'adds' adds" in two.name


class OwnLoss(keras.Sequential):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, **_):
        return ops.mean((y - y_pred) ** 2) + sum(self.losses)


def test_a_loss_of_the_user_that_counts_what_was_added():
    parts = [layers.Dense(4, name="first"), Adds(name="adds"), layers.Dense(1)]
    keras.utils.set_random_seed(1)
    model = OwnLoss([keras.Input((6,)), *parts])
    model.compile("adam")
    data, added = loss_terms(Snapshot(model, X, Y))
    assert data.value == pytest.approx(np.mean((answers(model, X) - Y) ** 2), rel=1e-3)
    assert (data.kind, added.owner) == ("loss", "adds")


def test_one_term_is_nothing_to_compare():
    assert loss_terms(Snapshot(net(loss="mse"), X, Y)) is None
    assert loss_terms(Snapshot(net(), X, Y)) is None
    model = sequential(Adds())
    assert len(loss_terms(Snapshot(model, X, Y))) == 2


def test_pairs_without_a_common_layer():
    one = Term("loss", "", 1, 1.0, {"a": 1.0})
    two = Term("added", "b", 1, 1.0, {"b": 1.0})
    assert drowned([one, two]) == []
    pair, *_ = drowned([one, two._replace(pulls={"a": 5.0, "b": 1.0})])
    assert (pair.ratio, pair.layers, pair.is_partial) == (5, ["a"], False)
