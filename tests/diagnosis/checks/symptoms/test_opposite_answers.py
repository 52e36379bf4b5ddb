"""Answers that have learned the opposite are found where their scale has a name."""

import keras
import numpy as np
import pytest

from tests.diagnosis.checks.symptoms.cases import IDS, ON, Y, answering, binary, sparse
from tests.diagnosis.checks.symptoms.test_far_from_possible import beside
from tests.diagnosis.single import assert_page, run


def test_page():
    assert_page("KTF509")


@pytest.mark.parametrize("loss", ["mse", "mae", "huber"])
def test_numbers(rng, loss):
    noise = 0.2 * rng.normal(size=Y.shape)
    finding = run("KTF509", *beside(noise - Y, loss=loss), Y)
    assert finding.evidence["correlation"] < -0.8
    assert finding.evidence["loss_skill"] < 0
    assert run("KTF509", *beside(noise + Y, loss=loss), Y) is None


def test_labels():
    for sign, is_found in ((-1, True), (1, False)):
        logits = (4.0 * sign * Y).astype("float32")
        assert bool(run("KTF509", answering(logits, binary()), logits, ON)) == is_found
    right = 4 * np.eye(3, dtype="float32")[IDS]
    assert run("KTF509", answering(-right, sparse()), -right, IDS)
    assert run("KTF509", answering(right, sparse()), right, IDS) is None


def test_a_loss_that_wants_the_opposite(rng):
    def distance(y, d):
        far = keras.ops.maximum(1.0 - d, 0)
        return keras.ops.mean(y * d**2 + (1 - y) * far**2)

    def own(y, p):
        return keras.ops.mean(keras.ops.square(y - p))

    answers = np.clip(1 - ON + 0.1 * rng.normal(size=ON.shape), 0, None)
    assert run("KTF509", *beside(answers, loss=distance), ON.astype("float32")) is None
    assert run("KTF509", *beside(answers, loss=own), ON.astype("float32"))


def test_it_takes_steps_and_samples(rng):
    answers = 0.2 * rng.normal(size=Y.shape) - Y
    assert run("KTF509", *beside(answers, 50), Y) is None
    model, (x, given) = beside(answers)
    assert run("KTF509", model, [x[:20], given[:20]], Y[:20]) is None
    assert run("KTF509", model, [x, given], Y).severity == "error"
