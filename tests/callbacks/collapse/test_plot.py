"""The picture of a training that the detector watched."""

from types import SimpleNamespace

import pytest

import keras_trainfix as kt
from keras_trainfix.callbacks.collapse.plot import collapse_figure
from tests.callbacks.collapse.nets import X, Y, collected, dead_net, diagnosis, pretend

pytest.importorskip("matplotlib")
pytestmark = pytest.mark.one_backend  # no framework takes part


def watched(alarms=(), rescues=(), found=None):
    """What the picture shows of a detector."""
    history = {"step": [4, 8, 16], "skill": [-9.0, 0.1, 0.9], "std_ratio": [3, 0.2, 1]}
    return SimpleNamespace(
        history=history, alarms=list(alarms), rescues=list(rescues), diagnosis=found
    )


def words_of(axes):
    return [text.get_text() for text in axes.texts]


def test_skill_and_spread_by_step():
    (axes,) = collapse_figure(watched()).axes
    skill, spread = axes.lines[:2]
    assert list(skill.get_xdata()) == list(spread.get_xdata()) == [4, 8, 16]
    assert list(skill.get_ydata()) == [-1, 0.1, 0.9]  # far off is at the edge
    assert list(spread.get_ydata()) == [1.5, 0.2, 1]
    assert axes.get_title(loc="left") == ""
    assert words_of(axes) == []


@pytest.mark.parametrize(
    ("alarms", "rescues", "words"),
    [
        ([8], [], ["collapsed"]),
        ([8], ["line"], ["rescued"]),
        ([4, 8, 16], ["line", "line"], ["rescued", "rescued", "stopped"]),
    ],
)
def test_collapses_and_rescues_are_marked(alarms, rescues, words):
    (axes,) = collapse_figure(watched(alarms, rescues)).axes
    assert words_of(axes) == words
    assert [text.xy[0] for text in axes.texts] == alarms
    assert [line.get_xdata()[0] for line in axes.lines[3:]] == alarms


def test_the_title_is_the_first_finding():
    found = diagnosis(("KTF403", "error"), ("KTF501", "error"))
    (axes,) = collapse_figure(watched([8], found=found)).axes
    assert axes.get_title(loc="left") == "KTF403 dead-relu"
    (axes,) = collapse_figure(watched(found=diagnosis())).axes
    assert axes.get_title(loc="left") == ""


def test_a_detector_draws_and_saves_it(tmp_path):
    detector = kt.CollapseDetector((X, Y))
    assert len(detector.plot().axes[0].lines[0].get_xdata()) == 0  # before any fit
    with collected():
        pretend(detector, dead_net())
    (axes,) = detector.plot(tmp_path / "seen.png").axes
    assert (tmp_path / "seen.png").stat().st_size > 1000
    assert list(axes.lines[0].get_xdata()) == detector.history["step"] == [4, 8]
    assert "KTF403" in axes.get_title(loc="left")
    assert words_of(axes) == ["collapsed"]
