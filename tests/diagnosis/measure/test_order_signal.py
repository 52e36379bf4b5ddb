"""Simple learners gain by the order of the steps where the targets depend on it."""

import numpy as np
import pytest

from keras_trainfix.diagnosis.measure.order_signal import order_signal


def rng():
    return np.random.default_rng(0)


def which_first(samples=200, steps=10):
    """Ids, of which 1 and 2 occur once, and which comes first."""
    x, y = rng().integers(3, 12, (samples, steps)), rng().integers(0, 2, samples)
    for row, label in zip(x, y, strict=True):
        first, second = np.sort(rng().choice(steps, 2, replace=False))
        first, second = (first + label) % steps, (second + label) % steps
        low, high = sorted((first, second))
        row[low], row[high] = (1, 2) if label else (2, 1)
    return x, np.eye(2)[y]


def which_words(samples=200, steps=10):
    """Ids, and whether the 1 is among them."""
    x = rng().integers(2, 12, (samples, steps))
    y = rng().integers(0, 2, samples)
    x[y == 1, 4] = 1
    return x, np.eye(2)[y]


def ramps(samples=200, steps=10):
    """Numbers, and how much they rise."""
    x = rng().normal(size=(samples, steps, 2))
    return x, (x[..., 0] @ np.linspace(-1, 1, steps))[:, None]


def sums(samples=200, steps=10):
    """Numbers, and their sum."""
    x = rng().normal(size=(samples, steps, 2))
    return x, x.sum(1)[:, :1]


@pytest.mark.parametrize(
    ("data", "kind", "depends"),
    [
        (which_first, "classes", True),
        (which_words, "classes", False),
        (ramps, "regression", True),
        (sums, "regression", False),
    ],
)
def test_the_gain_by_the_order(data, kind, depends):
    signal = order_signal(*[data()[0], kind, data()[1]])
    if depends:
        assert signal.gain > 0.5
        assert signal.gain > 4 * signal.error
        assert signal.bag.skill < 0.2
    else:
        assert signal.gain < 0.1
        assert signal.bag.skill > 0.5


def test_chance_gains_nothing():
    x, y = which_first()
    assert order_signal(x, "classes", y[::-1]).gain < 0.1


def test_long_sequences_and_many_ids():
    x = rng().integers(0, 5000, (120, 100))
    y = np.where(np.arange(120)[:, None] % 2, [[0.0, 1.0]], [[1.0, 0.0]])
    assert order_signal(x, "classes", y).gain < 0.1
    x[:, -1] = np.arange(120) % 2
    assert order_signal(x, "classes", y).bag.skill > 0.3
