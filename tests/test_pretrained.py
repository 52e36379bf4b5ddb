"""Two pretrained models with batch normalization, as people have them on disk."""

import keras
import numpy as np
import pytest
from keras.layers import BatchNormalization

from examples import real_data
from keras_trainfix import (
    FrozenBatchNorm,
    batch_norm_gap,
    freeze_batch_norm,
    recalibrate_batch_norm,
    unfreeze_batch_norm,
)
from keras_trainfix.backend import to_numpy

pytestmark = [
    pytest.mark.network,
    pytest.mark.slow,
    # Files of Keras 2 have a list of one input; Keras 3 says so when given an array.
    pytest.mark.filterwarnings("ignore:The structure of `inputs` doesn't match"),
    # torch, of a convolution in the second model under older Keras.
    pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel"),
]

# name: (file, size of the image, number of normalization layers)
MODELS = {
    "emotion_model": (real_data.emotion_model_path, 64, 14),
    "rat_brain_model": (real_data.rat_brain_model_path, 128, 22),
}


@pytest.fixture(params=MODELS)
def case(request):
    """The model, four images of digits in its size, and its number of layers."""
    path, size, count = MODELS[request.param]
    images, _ = real_data.mnist_digits()
    x = images[:: len(images) // 4][:4].repeat(size // 32, 1).repeat(size // 32, 2)
    border = (size - x.shape[1]) // 2
    x = np.pad(x, ((0, 0), (border, border), (border, border)))[..., None] / 255.0
    return keras.models.load_model(path(), compile=False), x.astype("float32"), count


def norms(model, kind):
    return [layer for layer in model.layers if type(layer) is kind]


def statistics(model):
    return [
        to_numpy(weight)
        for layer in model.layers
        if isinstance(layer, BatchNormalization)
        for weight in (layer.moving_mean, layer.moving_variance)
    ]


def equal(before, after):
    return [bool((a == b).all()) for a, b in zip(before, after, strict=True)]


def test_converts_trains_and_converts_back(case):
    model, x, count = case
    output = model.predict(x, verbose=0)
    before = statistics(model)
    assert len(norms(model, BatchNormalization)) == count

    freeze_batch_norm(model)
    assert len(norms(model, FrozenBatchNorm)) == count
    np.testing.assert_array_equal(model.predict(x, verbose=0), output)

    model.compile(keras.optimizers.SGD(1e-3), "mse")
    gamma = [to_numpy(layer.gamma) for layer in norms(model, FrozenBatchNorm)]
    history = model.fit(x, output * 0, batch_size=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert all(equal(before, statistics(model)))
    after = [to_numpy(layer.gamma) for layer in norms(model, FrozenBatchNorm)]
    assert not all(equal(gamma, after))

    unfreeze_batch_norm(model)
    assert len(norms(model, BatchNormalization)) == count
    model.fit(x, output * 0, batch_size=2, verbose=0)
    assert not any(equal(before[::2], statistics(model)[::2]))


def test_recalibrates_and_shows_the_gap(case):
    model, x, count = case
    before = batch_norm_gap(model, x)
    assert len(before.layers) == count
    assert before.output_gap > 0.05
    recalibrate_batch_norm(model, x, batch_size=4)
    after = batch_norm_gap(model, x)
    assert after.output_gap < 0.05
    assert np.isfinite(model.predict(x, verbose=0)).all()
