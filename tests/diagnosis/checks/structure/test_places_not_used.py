"""Places of the inputs that lead nowhere are found where the model does not learn."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix import diagnose
from tests.diagnosis.nets import inputs
from tests.diagnosis.single import run

STEPS = 12
X = inputs(256, STEPS * 2).reshape(256, STEPS, 2)
FIRST, LAST = X[:, 0, :1], X[:, -1, :1]


def net(*body):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((STEPS, 2)), *body, layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


def narrow():
    """Its last place sees three steps."""
    return net(layers.Conv1D(8, 3), layers.Lambda(lambda h: h[:, -1]))


def found(model, y, **arguments):
    findings = diagnose(model, X, y, **arguments).findings
    return [f for f in findings if f.code == "KTF432"]


@pytest.mark.slow
def test_what_the_answer_needs_is_left_out(whole_bench):
    (finding,) = found(narrow(), FIRST)
    assert finding.severity == "warning"
    assert "the first 9 of the 12 steps of x:" in finding.message
    assert not found(net(layers.GRU(8)), FIRST)


@pytest.mark.slow
def test_a_model_that_learns_may_leave_out_what_it_likes(whole_bench):
    (finding,) = found(narrow(), LAST)
    assert finding.severity == "note"


def test_after_training_the_skill_decides():
    model = narrow()
    model.fit(X, LAST, epochs=30, verbose=0)
    assert run("KTF432", model, X, LAST).severity == "note"
    assert run("KTF432", model, X, FIRST).severity == "warning"


def test_before_training_it_waits_for_the_experiments():
    assert run("KTF432", narrow(), X, FIRST) is None


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (slice(0, 4), "the last 8 of the 12 steps"),
        (slice(4, 8), "No answer of the model depends on 8 of the 12 steps"),
    ],
)
def test_the_places_in_words(kept, words):
    model = net(layers.Lambda(lambda x: x[:, kept]), layers.Flatten())
    model.fit(X, FIRST, verbose=0)
    assert words in run("KTF432", model, X, np.roll(FIRST, 1)).message
