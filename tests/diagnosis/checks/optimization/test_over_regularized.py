"""Penalties and dropout that outweigh the data are found, and mild ones are not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers, optimizers, regularizers

from keras_trainfix.diagnosis.diagnose import diagnose
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.checks.optimization.cases import (
    X,
    Y,
    above_note,
    assert_first,
    data,
    few_examples,
    mlp,
    net,
    seeds,
)
from tests.diagnosis.nets import judge


@few_examples
@given(
    width=st.sampled_from([16, 64]),
    regularizer=st.sampled_from([regularizers.L2(3.0), regularizers.L1(1.0)]),
    seed=seeds,
)
def test_penalties_that_outweigh_the_data(width, regularizer, seed):
    x, y = data(seed)
    hidden = (width, width)
    model = mlp("adam", hidden, seed=seed, kernel_regularizer=regularizer)
    finding = assert_first("KTF408", model, x, y)
    assert finding.evidence["penalty_ratio"] > 9
    assert finding.evidence["gradient_share"] > 0.8


@pytest.mark.parametrize(("strength", "found"), [(0.2, True), (0.01, False)])
def test_a_penalty_on_every_layer_of_a_classifier(strength, found):
    decay = regularizers.L2(strength)
    y = np.digitize(Y[:, 0], [-1.0, 0.0, 1.0])
    hidden = [layers.Dense(64, "relu", kernel_regularizer=decay) for _ in "123"]
    head = layers.Dense(4, "softmax", kernel_regularizer=decay)
    model = net(*hidden, head, loss="sparse_categorical_crossentropy")
    assert ("KTF408" in above_note(diagnose(model, X, y))) == found


@pytest.mark.parametrize(("strength", "found"), [(3.0, True), (0.1, False)])
def test_a_model_that_its_penalties_have_shrunk(strength, found):
    decay = regularizers.L2(strength)
    model = mlp(optimizers.Adam(0.01), (32, 32), kernel_regularizer=decay)
    model.fit(X, Y, epochs=40, verbose=0)
    codes = above_note(diagnose(model, X, Y))
    assert ("KTF408" in codes) == found
    assert found or not codes


@pytest.mark.parametrize(("rate", "found"), [(0.5, False), (0.9, True), (1.0, True)])
def test_dropout(rate, found):
    model = net(layers.Dense(64, "relu"), layers.Dropout(rate), layers.Dense(1))
    finding = judge("KTF408", Snapshot(model, X, Y).views()[0])
    assert bool(finding) == found
    assert not found or finding.evidence["rate"] == rate
