"""The heat map of the layers."""

import pytest

from keras_trainfix.callbacks.collapse.layer_heat_map import (
    MOST_COLUMNS,
    WRONG,
    draw_layer_record,
)
from keras_trainfix.callbacks.collapse.layer_record import LayerRecord
from tests.diagnosis.report.samples import parsed

SVG = "{http://www.w3.org/2000/svg}"


def recorded(**changes):
    record = LayerRecord()
    record.changes = changes
    record.steps = list(range(8, 8 * len(next(iter(changes.values()), [])) + 8, 8))
    return record


def cells(picture):
    rects = parsed(picture).iter(f"{SVG}rect")
    return [rect for rect in rects if rect.find(f"{SVG}title") is not None]


def titles(picture):
    return [cell.find(f"{SVG}title").text for cell in cells(picture)]


def test_each_layer_has_a_row():
    picture = draw_layer_record(recorded(first=[0.1, 0.0], second=[3.0, float("nan")]))
    first, second = ["step 8: 0.1", "step 16: no change"], ["step 8: 3"]
    assert titles(picture) == [*first, *second, "step 16: not finite"]
    assert picture.count(WRONG) == 3  # two cells, and the key


def test_a_larger_change_is_darker():
    picture = draw_layer_record(recorded(a=[1e-5, 1e-3, 1e-1]))
    shades = [float(cell.get("fill-opacity")) for cell in cells(picture)]
    assert shades == sorted(shades)
    assert shades[0] < shades[-1]


@pytest.mark.parametrize("record", [recorded(), recorded(a=[])])
def test_nothing_is_drawn_before_the_second_look(record):
    assert draw_layer_record(record) == ""


def test_many_looks_are_thinned():
    picture = draw_layer_record(recorded(a=[0.1] * 500))
    assert len(titles(picture)) == MOST_COLUMNS
    assert "4000" in picture  # the last step
