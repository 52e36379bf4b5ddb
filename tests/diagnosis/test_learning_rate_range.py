"""What a learning rate range test found, as text, as HTML and as a picture."""

import dataclasses
import sys

import numpy as np
import pytest

from keras_trainfix.diagnosis.learning_rate_range import LearningRateRange

RATES = np.array([1e-7, 0.003, 0.1, 10.0])
LOSSES, SKILLS = np.array([1.0, 0.25, 50.0, np.nan]), np.array([0, 0.75, -1, -1])
FOUND = LearningRateRange(RATES, LOSSES, SKILLS, 0.003, 0.1, 1.0, 0.001, 128, 32)
LOST = LearningRateRange(RATES, LOSSES, SKILLS, None, None, 1.0, 0.001, 128, 1)
TABLE = """\
Use a learning rate of 0.003. The model is compiled with 0.001.
128 steps of 32 samples at each rate, from the same weights;
loss and skill on other samples. The loss was 1 before.

   rate        loss  skill
  1e-07           1   0.00
  0.003        0.25   0.75  <- use this
    0.1          50  -1.00  diverges
     10         nan  -1.00  diverges"""


def test_the_table():
    assert str(FOUND) == repr(FOUND) == TABLE


def test_the_table_where_no_rate_learns():
    lines = str(LOST).splitlines()
    assert lines[0].startswith("At no learning rate is the model better than a const")
    assert lines[0].endswith("`diagnose(model, x, y)` looks for the cause.")
    assert "128 steps of 1 sample at each rate" in lines[1]
    assert "<-" not in str(LOST)
    lower = dataclasses.replace(LOST, start=0.1)
    assert str(lower).startswith("No learning rate lowers the loss. `diagnose(")


def test_html_with_a_picture():
    pytest.importorskip("matplotlib")
    assert FOUND._repr_html_().startswith("<svg")
    assert "0.003        0.25   0.75  &lt;- use this" in FOUND._repr_html_()
    assert FOUND.plot().axes[0].get_xlabel() == "learning rate"


def test_html_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert FOUND._repr_html_().startswith("<pre>Use a learning rate")
    with pytest.raises(ImportError):
        FOUND.plot()
