"""Runs one treatment of a model on the bench."""

import functools

import keras
import numpy as np
import pytest

from keras_trainfix.diagnosis.experiments.bench import Bench
from keras_trainfix.diagnosis.experiments.outcome import gain
from keras_trainfix.diagnosis.experiments.training import training_of
from keras_trainfix.diagnosis.experiments.treatment import TREATMENTS, Case
from keras_trainfix.diagnosis.findings import Finding
from keras_trainfix.diagnosis.fit_arguments import FitArguments
from keras_trainfix.diagnosis.observe.layer_outputs import untouched
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.thresholds import EFFECT, LEARNS

LOW = 0.55  # skill of scores that rank samples of two classes and name one of them
PAIRS = {}  # the name of a treatment to the tests of it


def pair(name, cured, sound):
    """A test of a treatment: it cures one net, and is of no use to another.

    The decorated function takes one of two arguments, and returns the net, inputs,
    targets, and further arguments of `gains`.

    Args:
        name: Name of the treatment.
        cured: The argument for a net that does not learn without it.
        sound: The argument for a net that it does not help.
    """

    def decorate(function):
        PAIRS.setdefault(name, []).append(function.__name__)

        @pytest.mark.parametrize("cures", [True, False])
        @functools.wraps(function)
        def test(cures):
            model, x, y, *rest = function(cured if cures else sound)
            outcomes = run(name, model, x, y, **(rest[0] if rest else {}))
            control = outcomes.pop(None)
            gained = {words: gain(one, control) for words, one in outcomes.items()}
            assert (max(gained.values(), default=0.0) > EFFECT) == cures, gained
            if cures:
                # A distance may be right and far from its label: then the loss tells.
                both = [(one.value, one.loss_skill) for one in outcomes.values()]
                best = np.nanmax(both)
                assert control.value < LOW
                assert best > LEARNS

        del test.__wrapped__  # whose arguments pytest would look for
        return test

    return decorate


def gains(name, *data, **settings):
    """A dict of the words of each variant of a treatment to its gain, as for `run`."""
    outcomes = run(name, *data, **settings)
    control = outcomes.pop(None)
    return {words: gain(outcome, control) for words, outcome in outcomes.items()}


def run(name, model, x, y, sample_weight=None, steps=128, factor=1.0, codes=(), **fit):
    """A dict of the words of each variant of a treatment, or None, to its outcome."""
    findings = tuple(Finding(code, "", "error", {}, "", "", "") for code in codes)
    snapshot = Snapshot(model, x, y, sample_weight, fit=FitArguments(**fit))
    training = training_of(snapshot)
    with untouched(model):
        bench = Bench(training, snapshot, snapshot.batch_size or 32)
        bench.plan = bench.plan._replace(steps=steps)
        outcomes = {None: bench.run(factor=factor)}
        for variant in TREATMENTS[name].variants(Case(training, snapshot, findings)):
            outcomes[variant.words] = bench.run(variant.training, factor)
    return outcomes


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
