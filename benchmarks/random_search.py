"""Repair by random search over the treatments: what a rescue has to beat.

Half of the steps go into treatments drawn at random, each from the same initial
weights; the rest into the one that did best. Nothing is diagnosed.
"""

import contextlib
import io
import zlib

import numpy as np

from benchmarks.diagnosis import cases, zoo
from keras_trainfix.callbacks.collapse.cures import make
from keras_trainfix.callbacks.collapse.rates import set_rate
from keras_trainfix.callbacks.collapse.watch import Watch
from keras_trainfix.diagnosis.experiments.treatment import TREATMENTS
from keras_trainfix.diagnosis.observe.sample import take
from keras_trainfix.models.batch_norm_layers import batch_norm_layers
from keras_trainfix.models.optimizers import rate_of
from keras_trainfix.models.recalibrate import recalibrate_batch_norm

DRAWS = 3
DECADES = (-4, -3, -2, -1, 1, 2, 3, 4)  # of the learning rate
RECALIBRATED = "statistics recalibrated"  # after the steps


def search(case, seed):
    """The skill that random search reaches in the epochs of a case, and its choice.

    Args:
        case: A case of `benchmarks.diagnosis`, with a fault.
        seed: Integer, of the net, of its data and of the draws.

    Returns:
        `(skill, words)`.
    """
    rng = np.random.default_rng([seed, zlib.crc32(case.name.encode())])
    epochs = max(1, case.epochs // (2 * DRAWS))
    tried = [_drawn(case, seed, rng, epochs) for _ in range(DRAWS)]
    _, words, model, data = max(tried, key=lambda one: one[0])
    rest = max(1, case.epochs - DRAWS * epochs)
    return _trained(case, model, data, rest, words), words


def _drawn(case, seed, rng, epochs):
    """`(skill, words, model, data)` after a treatment drawn at random."""
    model, data = cases.build(case, seed)
    choices = _choices(model, data)
    words, change = choices[rng.integers(len(choices))]
    with contextlib.redirect_stdout(io.StringIO()):
        change()
    return _trained(case, model, data, epochs, words), words, model, data


def _trained(case, model, data, epochs, words):
    """The skill after some epochs."""
    with contextlib.redirect_stdout(io.StringIO()):
        cases.train(case, model, data, epochs)
        if words == RECALIBRATED:
            recalibrate_batch_norm(model, data.x)
    skill = zoo.verified(model, data)[0]
    return skill if np.isfinite(skill) else -np.inf


def _choices(model, data):
    """What a running `fit` may do: list of `(words, function that does it)`."""
    rate = rate_of(model.optimizer)
    choices = [
        (f"rate x 1e{d}", lambda d=d: set_rate(model, rate * 10.0**d)) for d in DECADES
    ]
    if batch_norm_layers(model):
        choices.append((RECALIBRATED, lambda: None))
    watch = Watch(model, take(data.x, data.y, data.sample_weight))
    for name in sorted(name for name, one in TREATMENTS.items() if one.in_fit):
        variant = watch.variant(name)
        if variant is not None:
            choices.append((variant.words, lambda mend=variant.mend: make(model, mend)))
    return choices
