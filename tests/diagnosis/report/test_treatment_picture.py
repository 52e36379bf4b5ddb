"""The picture of the experiments."""

import xml.etree.ElementTree as ElementTree

import pytest

from keras_trainfix import Diagnosis, diagnose
from keras_trainfix.diagnosis.findings import SkillCurve
from keras_trainfix.diagnosis.report.treatment_picture import draw_treatments
from tests.diagnosis.experiments.benches import compiled, mlp, table

CONTROL = SkillCurve("learning rate times 1", (0, 64, 128), (0.0, 0.01, 0.02), True)
NAN = float("nan")


def lines(picture):
    root = ElementTree.fromstring(picture)
    paths = [e for e in root.iter() if e.tag.endswith("path")]
    return [e for e in paths if e.get("stroke") in ("#2f81f7", "#8b949e")]


def test_a_line_for_each_run_and_the_best_one_is_bold():
    good = SkillCurve("the penalties off", (0, 64, 128), (0.0, 0.6, 0.9), False)
    poor = SkillCurve("gradients clipped", (0, 64, 128), (0.0, 0.1, 0.1), False)
    picture = draw_treatments([CONTROL, poor, good])
    drawn = lines(picture)
    assert len(drawn) == 3
    assert [bool(e.get("stroke-width")) for e in drawn] == [False, False, True]
    assert "Skill with the penalties off" in picture
    end = drawn[2].get("d").split("L")[-1].split()
    assert float(end[1]) < float(drawn[0].get("d").split("L")[-1].split()[1])


@pytest.mark.parametrize(
    ("skills", "count", "has_arrow"),
    [((0.0, NAN, -7.0), 2, True), ((NAN, NAN, NAN), 1, False)],
)
def test_what_is_not_finite_or_below_the_scale(skills, count, has_arrow):
    picture = draw_treatments([CONTROL, SkillCurve("x", (0, 64, 128), skills, False)])
    assert len(lines(picture)) == count
    assert ("↓" in picture) == has_arrow


def test_only_an_experiment_with_treatments_is_drawn():
    x, y = table()
    model = compiled(mlp(kernel_regularizer="l2"), lambda y, p: 0 * p)
    diagnosis = diagnose(model, x, y)
    assert diagnosis.curves[0].words == "learning rate times 1"
    assert "Skill with" in diagnosis._repr_html_()
    assert "Skill with" not in Diagnosis([])._repr_html_()
