"""Models that predict the next step may not see it; taggers may look both ways."""

import keras
import numpy as np
from keras import layers

from tests.diagnosis.experiments.instruments.sequences import (
    one_behind,
    reader,
    tokens,
    translator,
)
from tests.diagnosis.single import run

CODE = "KTF426"


def both_ways(units=8):
    return layers.Bidirectional(layers.GRU(units, return_sequences=True), name="both")


def test_language_models():
    x, y = tokens(), np.roll(tokens(), -1, axis=1)
    finding = run(CODE, reader(both_ways()), x, y)
    assert finding.severity == "error"
    assert "'both'" in finding.message
    assert run(CODE, reader(layers.GRU(8, return_sequences=True)), x, y) is None
    labels = (x + np.roll(x, -1, axis=1) > 12).astype("int32")
    assert run(CODE, reader(both_ways()), x, labels) is None


def test_decoders():
    y = tokens()
    x = [tokens(seed=1), one_behind(y)]
    finding = run(CODE, translator(use_causal_mask=False), x, y)
    assert "use_causal_mask" in finding.fix
    assert run(CODE, translator(use_causal_mask=True), x, y) is None
    assert run(CODE, translator(), x, y) is None


def test_a_series_of_numbers_is_a_warning():
    series = np.random.default_rng(0).normal(size=(64, 11, 2)).astype("float32")
    x, y = series[:, :-1], series[:, 1:, :1]
    for first, severity in ((both_ways(), "warning"), (layers.Dense(4), None)):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((10, 2)), first, layers.Dense(1)])
        model.compile("adam", "mse")
        finding = run(CODE, model, x, y)
        assert (finding and finding.severity) == severity
