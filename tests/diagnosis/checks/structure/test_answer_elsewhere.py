"""Dense answers that are in another place, and nets that only spread a change."""

import pytest
from keras import layers, ops

from tests.diagnosis.experiments.instruments.test_places import SIDE, conv, images
from tests.diagnosis.single import run, sequential

CODE = "KTF429"


def found(*parts):
    x = images()
    model = sequential(*parts, shape=(SIDE, SIDE, 1))
    return run(CODE, model, x, (x > 0.5).astype("float32"))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: [layers.Permute((2, 1, 3))],
        lambda: [layers.Lambda(lambda h: ops.flip(h, 1))],
        lambda: [layers.Permute((3, 1, 2)), layers.Reshape((SIDE, SIDE, 4))],
    ],
)
def test_answers_in_another_place(wrong):
    finding = found(conv(), *wrong(), layers.Conv2D(1, 1, activation="sigmoid"))
    assert finding.severity == "error"
    assert finding.evidence["in_place"] < 0.15
    assert found(conv(), layers.Conv2D(1, 1, activation="sigmoid")) is None


def test_nets_that_spread_a_change():
    halves = [layers.Conv2D(4, 3, strides=2, padding="same") for _ in range(3)]
    doubles = [
        layers.Conv2DTranspose(4, 3, strides=2, padding="same") for _ in range(3)
    ]
    assert found(*halves, *doubles, layers.Conv2D(1, 1)) is None
    dense = [layers.Flatten(), layers.Dense(8), layers.Dense(SIDE * SIDE)]
    assert found(*dense, layers.Reshape((SIDE, SIDE, 1))) is None
