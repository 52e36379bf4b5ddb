"""Steps that are too long are found, and a tenth of them is not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers, optimizers

from keras_trainfix.diagnosis.diagnose import diagnose
from tests.diagnosis.checks.optimization.cases import (
    X,
    Y,
    assert_first,
    assert_healthy,
    data,
    few_examples,
    mlp,
    net,
    seeds,
)


@few_examples
@given(
    width=st.sampled_from([16, 64]),
    depth=st.integers(1, 3),
    rate=st.sampled_from([(optimizers.SGD, 3.0), (optimizers.Adam, 3.0)]),
    seed=seeds,
)
def test_a_rate_that_is_too_high(width, depth, rate, seed):
    make, number = rate
    x, y = data(seed)
    model = mlp(make(number), (width,) * depth, seed=seed)
    finding = assert_first("KTF401", model, x, y)
    assert finding.evidence["better_rate"] < number / 5
    assert finding.evidence["better_end"] < finding.evidence["start"]
    assert_healthy(
        mlp(make(finding.evidence["better_rate"]), (width,) * depth, seed=seed), x, y
    )


def boxes(samples=256, size=32):
    """A white square on black, and where it is."""
    rng = np.random.default_rng(0)
    x = np.zeros((samples, size, size, 3), "float32")
    places = rng.integers(0, size - 8, (samples, 2))
    for image, (row, column) in zip(x, places, strict=True):
        image[row : row + 8, column : column + 8] = 1
    return x, (places / (size - 8) * 2 - 1).astype("float32")


def box_net(rate, seed):
    convolutions = [
        layers.Conv2D(filters, 5, strides=2, activation="relu")
        for filters in (32, 64, 128)
    ]
    return net(
        *convolutions,
        layers.Flatten(),
        layers.Dense(100, "relu"),
        layers.Dense(2),
        shape=(32, 32, 3),
        optimizer=optimizers.Adam(rate),
        seed=seed,
    )


def test_a_net_that_dies_while_it_looks_for_boxes():
    """At a tenth of the rate it finds them."""
    x, y = boxes()
    finding = assert_first("KTF401", box_net(0.01, 0), x, y, (1.0, 0.1))
    assert finding.evidence["dead_share"] > 0.7
    assert finding.evidence["better_rate"] == pytest.approx(0.001)
    assert_healthy(box_net(0.001, 0), x, y, (1.0, 0.1))


def test_a_model_that_died_of_its_rate_is_tried_from_new_weights():
    model = mlp(optimizers.Adam(30.0), (16, 16))
    model.fit(X, Y - 5, epochs=20, verbose=0)
    assert "KTF401" in diagnose(model, X, Y - 5).codes
