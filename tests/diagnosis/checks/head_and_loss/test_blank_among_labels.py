"""A 0 between symbols of a CTC loss is found; a 0 behind them is padding."""

import keras
import numpy as np
import pytest

from tests.diagnosis.nets import inputs
from tests.diagnosis.single import run

X = inputs(64, 72).reshape(64, 12, 6)
SYMBOLS = np.random.default_rng(0).integers(0, 3, (64, 4))


def reader(loss="ctc", units=4):
    model = keras.Sequential([keras.Input((12, 6)), keras.layers.Dense(units)])
    model.compile("adam", keras.losses.CTC() if loss == "ctc" else loss)
    return model


@pytest.mark.every_backend
def test_symbols_numbered_from_0():
    finding = run("KTF217", reader(), X, SYMBOLS)
    share = np.mean(
        [0 in row[: np.flatnonzero(row)[-1]] if row.any() else False for row in SYMBOLS]
    )
    assert finding.evidence["share"] == pytest.approx(share)
    assert finding.severity == "error"
    assert finding.fix.startswith("y = y + 1")
    assert run("KTF217", reader(), X, SYMBOLS + 1) is None


def test_a_head_without_room_for_the_blank():
    assert "# with 4 units" in run("KTF217", reader(units=3), X, SYMBOLS).fix


def test_padding_behind_and_other_losses():
    padded = np.where(np.arange(4) < 2, SYMBOLS + 1, 0)
    assert run("KTF217", reader(), X, padded) is None
    loss = keras.losses.MeanSquaredError()
    assert run("KTF217", reader(loss), X, SYMBOLS) is None
