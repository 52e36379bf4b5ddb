"""A failed training is never called healthy, with a loss or without."""

import keras
import numpy as np
import pytest

from tests.diagnosis.checks.symptoms.cases import IDS, Y, answering, sparse, steps_done
from tests.diagnosis.nets import inputs, judge, view
from tests.diagnosis.single import assert_page, run

X = inputs(256)


def beside(answers, steps=500, loss="mse"):
    """A model that gives the second of its inputs, after some steps."""
    parts = [keras.Input((6,)), keras.Input(answers.shape[1:])]
    scaled = keras.layers.Dense(answers.shape[1], kernel_initializer="identity")
    model = keras.Model(parts, scaled(parts[1]))
    model.compile("adam", loss)
    return steps_done(model, steps), [X, answers.astype("float32")]


def test_page():
    assert_page("KTF507")


def test_no_better_than_a_constant(rng):
    noise = rng.normal(size=Y.shape)
    finding = run("KTF507", *beside(noise), Y)
    assert finding.severity == "error"
    assert finding.evidence["kind"] == "constant"
    assert "R2" in finding.message
    assert run("KTF507", *beside(Y + 0.5 * noise), Y) is None


def test_far_below_a_linear_model(rng):
    answers = 0.1 * Y + 0.3 * rng.normal(size=Y.shape)
    finding = run("KTF507", *beside(answers), Y)
    assert finding.evidence["kind"] == "linear"
    assert run("KTF507", *beside(Y), Y) is None


def test_strings_of_a_ctc_head(rng):
    labels = rng.integers(1, 5, (256, 3))
    for y, is_found in ((labels, False), (rng.permutation(labels), True)):
        path = np.stack([labels, 0 * labels], -1).reshape(256, 6)
        model, x = beside(9 * np.eye(5)[path].reshape(256, -1))
        scores = keras.layers.Reshape((6, 5))(model.output)
        model = keras.Model(model.inputs, scores)
        model.compile("adam", keras.losses.CTC())
        finding = run("KTF507", steps_done(model, 500), x, y)
        assert bool(finding) == is_found
    assert "symbols are right, with the best constant string" in finding.message
    assert finding.evidence["kind"] == "hard"


@pytest.mark.parametrize(("steps", "expected"), [(100, None), (200, "error")])
def test_it_takes_steps(rng, steps, expected):
    finding = run("KTF507", *beside(rng.normal(size=Y.shape), steps), Y)
    assert (finding and finding.severity) == expected


def test_it_takes_an_epoch(rng):
    one = view(*beside(rng.normal(size=Y.shape)), Y)
    assert judge("KTF507", one)
    object.__setattr__(one.snapshot.fit, "steps_per_epoch", 501)
    assert judge("KTF507", one) is None


def test_a_train_step_of_ones_own(rng):
    class Own(keras.Model):
        def train_step(self, *data):
            return {}

    model, x = beside(rng.normal(size=Y.shape))
    own = Own(model.inputs, model.outputs)
    own.compile("adam")
    steps_done(own, 500)
    assert run("KTF507", own, x, Y).severity == "error"
    good = Own(model.inputs, model.outputs)
    good.compile("adam")
    assert run("KTF507", steps_done(good, 500), [X, Y], Y) is None


def test_one_answer_for_all_has_a_name_already(rng):
    constant = np.ones_like(Y)
    assert run("KTF501", answering(constant, "mse"), constant, Y)
    assert run("KTF507", answering(constant, "mse"), constant, Y) is None
    noise = rng.normal(size=(256, 3))
    assert run("KTF507", *beside(noise, loss=sparse()), IDS)


def test_while_it_improves_it_is_a_warning(rng):
    model, x = beside(30 * rng.normal(size=Y.shape))
    before = view(model, x, Y).snapshot
    model.layers[-1].kernel.assign([[0.5]])
    from keras_trainfix.diagnosis.snapshot import Snapshot

    now = Snapshot(model, x, Y, previous=before)
    assert judge("KTF507", now.views()[0]).severity == "warning"
    assert run("KTF507", model, x, Y).severity == "error"
