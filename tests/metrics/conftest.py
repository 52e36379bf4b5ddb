import pytest

from tests.metrics.reference import SHAPE, patches


@pytest.fixture
def maps(rng):
    """Maps of labels, some void, and of predicted ids."""
    labels, predicted = patches(rng), patches(rng)
    labels[rng.random(SHAPE) < 0.1] = 255
    return labels, predicted
