"""What the steps of a short `fit` reach, beside those of the bench."""

import keras
import numpy as np
import pytest

from keras_trainfix import diagnose
from keras_trainfix.diagnosis.experiments.bench import Bench
from keras_trainfix.diagnosis.experiments.planned import planned
from keras_trainfix.diagnosis.experiments.training import Training, split_samples
from keras_trainfix.diagnosis.fit_arguments import FitArguments
from keras_trainfix.diagnosis.observe.layer_outputs import untouched
from keras_trainfix.diagnosis.snapshot import Snapshot

rng = np.random.default_rng(0)
Y = rng.integers(0, 10, 1024)
X = (rng.normal(size=(10, 64))[Y] + rng.normal(size=(1024, 64))).astype("float32")


def net(rate=1e-3):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    return model


def codes(model, **arguments):
    diagnosis = diagnose(model, X, Y, **arguments)
    return {f.code: f for f in diagnosis.findings if f.severity != "note"}


@pytest.mark.slow
def test_few_steps_that_would_suffice_if_there_were_more(whole_bench):
    found = codes(net(), epochs=6, batch_size=1024)
    assert "The 6 steps of `fit` reach skill" in found["KTF410"].message
    assert found["KTF410"].evidence["better_skill"] > 0.8
    assert "KTF410" not in codes(net(), epochs=3, batch_size=512)  # of many, perhaps
    assert not codes(net(), epochs=4)
    assert not codes(net(), epochs=1)  # which says nothing


def steps_made(rate, steps, factors):
    model = net(rate)
    with untouched(model):
        snapshot = Snapshot(model, X, Y, fit=FitArguments(planned_steps=steps))
        training = Training(model, *split_samples(snapshot.more(512)))
        bench = Bench(training, snapshot, 32)
        controls = {factor: bench.run(factor=factor) for factor in factors}
        return planned(bench, snapshot, controls)


def test_steps_are_made_where_their_number_may_be_the_fault(whole_bench):
    few = steps_made(1e-3, 8, [1.0])
    assert few.steps == len(few.outcome.losses) == 8
    assert few.outcome.value < 0.4
    slow = steps_made(2e-6, 300, [1.0, 100.0])
    assert len(slow.outcome.losses) == 300
    assert slow.outcome.value < 0.2


@pytest.mark.parametrize(
    ("rate", "steps", "factors"),
    [
        (1e-3, 200, [1.0]),
        (1e-3, None, [1.0]),
        (2e-6, 600, [1.0, 100.0]),
        (2e-6, 300, [1.0]),
    ],
)
def test_steps_that_are_not_in_question(whole_bench, rate, steps, factors):
    assert steps_made(rate, steps, factors) is None
