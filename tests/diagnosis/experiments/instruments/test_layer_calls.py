"""The call of a snapshot is made once, on a part of its samples."""

import numpy as np
from keras import layers

from keras_trainfix.diagnosis.experiments.instruments.layer_calls import layer_calls
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.nets import inputs
from tests.diagnosis.single import sequential


def test_one_call_of_some_samples():
    snapshot = Snapshot(sequential(layers.Dense(1)), inputs(300))
    calls = layer_calls(snapshot)
    assert len(calls.layers[-1].inputs[0]) == 128
    assert layer_calls(snapshot) is calls


def test_fewer_of_large_samples():
    model = sequential(layers.Flatten(), layers.Dense(1), shape=(256, 256))
    snapshot = Snapshot(model, np.zeros((20, 256, 256), "float32"))
    assert len(layer_calls(snapshot).layers[-1].inputs[0]) == 16
