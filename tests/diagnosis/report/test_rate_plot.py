"""The picture of a learning rate range test shows what its table says."""

import numpy as np
import pytest

from keras_trainfix.diagnosis.learning_rate_range import LearningRateRange
from keras_trainfix.diagnosis.report.rate_plot import rate_figure

RATES = np.array([0.01, 0.1, 1.0, 10.0])


def found(suggestion, edge):
    losses, skills = np.array([1.0, 0.2, 50.0, np.nan]), np.array([0, 0.8, -1, -1])
    return LearningRateRange(RATES, losses, skills, suggestion, edge, 1, 0.01, 8, 32)


def test_the_picture(tmp_path):
    pytest.importorskip("matplotlib")
    (axes,) = rate_figure(found(0.1, 1.0), tmp_path / "rates.png").axes
    assert axes.get_title(loc="left") == "Use a learning rate of 0.1"
    assert axes.get_xscale() == "log"
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), RATES)
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), [1.0, 0.2, 2.0, np.nan])
    assert [text.get_text() for text in axes.texts] == ["diverges"]
    assert (tmp_path / "rates.png").stat().st_size > 1000


def test_without_a_suggestion():
    pytest.importorskip("matplotlib")
    (axes,) = rate_figure(found(None, None)).axes
    assert axes.get_title(loc="left") == "No learning rate is good"
    assert not axes.texts
    assert len(axes.lines) == 2
