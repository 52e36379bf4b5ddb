"""The loss that the trial reached at each learning rate."""

import pytest

from keras_trainfix.diagnosis.findings import RateCurve
from keras_trainfix.diagnosis.report.range_picture import draw_rates
from tests.diagnosis.report.samples import parsed

INF = float("inf")


def test_losses_over_rates():
    picture = draw_rates(RateCurve((1e-4, 1e-3, 1e-2), (0.9, 0.5, 0.7), 1.0, 1e-3, 32))
    parsed(picture)
    assert picture.count("<circle") == 3
    assert "Loss after 32 steps" in picture
    assert "compiled 0.001" in picture
    assert "↑" not in picture


def test_what_is_beyond_the_axis_has_an_arrow_and_its_value():
    picture = draw_rates(RateCurve((1e-4, 1e-3, 1e-2), (0.9, 906.0, INF), 1.0, 1e-3, 8))
    assert picture.count("<circle") == 1
    assert "↑ 906" in picture
    assert "↑ NaN" in picture


@pytest.mark.parametrize("losses", [(INF, INF), (0.0, 0.0)])
def test_odd_losses(losses):
    picture = draw_rates(RateCurve((1e-4, 1e-3), losses, 0.0, 1e-3, 8))
    assert bool(picture) == (losses[0] == 0)
    assert "nan" not in picture
