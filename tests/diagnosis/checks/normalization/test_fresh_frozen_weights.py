"""Frozen layers that were never trained are found; loaded ones are not."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix import diagnose
from tests.diagnosis.nets import inputs
from tests.diagnosis.single import answers, run, sequential

X = inputs(64, 16)
Y = X[:, :1]


def body(many=3):
    return sequential(*(layers.Dense(32, "tanh") for _ in range(many)), shape=(16,))


def with_head(frozen):
    frozen.trainable = False
    return sequential(frozen, layers.Dense(1), shape=(16,))


def test_a_body_that_was_not_loaded():
    finding = run("KTF306", with_head(body()), X, Y)
    assert finding.severity == "error"
    assert "3 of 3 frozen layers ('dense', 'dense_1', 'dense_2')" in finding.message
    loaded = body()
    loaded.set_weights([w + 0.1 for w in loaded.get_weights()])
    assert run("KTF306", with_head(loaded), X, Y) is None


def test_one_loaded_layer_of_three_is_not_enough():
    partly = body()
    partly.layers[0].set_weights([w + 0.1 for w in partly.layers[0].get_weights()])
    assert run("KTF306", with_head(partly), X, Y).evidence["fresh"] == 2
    partly.layers[1].set_weights([w + 0.1 for w in partly.layers[1].get_weights()])
    assert run("KTF306", with_head(partly), X, Y) is None


def test_random_features_are_a_warning():
    def features(**settings):
        return sequential(
            layers.Dense(64, "tanh", **settings), layers.Dense(1), shape=(16,)
        )

    assert run("KTF306", features(trainable=False), X, Y).severity == "warning"
    assert run("KTF306", features(), X, Y) is None


@pytest.mark.usefixtures("whole_bench")
def test_random_features_that_suffice_are_a_note():
    x = np.random.default_rng(0).normal(size=(512, 16)).astype("float32")
    hidden = layers.Dense(64, "tanh", trainable=False)
    fast = keras.optimizers.Adam(0.01)
    model = sequential(hidden, layers.Dense(1), shape=(16,), optimizer=fast)
    found = diagnose(model, x, x[:, :1] - x[:, 1:2]).findings
    assert [f.severity for f in found if f.code == "KTF306"] == ["note"]


def test_an_embedding_is_an_error():
    ids = np.random.default_rng(0).integers(0, 20, (64, 5))
    table = layers.Embedding(20, 8, trainable=False)
    model = sequential(table, layers.Flatten(), layers.Dense(1), shape=(5,))
    assert run("KTF306", model, ids, Y).severity == "error"
    table.set_weights([np.random.default_rng(0).normal(size=(20, 8))])
    assert run("KTF306", model, ids, Y) is None


def test_a_model_that_has_learned_gets_a_note():
    model = with_head(body())
    assert run("KTF306", model, X, Y).severity == "error"
    assert run("KTF306", model, X, answers(model, X)).severity == "note"


def test_a_discriminator_behind_a_generator():
    judge = body(4)
    judge.trainable = False
    net = keras.Sequential([keras.Input((16,)), layers.Dense(16), judge])
    net.compile("adam", "mse")
    y = np.ones((64, 32), "float32")
    assert run("KTF306", net, X, y) is None
    assert run("KTF306", with_head(judge), X, Y)
