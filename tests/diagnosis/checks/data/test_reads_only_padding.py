"""Models that read nothing but padding, and models that read the tokens."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from tests.diagnosis.experiments.instruments.sequences import TOKENS, padded, reader
from tests.diagnosis.single import run

CODE = "KTF427"
Y = (np.arange(64) % 2).astype("float32")


def classifier(*parts, steps=100, **embedding):
    return reader(
        *parts,
        steps=steps,
        loss="binary_crossentropy",
        units=1,
        head="sigmoid",
        **embedding,
    )


@pytest.mark.parametrize("cell", [layers.LSTM, layers.GRU])
def test_padding_behind(cell):
    x = padded()
    model = classifier(cell(16))
    finding = run(CODE, model, x, Y)
    assert finding.severity == "error"
    assert finding.evidence["tokens"] < 1e-5 * finding.evidence["moved"]
    names = {"x": x, "np": np}
    exec(finding.fix, names)
    assert run(CODE, model, names["x"], Y) is None


def test_padding_in_front_of_a_net_that_reads_backwards():
    x = padded()[:, ::-1]
    model = classifier(layers.GRU(16, go_backwards=True))
    finding = run(CODE, model, x, Y)
    assert "beginning" in finding.message
    names = {"x": x, "np": np}
    exec(finding.fix, names)
    assert run(CODE, model, names["x"], Y) is None


@pytest.mark.parametrize(
    "parts",
    [
        [layers.Bidirectional(layers.LSTM(8))],
        [layers.GlobalAveragePooling1D()],
        [layers.Conv1D(8, 3), layers.GlobalMaxPooling1D()],
        [layers.Flatten()],
        [layers.GRU(16, return_sequences=True), layers.GlobalMaxPooling1D()],
    ],
)
def test_nets_that_read_the_tokens(parts):
    x = padded()
    assert run(CODE, classifier(layers.GRU(16)), x, Y) is not None
    assert run(CODE, classifier(*parts), x, Y) is None


def test_a_short_padding_is_a_note_at_most():
    x = padded(steps=30)
    assert run(CODE, classifier(layers.LSTM(16), steps=30), x, Y) is None
    finding = run(CODE, classifier(layers.GRU(16), steps=22), padded(steps=22), Y)
    assert finding.severity == "note"


@pytest.mark.parametrize("inverted", [True, False])
def test_a_mask_the_wrong_way_round(inverted):
    keras.utils.set_random_seed(1)
    ids = keras.Input((30,), dtype="int32")
    x = layers.Embedding(TOKENS, 8)(ids)
    is_token = ops.not_equal(ids, 0)
    mask = ops.logical_not(is_token) if inverted else is_token
    seen = layers.GlobalAveragePooling1D()(x, mask=mask)
    model = keras.Model(ids, layers.Dense(1, activation="sigmoid")(seen))
    model.compile("adam", "binary_crossentropy")
    finding = run(CODE, model, padded(steps=30), Y)
    assert (finding is not None) == inverted
    if inverted:
        assert "mask" in finding.fix


def test_real_features():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 120, 2)).astype("float32")
    x[np.arange(120) >= rng.integers(4, 12, (64, 1))] = 0
    for masked in (False, True):
        keras.utils.set_random_seed(1)
        parts = [layers.Masking(0)] if masked else []
        model = keras.Sequential(
            [keras.Input((120, 2)), *parts, layers.GRU(8), layers.Dense(1)]
        )
        model.compile("adam", "mse")
        finding = run(CODE, model, x, Y)
        assert (finding is None) == masked
        if finding is not None:
            assert "Masking(0)" in finding.fix


def test_half_of_the_samples_without_padding():
    x = padded()
    assert run(CODE, classifier(layers.LSTM(16)), x, Y) is not None
    x[::5] = np.random.default_rng(1).integers(1, TOKENS, x[::5].shape)
    assert run(CODE, classifier(layers.LSTM(16)), x, Y) is not None
    x[1::2] = np.random.default_rng(2).integers(1, TOKENS, x[1::2].shape)
    assert run(CODE, classifier(layers.LSTM(16)), x, Y) is None
