"""The picture of a training that the detector watched."""

from types import SimpleNamespace

import numpy as np
import pytest

import keras_trainfix as kt
from keras_trainfix.callbacks.collapse.layer_record import LayerRecord
from keras_trainfix.callbacks.collapse.plot import collapse_figure
from keras_trainfix.callbacks.collapse.session import EpochLoss
from tests.callbacks.collapse.nets import X, Y, collected, dead_net, diagnosis, pretend

pytest.importorskip("matplotlib")
pytestmark = pytest.mark.one_backend  # no framework takes part


def watched(alarms=(), rescues=(), found=None, losses=()):
    """What the picture shows of a detector."""
    history = {"step": [4, 8, 16], "skill": [-9.0, 0.1, 0.9], "std_ratio": [3, 0.2, 1]}
    return SimpleNamespace(
        history=history,
        alarms=list(alarms),
        rescues=list(rescues),
        diagnosis=found,
        losses=list(losses),
        layers=LayerRecord(),
    )


def words_of(axes):
    return [text.get_text() for text in axes.texts]


def line_of(axes, label):
    (line,) = [line for line in axes.lines if line.get_label() == label]
    return line


def test_skill_and_spread_by_step():
    skill, spread, _ = collapse_figure(watched()).axes
    assert list(line_of(skill, "skill").get_xdata()) == [4, 8, 16]
    assert list(line_of(skill, "skill").get_ydata())[1:] == [0.1, 0.9]
    assert list(line_of(spread, "spread of predictions").get_ydata()) == [3, 0.2, 1]
    assert spread.get_ylim()[1] > 3
    assert skill.get_title(loc="left") == ""
    labels = [axes.get_ylabel() for axes in (skill, spread)]
    assert labels == ["skill", "spread"]


def test_a_skill_below_the_axis_has_an_arrow_and_its_value():
    skill = collapse_figure(watched()).axes[0]
    assert np.isnan(line_of(skill, "skill").get_ydata()[0])
    assert list(line_of(skill, "skill, further below").get_xdata()) == [4]
    assert words_of(skill) == ["-9.0"]
    low, high = skill.get_ylim()
    shown = line_of(skill, "skill, further below").get_ydata()
    assert low < shown[0] < high


def test_a_legend_is_outside():
    figure = collapse_figure(watched())
    figure.canvas.draw()
    for axes in figure.axes[:2]:
        box = axes.get_legend().get_window_extent()
        assert box.x0 >= axes.get_window_extent().x1


def test_the_loss():
    losses = [EpochLoss(8, 0.5, 0.7), EpochLoss(16, 0.2, 0.6)]
    loss = collapse_figure(watched(losses=losses)).axes[2]
    assert list(line_of(loss, "loss").get_ydata()) == [0.5, 0.2]
    assert list(line_of(loss, "validation loss").get_ydata()) == [0.7, 0.6]
    assert loss.get_xlabel() == "step"
    alone = [one._replace(validation=float("nan")) for one in losses]
    axes = collapse_figure(watched(losses=alone)).axes[2]
    assert [line.get_label() for line in axes.lines] == ["loss"]


@pytest.mark.parametrize(
    ("alarms", "rescues", "words"),
    [
        ([8], [], ["collapsed"]),
        ([8], ["line"], ["rescued"]),
        ([4, 8, 16], ["line", "line"], ["rescued", "rescued", "stopped"]),
    ],
)
def test_collapses_and_rescues_are_marked(alarms, rescues, words):
    axes = collapse_figure(watched(alarms, rescues)).axes[0]
    assert words_of(axes) == ["-9.0", *words]
    assert [text.xy[0] for text in axes.texts[1:]] == alarms


def test_the_title_is_the_first_finding():
    found = diagnosis(("KTF403", "error"), ("KTF501", "error"))
    axes = collapse_figure(watched([8], found=found)).axes[0]
    assert axes.get_title(loc="left") == "KTF403 dead-relu."
    axes = collapse_figure(watched([4, 8], ["line"], found=found)).axes[0]
    assert axes.get_title(loc="left") == "KTF403 dead-relu. The rescue gave up."
    axes = collapse_figure(watched(found=diagnosis())).axes[0]
    assert axes.get_title(loc="left") == ""


def test_a_detector_draws_and_saves_it(tmp_path):
    detector = kt.CollapseDetector((X, Y))
    assert "no check yet" in words_of(detector.plot().axes[0])  # before any fit
    with collected():
        pretend(detector, dead_net())
    axes = detector.plot(tmp_path / "seen.png").axes[0]
    assert (tmp_path / "seen.png").stat().st_size > 1000
    steps = line_of(axes, "skill").get_xdata()
    assert list(steps) == detector.history["step"] == [4, 8]
    assert "KTF403" in axes.get_title(loc="left")
    assert words_of(axes)[-1] == "collapsed"
