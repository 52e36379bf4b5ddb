"""Every call of a layer is kept, with what goes in and out, and nothing changes."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_trainfix import backend
from keras_trainfix.diagnosis.observe.layer_calls import calls_of
from tests.diagnosis.nets import inputs
from tests.diagnosis.single import sequential

X = inputs(16)


def test_inputs_and_outputs_of_each_call():
    shared = layers.Dense(6)
    model = sequential(shared, layers.ReLU(), shared)
    calls = calls_of(model, X)
    first, relu, second = calls.leaves
    assert first.layer is second.layer is shared
    np.testing.assert_allclose(first.inputs[0], X)
    np.testing.assert_array_equal(relu.outputs[0], np.maximum(first.outputs[0], 0))
    assert calls.layers[-1].layer is model
    assert not calls.layers[-1].is_leaf


def test_layers_that_are_not_tracked_are_seen():
    hidden = layers.Dense(3)
    model = sequential(layers.Lambda(lambda x: hidden(x), output_shape=(3,)))
    assert [call.layer for call in calls_of(model, X).leaves] == [hidden]


def test_softmaxes_anywhere():
    class Own(keras.layers.Layer):
        def call(self, x):
            return ops.softmax(x, axis=1)

    model = sequential(layers.Dense(4, "softmax"), Own(), layers.Softmax())
    calls = calls_of(model, X).softmaxes
    assert [(c.shape[1:], c.axis, c.layers[-1].name) for c in calls] == [
        ((4,), 1, layer.name) for layer in model.layers
    ]


def test_fresh_batch_normalization_uses_these_samples():
    model = sequential(layers.BatchNormalization(), layers.Dense(1))
    normal = calls_of(model, 1000 * X + 5000).leaves[0].outputs[0]
    assert normal.std() < 2
    assert not backend.to_numpy(model.layers[0].moving_mean).any()
    model.layers[0].trainable = False
    assert calls_of(model, 1000 * X + 5000).leaves[0].outputs[0].std() > 100


def test_nothing_stays_behind():
    original = keras.Layer.__call__
    model = sequential(layers.Dense(4, "softmax"))
    calls_of(model, X)
    with pytest.raises(Exception, match="shape|incompatible|size"):
        calls_of(model, X[:, :2])
    assert keras.Layer.__call__ is original


def test_deep_models_in_one_piece():
    model = sequential(*(layers.Dense(6) for _ in range(60)))
    calls = calls_of(model, X)
    assert len(calls.leaves) == 60
    np.testing.assert_allclose(
        calls.leaves[-1].outputs[0], model.predict(X, verbose=0), atol=1e-4
    )
