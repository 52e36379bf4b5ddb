"""A net that is to find a square in images, and collapses at Adam's rate of 0.01."""

import warnings

import keras
import numpy as np
import pytest

import keras_trainfix as kt
from benchmarks.collapse_detector import box_data, box_net
from keras_trainfix.callbacks.collapse.detector import CollapseWarning


def fit(action, seed, noise, epochs, images=1536):
    x, y = box_data(seed, images, noise=noise)
    model = box_net(seed)
    detector = kt.CollapseDetector((x, y), action=action)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)
        history = model.fit(
            x, y, batch_size=64, epochs=epochs, verbose=0, callbacks=[detector]
        )
    x, y = box_data(seed + 100, 256, noise=noise)
    error = np.mean((model.predict(x, verbose=0) - y) ** 2) / y.var()
    return detector, history.history, error


@pytest.mark.slow
@pytest.mark.one_backend
@pytest.mark.parametrize("noise", [False, True])
def test_the_collapse_is_named_in_the_first_epoch(noise):
    detector, history, _ = fit("stop", 3, noise, epochs=2)
    assert len(history["loss"]) == 1
    first = detector.diagnosis.findings[0]
    assert first.code in ("KTF401", "KTF403")
    assert detector.alarms[0] <= 24
    assert detector.history["epoch"][-1] == 0


@pytest.mark.slow
def test_it_is_rescued_within_the_same_fit():
    detector, history, error = fit("rescue", 3, noise=False, epochs=3)
    assert len(history["loss"]) == 3
    assert detector.rescues
    assert error < 0.01
    rate = float(keras.ops.convert_to_numpy(detector.model.optimizer.learning_rate))
    assert rate < 0.01
