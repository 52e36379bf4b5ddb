"""Tokens that a vocabulary does not hold."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix.diagnosis.experiments.instruments.unknown_tokens import (
    count_unknown,
    unknown_tokens,
)
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.single import sequential

ENTRIES, SPECIAL = ["", "[UNK]", "good", "bad"], {"", "[UNK]"}


def test_ids_and_columns():
    ids = np.array([[1, 2, 0, 0], [1, 1, 3, 0]])
    assert count_unknown(ids, ENTRIES, SPECIAL) == (0.6, 5)
    columns = np.array([[1.0, 0, 1], [1, 0, 0]])
    assert count_unknown(columns, ENTRIES[1:], SPECIAL)[0] == pytest.approx(2 / 3)
    assert count_unknown(ids, ["", "good"], SPECIAL) is None
    assert count_unknown(0 * ids, ENTRIES, SPECIAL) is None
    assert count_unknown(columns, ENTRIES, SPECIAL) is None


def test_numbers_outside_the_vocabulary():
    lookup = layers.IntegerLookup(vocabulary=[1, 2, 3, 4], name="ids")
    model = sequential(
        lookup, layers.Embedding(5, 2), layers.Flatten(), layers.Dense(1)
    )
    x = np.arange(64).reshape(-1, 1) % 4 + 1
    for shift, share in ((0, 0), (100, 1)):
        found = unknown_tokens(Snapshot(model, np.repeat(x + shift, 6, 1)))
        assert (found.layer, found.share, found.tokens) == (lookup, share, 384)


@pytest.mark.backend_only("tensorflow")  # text is a tensor
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("words", [["GOOD", "BAD"], ["good", "bad"]])
def test_text(words, ragged):
    lookup = layers.TextVectorization(vocabulary=words, ragged=ragged)
    texts = np.array(["good bad", "bad", "good good"] * 8)
    inputs = keras.Input((), dtype="string")
    if ragged:
        model = keras.Sequential([lookup])
        calls = model(texts[:2])
        assert calls.shape[0] == 2
    else:
        hidden = layers.Embedding(4, 3)(lookup(inputs))
        pooled = layers.GlobalAveragePooling1D()(hidden)
        model = keras.Model(inputs, layers.Dense(1)(pooled))
    found = unknown_tokens(Snapshot(model, texts))
    assert found.share == (words[0].isupper())
    assert found.vocabulary == words
    assert found.example in ("good bad", "bad", "good good")


def test_models_without_a_vocabulary():
    snapshot = Snapshot(sequential(layers.Dense(1)), np.zeros((4, 6), "float32"))
    assert unknown_tokens(snapshot) is None
    assert snapshot.measured["input and output of each layer"].leaves
