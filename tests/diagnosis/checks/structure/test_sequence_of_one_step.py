"""A recurrent layer with one step is found where the model does not learn."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix import diagnose
from tests.diagnosis.single import run

WAVE = np.sin(2 * np.pi * np.arange(700) / 40)
ENDS = np.arange(20, 640)
LATER = WAVE[ENDS + 9][:, None].astype("float32")


def windows(steps):
    x = np.stack([WAVE[end - steps : end] for end in ENDS])
    return x[..., None].astype("float32")


def net(shape, body=None):
    keras.utils.set_random_seed(1)
    body = layers.LSTM(16, name="memory") if body is None else body
    model = keras.Sequential([keras.Input(shape), body, layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


def found(model, x, y):
    return [f for f in diagnose(model, x, y).findings if f.code == "KTF433"]


@pytest.mark.slow
def test_windows_of_one_step(whole_bench):
    (finding,) = found(net((1, 1)), windows(1), LATER)
    assert finding.severity == "warning"
    assert "'memory' gets sequences of 1 step" in finding.message
    assert not found(net((12, 1)), windows(12), LATER)


@pytest.mark.slow
def test_steps_as_features_are_a_note_where_that_is_enough(whole_bench):
    x = windows(12).swapaxes(1, 2)
    (finding,) = found(net((1, 12)), x, LATER)
    assert finding.severity == "note"
    assert "x.reshape(len(x), 12, 1)" in finding.fix


def test_after_training_the_skill_decides():
    x, model = windows(1), net((1, 1))
    model.fit(x, LATER, verbose=0)
    assert run("KTF433", model, x, LATER).severity == "warning"


def test_layers_that_remember_between_batches_and_those_with_a_state():
    shape = (62, 1, 1)
    stateful = keras.Sequential(
        [keras.Input(batch_shape=shape), layers.LSTM(4, stateful=True), layers.Dense(1)]
    )
    stateful.compile("adam", "mse")
    x = windows(1)[:62]
    stateful.optimizer.iterations.assign(1)
    assert run("KTF433", stateful, x, LATER[:62]) is None

    token, state = keras.Input((1, 1)), keras.Input((4,))
    decoded = layers.GRU(4)(token, initial_state=state)
    decoder = keras.Model([token, state], layers.Dense(1)(decoded))
    decoder.compile("adam", "mse")
    x = [windows(1), np.zeros((len(ENDS), 4), "float32")]
    decoder.optimizer.iterations.assign(1)
    assert run("KTF433", decoder, x, LATER) is None


def test_before_training_it_waits_for_the_experiments():
    assert run("KTF433", net((1, 1)), windows(1), LATER) is None
