"""A layer that destroys its input in training is found, with both ranges."""

import numpy as np
import pytest
from keras import layers

from tests.diagnosis.nets import inputs
from tests.diagnosis.single import run, sequential

IMAGES = np.random.default_rng(0).random((64, 8, 8, 3)).astype("float32")


def augmented(layer, x=IMAGES):
    net = sequential(layer, layers.Flatten(), layers.Dense(1), shape=x.shape[1:])
    return run("KTF305", net, x, x.reshape(len(x), -1)[:, :1])


@pytest.mark.parametrize("scale", [1, 255])
def test_a_wrong_range_of_brightness(scale):
    right, wrong = (0, scale), (0, 256 - scale)
    finding = augmented(layers.RandomBrightness(0.3, value_range=wrong), scale * IMAGES)
    assert finding.severity == "error"
    assert "RandomBrightness" in finding.message
    assert f"value_range={right}" in finding.fix
    fine = layers.RandomBrightness(0.3, value_range=right)
    assert augmented(fine, scale * IMAGES) is None


@pytest.mark.parametrize(
    ("rate", "severity"), [(0.99, "error"), (0.92, None), (0.5, None)]
)
def test_dropout(rate, severity):
    finding = augmented(layers.Dropout(rate), inputs(256, 32))
    assert (finding and finding.severity) == severity


@pytest.mark.parametrize(
    "layer",
    [
        lambda: layers.RandomFlip(),
        lambda: layers.RandomRotation(0.5),
        lambda: layers.RandomTranslation(0.3, 0.3),
        lambda: layers.RandomContrast(0.5),
        lambda: layers.GaussianNoise(0.3),
        lambda: layers.SpatialDropout2D(0.5),
    ],
)
def test_what_is_usual_stays_silent(layer):
    assert augmented(layer()) is None
    assert augmented(layers.Dropout(0.99))
