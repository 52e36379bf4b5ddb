"""The step at which a training that makes progress turns NaN."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_trainfix import diagnose
from keras_trainfix.diagnosis.experiments.bench import Bench
from keras_trainfix.diagnosis.experiments.breakdown import breakdown
from keras_trainfix.diagnosis.experiments.training import Training, split_samples
from keras_trainfix.diagnosis.observe.layer_outputs import untouched
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.nets import inputs

X = 8 * inputs(256)
Y = (X[:, :1] > 0).astype("float32")


def focal(clip):
    """Its slope is infinite as soon as an answer is right to the bit."""

    def loss(y, p):
        p = ops.clip(p, clip, 1 - clip)
        right = y * p + (1 - y) * (1 - p)
        return -ops.mean((1 - right) ** 0.5 * ops.log(right + 1e-7), axis=-1)

    return loss


def sure(clip=0.0):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(16, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.02), focal(clip))
    return model


def found(model, y=Y):
    with untouched(model):
        snapshot = Snapshot(model, X, y)
        training = Training(model, *split_samples(snapshot.more(512)))
        bench = Bench(training, snapshot, 32)
        control = bench.run()
        weights = model.get_weights()
        seen = breakdown(bench, control)
        for one, two in zip(weights, model.get_weights(), strict=True):
            np.testing.assert_array_equal(one, two)
    return control, seen


def test_an_infinite_slope_that_training_comes_to():
    control, seen = found(sure())
    assert seen.step in (len(control.losses) - 1, len(control.losses))
    assert seen.step > 2
    assert seen.gradients.place is None  # the loss itself
    assert np.isfinite(seen.gradients.loss)
    control, seen = found(sure(clip=1e-6))
    assert np.isfinite(control.losses).all()
    assert seen is None


def test_steps_that_are_too_long_are_another_fault():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((6,)), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(30.0), "mse")
    control, seen = found(model)
    assert not np.isfinite(control.losses[-1])
    assert seen is None


@pytest.mark.usefixtures("whole_bench")
def test_the_diagnosis_names_it():
    first, *_ = diagnose(sure(), X, Y).findings
    assert (first.code, first.severity) == ("KTF412", "error")
    assert f"step {first.evidence['step']} turns the weights NaN" in first.message
    codes = {finding.code for finding in diagnose(sure(1e-6), X, Y).findings}
    assert "KTF412" not in codes
