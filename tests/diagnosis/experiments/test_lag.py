"""The skill that averages of a short training cost, on the bench."""

import keras
import numpy as np
from keras import layers

from keras_trainfix.diagnosis.experiments.bench import Bench
from keras_trainfix.diagnosis.experiments.lag import lag
from keras_trainfix.diagnosis.experiments.training import Training, split_samples
from keras_trainfix.diagnosis.fit_arguments import FitArguments
from keras_trainfix.diagnosis.observe.layer_outputs import untouched
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.nets import inputs

X = 40 + inputs(256)
Y = (X[:, 0] > 40).astype("int32")


def measured(momentum=0.99, steps=60, x=X):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(16),
            layers.BatchNormalization(momentum=momentum),
            layers.ReLU(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    before = model.get_weights()
    with untouched(model):
        snapshot = Snapshot(model, x, Y, fit=FitArguments(planned_steps=steps))
        training = Training(model, *split_samples(snapshot.more(512)))
        bench = Bench(training, snapshot, 32)
        result = lag(bench, snapshot, bench.run())
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    return result


def test_statistics_far_from_0_and_1_cost_skill():
    result = measured()
    assert round(result.kept, 3) == 0.547
    assert result.in_training > 0.8
    assert result.in_inference < 0.4


def test_those_of_standardized_inputs_cost_little():
    result = measured(x=X - 40)
    assert result.in_inference > result.in_training - 0.2


def test_what_follows_is_not_measured():
    assert measured(momentum=0.9) is None
    assert measured(steps=1000) is None
    assert measured(steps=None) is None
