"""Runs one treatment of a model on the bench."""

import keras
import numpy as np

from keras_trainfix.diagnosis.experiments.bench import Bench
from keras_trainfix.diagnosis.experiments.outcome import gain
from keras_trainfix.diagnosis.experiments.training import Training, split_samples
from keras_trainfix.diagnosis.experiments.treatment import TREATMENTS, Case
from keras_trainfix.diagnosis.fit_arguments import FitArguments
from keras_trainfix.diagnosis.observe.layer_outputs import untouched
from keras_trainfix.diagnosis.snapshot import Snapshot


def gains(name, model, x, y, sample_weight=None, steps=128, factor=1.0, **fit):
    """A dict of the words of each variant of a treatment to its gain."""
    snapshot = Snapshot(model, x, y, sample_weight, fit=FitArguments(**fit))
    train, held_out = split_samples(snapshot.more(2304))
    training = Training(model, train, held_out)
    with untouched(model):
        bench = Bench(training, snapshot, 32)
        bench.plan = bench.plan._replace(steps=steps)
        control = bench.run(factor=factor)
        return {
            variant.words: gain(bench.run(variant.training, factor), control)
            for variant in TREATMENTS[name].variants(Case(training, snapshot))
        }


def table(seed=0, samples=512, features=4):
    """Inputs, and targets that are a curved function of them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(samples, features)).astype("float32")
    y = (np.sin(x[:, :1]) + x[:, 1:2] * 0.7).astype("float32")
    return x, y


def mlp(*middle, features=4, units=1, width=16, activation="relu", **settings):
    """A small net with further layers between the hidden layer and the head."""
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((features,)),
            keras.layers.Dense(width, activation=activation, **settings),
            *middle,
            keras.layers.Dense(units),
        ]
    )


def compiled(model, loss="mse", rate=0.01):
    """The model, compiled with Adam."""
    model.compile(keras.optimizers.Adam(rate), loss)
    return model
