"""Forecasts that only repeat the last value of their window."""

from tests.diagnosis.experiments.instruments.test_persistence import linear, windows
from tests.diagnosis.single import run

CODE = "KTF506"


def trained(weights):
    model = linear(weights)
    model.optimizer.iterations.assign(500)
    return model


def test_an_echo_is_a_warning_where_more_is_possible():
    x, y = windows()
    assert run(CODE, trained([1]), x, y).severity == "warning"
    assert run(CODE, trained([0.03, 0.97]), x, y).severity == "warning"
    assert run(CODE, trained([-0.72, 1.7]), x, y) is None


def test_an_echo_of_a_random_walk_is_a_note():
    x, y = windows("walk")
    finding = run(CODE, trained([1]), x, y)
    assert finding.severity == "note"
    assert "random walk" in finding.message


def test_a_model_that_is_worse_than_the_last_value():
    x, y = windows()
    finding = run(CODE, trained([0.5]), x, y)
    assert finding.severity == "note"
    assert finding.evidence["model_r2"] < finding.evidence["last_r2"]
    early = trained([0.5])
    early.optimizer.iterations.assign(20)
    assert run(CODE, early, x, y) is None


def test_the_score_to_beat_is_a_note_before_training():
    model = linear([0.1])
    assert run(CODE, model, *windows("walk")).severity == "note"
    assert run(CODE, model, *windows("noise")) is None
