"""KTF603: validation data that were prepared in another way."""

import numpy as np
import pytest

from keras_trainfix import diagnose
from tests.diagnosis.experiments.benches import compiled, mlp, table

pytestmark = pytest.mark.usefixtures("whole_bench")
X, Y = table(samples=768)
OTHER = [1, 2, 3, 0]


def codes(x_val, y_val):
    model = compiled(mlp(), rate=0.02)
    diagnosis = diagnose(model, X[:512], Y[:512], validation_data=(x_val, y_val))
    return diagnosis.codes


def test_columns_in_another_order():
    assert "KTF603" in codes(X[512:, OTHER], Y[512:])
    assert "KTF603" not in codes(X[512:], Y[512:])


def test_few_validation_samples_say_nothing():
    assert "KTF603" not in codes(X[512:540, OTHER], Y[512:540])


def test_noise_costs_less_than_another_order():
    noise = 0.3 * np.random.default_rng(1).normal(size=X[512:].shape)
    assert "KTF603" not in codes(X[512:] + noise.astype("float32"), Y[512:])
