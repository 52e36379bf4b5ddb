"""What the programs share: the shape of a run, and qualities above a constant."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass
class Run:
    """A compiled model, and what its user does with it.

    Attributes:
        model: The compiled `keras.Model`.
        probe: Tuple of inputs and targets, which its user gives to `diagnose`.
        fit: Function of a model and of callbacks that trains it.
        quality: Function of a model: 0 for the best constant answer, 1 for perfect.
    """

    model: Any
    probe: tuple
    fit: Any
    quality: Any


def arrays(model, x, y, quality, **settings):
    """The `Run` of a plain `model.fit(x, y)`."""
    settings.setdefault("verbose", 0)
    own = list(settings.pop("callbacks", ()))

    def fit(model, callbacks=()):
        return model.fit(x, y, callbacks=[*own, *callbacks], **settings)

    return Run(model, (x, y), fit, quality)


def batches(model, source, probe, quality, **settings):
    """The `Run` of a `model.fit(source())`, where `source()` gives batches."""
    settings.setdefault("verbose", 0)

    def fit(model, callbacks=()):
        return model.fit(source(), callbacks=list(callbacks), **settings)

    return Run(model, probe, fit, quality)


def generator():
    """A NumPy generator that follows from the seed of the program."""
    return np.random.default_rng(np.random.randint(2**31))


def answers(model, x):
    """What a model predicts, as an array of float64."""
    return np.asarray(model.predict(x, verbose=0, batch_size=256), "float64")


def explained(y, p):
    """The share of the variance that is explained, over all columns together."""
    y = np.asarray(y, "float64").reshape(len(y), -1)
    p = np.asarray(p, "float64").reshape(y.shape)
    if not np.isfinite(p).all():
        return float("-inf")
    return float(1 - ((y - p) ** 2).mean() / y.var(0).mean())


def recognized(y, ids):
    """The mean recall of the classes, of which a constant answer has 0."""
    y, ids = np.ravel(y).astype(int), np.ravel(ids).astype(int)
    classes = np.unique(y)
    recall = np.mean([(ids[y == c] == c).mean() for c in classes])
    return float((recall - 1 / len(classes)) / (1 - 1 / len(classes)))


def overlap(y, mask):
    """The intersection over union of masks, of which the full mask has 0."""
    y, mask = np.ravel(y) > 0.5, np.ravel(mask) > 0.5
    shared = (y & mask).sum() / max((y | mask).sum(), 1)
    return float((shared - y.mean()) / (1 - y.mean()))
