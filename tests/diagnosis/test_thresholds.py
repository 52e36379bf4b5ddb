"""The table of thresholds: each line lies between the two figures that justify it."""

import pytest

from keras_trainfix.diagnosis.thresholds import Threshold, thresholds

LINES = dict(thresholds())


@pytest.mark.parametrize("name", LINES)
def test_a_line_separates_sound_models_from_faulty_ones(name):
    line = LINES[name]
    assert min(line.sound, line.faulty) < line < max(line.sound, line.faulty)
    assert line.unit


def test_a_threshold_is_a_number():
    line = Threshold(0.5, "share", sound=0.8, faulty=0.2)
    assert line == 0.5
    assert 0.4 < line < 0.6
