"""A bag of steps is a warning only where the targets depend on the order."""

import keras
import numpy as np
from keras import layers

from tests.diagnosis.experiments.instruments.sequences import (
    SPARSE,
    TOKENS,
    Positions,
    tokens,
)
from tests.diagnosis.single import run

CODE = "KTF430"


def transformer(positions=False, attention=True, steps=8):
    keras.utils.set_random_seed(1)
    ids = keras.Input((steps,))
    x = layers.Embedding(TOKENS, 16)(ids)
    x = Positions()(x) if positions else x
    x = x + layers.MultiHeadAttention(2, 8)(x, x) if attention else x
    x = layers.GlobalAveragePooling1D()(x)
    model = keras.Model(ids, layers.Dense(TOKENS, activation="softmax")(x))
    model.compile("adam", SPARSE)
    return model


def test_targets_that_depend_on_the_order():
    x = tokens(samples=256)
    y = (x[:, 0] > 6).astype("int32")
    for attention in (True, False):
        finding = run(CODE, transformer(attention=attention), x, y)
        assert finding.severity == "warning"
        assert finding.evidence["ordered_skill"] > 0.5
    assert run(CODE, transformer(positions=True), x, y) is None


def test_targets_that_do_not():
    x = tokens(samples=256)
    y = (x == 3).any(1).astype("int32")
    assert run(CODE, transformer(), x, y).severity == "note"
    assert run(CODE, transformer(attention=False), x, y) is None
    assert run(CODE, transformer(positions=True), x, y) is None


def test_images_by_rows_need_few_positions():
    """The rows of one place differ from those of others: a set of them says most."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 256)
    x = 0.1 * rng.normal(size=(256, 6, 6)).astype("float32")
    x += np.eye(6, dtype="float32")
    x[np.arange(256), y] += 1.0
    keras.utils.set_random_seed(1)
    rows = keras.Input((6, 6))
    h = layers.Dense(16)(rows)
    h = layers.GlobalAveragePooling1D()(h + layers.MultiHeadAttention(2, 8)(h, h))
    model = keras.Model(rows, layers.Dense(4, activation="softmax")(h))
    model.compile("adam", SPARSE)
    assert run(CODE, model, x, y).severity == "note"
    x = rng.normal(size=(256, 6, 6)).astype("float32")
    y = (x[:, 0].sum(1) > 0).astype("int32")
    assert run(CODE, model, x, y).severity == "warning"
