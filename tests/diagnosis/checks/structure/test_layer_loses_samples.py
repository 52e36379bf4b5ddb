"""A layer behind which samples are the same is found, and named."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from tests.diagnosis.nets import inputs
from tests.diagnosis.single import answers, run, sequential

X = np.abs(inputs(64)) / 4
Y = X[:, :1]


def rounded(by):
    first = layers.Lambda(lambda x: ops.round(x / by), name="rounded")
    return sequential(first, layers.Dense(8, "relu"), layers.Dense(1))


@pytest.mark.parametrize(("by", "severity"), [(4, "error"), (0.9, "warning")])
def test_the_layer_is_named(by, severity):
    finding = run("KTF421", rounded(by), X, Y)
    assert finding.severity == severity
    assert "behind layer 'rounded'" in finding.message
    assert run("KTF421", rounded(0.2), X, Y) is None


def test_a_model_that_has_learned_needs_no_more():
    model = rounded(0.9)
    assert run("KTF421", model, X, Y)
    assert run("KTF421", model, X, answers(model, X)) is None


def test_all_words_are_unknown():
    def net(start):
        lookup = layers.IntegerLookup(vocabulary=list(range(start, start + 9)))
        embedding = [layers.Embedding(10, 4), layers.GlobalAveragePooling1D()]
        return sequential(lookup, *embedding, layers.Dense(1))

    ids = np.random.default_rng(0).integers(1, 10, (64, 6))
    finding = run("KTF421", net(100), ids, Y)
    assert finding.severity == "error"
    assert "100% of 384 tokens are unknown" in finding.message
    assert run("KTF421", net(1), ids, Y) is None


@pytest.mark.backend_only("tensorflow")  # text is a tensor
def test_text_in_another_case():
    texts = np.array([f"word{i % 7} word{i % 5} word{i % 3}" for i in range(64)])

    def net(words):
        lookup = layers.TextVectorization(vocabulary=words)
        given = keras.Input((), dtype="string")
        hidden = layers.GlobalAveragePooling1D()(layers.Embedding(9, 4)(lookup(given)))
        model = keras.Model(given, layers.Dense(1)(hidden))
        model.compile("adam", "mse")
        return model

    words = [f"word{i}" for i in range(7)]
    finding = run("KTF421", net([word.upper() for word in words]), texts, Y)
    assert "'WORD0'" in finding.message
    assert run("KTF421", net(words), texts, Y) is None
