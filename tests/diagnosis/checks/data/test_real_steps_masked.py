"""Masks that hide real steps are found, and proven by another padding."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix import diagnose

rng = np.random.default_rng(0)
WITHIN = np.arange(16) < rng.integers(10, 17, size=(512, 1))
SOLD = rng.uniform(1, 2, WITHIN.shape) * (rng.uniform(size=WITHIN.shape) < 0.3)
SOLD[:, 0] = 1.5  # the mean over no step is NaN
WITHOUT = ((SOLD == 0) & WITHIN).sum(1) / WITHIN.sum(1)


def series(padding):
    return np.where(WITHIN, SOLD, padding)[..., None].astype("float32")


def averaging(*first):
    """The mean over the steps that the mask shows."""
    keras.utils.set_random_seed(1)
    pooled = [layers.Dense(32, "relu"), layers.GlobalAveragePooling1D()]
    model = keras.Sequential([*first, *pooled, layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.03), "mse")
    return model


def masked(padding):
    return averaging(keras.Input((16, 1)), layers.Masking(padding))


def found(model, x, y):
    return [f for f in diagnose(model, x, y).findings if f.code == "KTF150"]


@pytest.mark.slow
def test_days_without_sales_are_hidden(whole_bench):
    (finding,) = found(masked(0.0), series(0.0), 4 * WITHOUT)
    assert finding.severity == "warning"
    assert finding.evidence["share"] == pytest.approx(0.6, abs=0.1)
    assert finding.proof.holds
    tried = finding.proof.treatment
    assert "the data do not have" in tried or "standardized" in tried
    assert not found(masked(-1.0), series(-1.0), 4 * WITHOUT)


@pytest.mark.slow
def test_a_model_that_learns_may_hide_what_it_likes(whole_bench):
    of_sales = SOLD.sum(1) / np.maximum(1, (SOLD > 0).sum(1))
    assert not found(masked(0.0), series(0.0), 4 * of_sales)


@pytest.mark.slow
def test_words_numbered_from_0(whole_bench):
    words = rng.integers(0, 3, WITHIN.shape)
    share = ((words == 0) & WITHIN).sum(1) / WITHIN.sum(1)

    def reader():
        embedding = layers.Embedding(5, 8, mask_zero=True)
        return averaging(keras.Input((16,), dtype="int32"), embedding)

    (finding,) = found(reader(), np.where(WITHIN, words, 0), 8 * share)
    assert "number from 1" in finding.fix
    assert not found(reader(), np.where(WITHIN, words + 1, 0), 8 * share)
