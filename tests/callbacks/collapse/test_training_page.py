"""The report of a training under watch."""

import re

import pytest

import keras_trainfix as kt
from keras_trainfix.callbacks.collapse.session import EpochLoss
from keras_trainfix.callbacks.collapse.training_page import (
    draw_loss,
    draw_skill,
    healthy_words,
)
from tests.callbacks.collapse.nets import (
    X,
    Y,
    collected,
    dead_net,
    fit,
    mlp,
    solved_net,
)
from tests.callbacks.collapse.test_plot import watched
from tests.diagnosis.report.samples import parsed

NAN = float("nan")


def test_the_report_of_a_collapse(tmp_path):
    detector = kt.CollapseDetector((X, Y))
    with collected():
        fit(dead_net(), detector, epochs=3)
    markup = detector.save(tmp_path / "report.html").read_text(encoding="utf-8")
    assert detector.diagnosis.verdict in markup
    assert "dead-relu" in markup
    assert "A collapse was reported at step" in markup
    assert "Loss of each epoch" in markup
    assert "Skill, and spread" in markup


def test_the_report_of_a_sound_training(tmp_path):
    detector = kt.CollapseDetector((X, Y))
    markup = detector.save(tmp_path / "r.html").read_text(encoding="utf-8")
    assert "No check was made yet." in markup
    fit(solved_net(), detector, epochs=3)
    markup = detector.save(tmp_path / "r.html").read_text(encoding="utf-8")
    assert "No collapse was seen in" in markup
    assert healthy_words(detector) in markup


def test_rescues_are_told(tmp_path):
    detector = kt.CollapseDetector((X, Y), action="rescue")
    with collected():
        fit(mlp(rate=30.0), detector, epochs=6)
    assert detector.rescues
    markup = detector.save(tmp_path / "r.html").read_text(encoding="utf-8")
    assert detector.rescues[0]["finding"] in markup


def test_a_value_beyond_the_axis_has_an_arrow():
    picture = draw_skill(watched([8]))
    parsed(picture)
    for part in (">↓<", ">to -9.0<", ">↑<", ">to 3.0<"):  # skill, and spread
        assert part in picture
    assert draw_skill(watched())  # without an alarm


@pytest.mark.parametrize(
    ("losses", "is_drawn"),
    [
        ([], False),
        ([EpochLoss(8, 1.0, NAN)], False),
        ([EpochLoss(8, NAN, NAN), EpochLoss(16, NAN, NAN)], False),
        ([EpochLoss(8, 1.0, NAN), EpochLoss(16, NAN, 0.5)], True),
    ],
)
def test_the_loss_is_drawn_where_it_is_known(losses, is_drawn):
    picture = draw_loss(watched(losses=losses))
    assert "(log)" not in picture
    assert bool(picture) == is_drawn
    assert "nan" not in picture


def test_losses_far_apart_have_a_logarithmic_axis():
    losses = [EpochLoss(8, 1e6, NAN), EpochLoss(16, 1e2, NAN), EpochLoss(24, 1.0, NAN)]
    picture = draw_loss(watched(losses=losses))
    parsed(picture)
    assert "(log)" in picture
    ys = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", picture)[-3:]]
    assert (ys[1] - ys[0]) / (ys[2] - ys[0]) == pytest.approx(2 / 3, abs=0.01)
