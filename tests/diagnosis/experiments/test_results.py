"""What follows from all that was tried: a cure, a proof, whether a model learns."""

import dataclasses

import numpy as np
import pytest

from keras_trainfix.diagnosis.experiments.outcome import Outcome
from keras_trainfix.diagnosis.experiments.results import Experiments, Tried
from keras_trainfix.diagnosis.experiments.treatment import TREATMENTS


def outcome(skill, loss_skill=float("nan"), half=0.0):
    return Outcome(skill, loss_skill, half, np.zeros(1))


def tried(name, gained):
    treatment = TREATMENTS[name]
    return Tried(treatment, name, "", outcome(gained), gained, gained > 0.2)


def experiments(*rows, control=0.0):
    return Experiments({1.0: outcome(control)}, 0.0, tried=list(rows))


def test_the_smallest_of_equal_interventions_is_the_cure():
    found = experiments(
        tried("all-trainable", 0.9), tried("inputs-rescaled", 0.85), tried("gelu", 0.1)
    )
    assert found.cure.treatment.name == "inputs-rescaled"


def test_a_much_better_one_is_the_cure():
    found = experiments(tried("all-trainable", 0.9), tried("inputs-rescaled", 0.5))
    assert found.cure.treatment.name == "all-trainable"


def test_a_pair_that_gains_little_is_no_cure():
    one = tried("gelu", 0.4)
    pair = one._replace(treatment=dataclasses.replace(one.treatment, is_pair=True))
    assert experiments(one).cure is one
    assert experiments(pair).cure is None
    solved = pair._replace(outcome=outcome(0.8), gain=0.8)
    assert experiments(pair, solved).cure is solved


def test_no_gain_is_no_cure():
    assert experiments(tried("gelu", 0.1)).cure is None


def test_a_proof_is_the_best_of_those_for_a_code():
    found = experiments(tried("relu", 0.3), tried("gelu", 0.5))
    assert found.proof_of("KTF404").treatment.name == "gelu"
    assert found.proof_of("KTF111") is None


@pytest.mark.parametrize(
    ("skill", "loss_skill", "start", "learns"),
    [
        (0.6, 0.0, 0.0, True),
        (0.1, 0.9, 0.0, False),
        (0.5, 0.0, 0.6, False),  # it falls
        (-1.0, 0.8, -1.0, True),  # a distance
    ],
)
def test_what_counts_as_learning(skill, loss_skill, start, learns):
    assert Experiments({1.0: outcome(skill, loss_skill)}, start).learns == learns


def test_probabilities_in_the_opposite_order_are_not_learned():
    found = Experiments({1.0: outcome(-1.0, 0.8)}, 0.0, is_on_scale=True)
    assert not found.learns


def test_a_copy_takes_the_best_and_a_proof_the_smallest():
    found = experiments(tried("all-trainable", 0.9), tried("inputs-rescaled", 0.8))
    assert found.cure.treatment.name == "inputs-rescaled"
    assert found.best_cure().treatment.name == "all-trainable"


def test_more_steps_show_whether_it_is_slow():
    found = experiments(control=0.2)
    assert found.climb_of_longer == 0
    found.longer = outcome(0.35)
    assert found.climb_of_longer == pytest.approx(0.15)
    assert not found.learns
    found.longer = outcome(0.5)
    assert found.learns
