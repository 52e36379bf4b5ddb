"""Data, training and scores of the ten models in `04_diagnose_your_model.ipynb`."""

import os
from typing import NamedTuple

import keras
import numpy as np

SHORT = os.environ.get("KERAS_TRAINFIX_SHORT") == "1"
SEEDS = (1,) if SHORT else (1, 2, 3)
RESULTS: dict[str, tuple[str, list, list]] = {}


class Data(NamedTuple):
    """Training samples and held-out samples."""

    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


def split(x, y):
    """`Data` with a random three quarters for training, the same in every run."""
    order = np.random.default_rng(0).permutation(len(x))
    train, test = np.split(order, [len(x) * 3 // 4])
    return Data(x[train], y[train], x[test], y[test])


def table(load, scaled=True):
    """A scikit-learn data set, with every column standardized unless `scaled=False`."""
    x, y = load(return_X_y=True)
    data = split(x.astype("float32"), y)
    if not scaled:
        return data
    mean, std = data.x.mean(axis=0), data.x.std(axis=0) + 1e-3
    return data._replace(x=(data.x - mean) / std, x_test=(data.x_test - mean) / std)


def scaled_targets(data):
    """The same data with targets of mean 0 and standard deviation 1."""
    mean, std = data.y.mean(), data.y.std()
    y, y_test = ((part - mean) / std for part in (data.y, data.y_test))
    return data._replace(y=y.astype("float32"), y_test=y_test.astype("float32"))


def strokes(load_digits):
    """Noisy digits, and masks of their strokes: 1, 0, and 255 at the border."""
    images = load_digits().images[:800, ..., None].astype("float32") / 16
    masks = np.where(images > 0.6, 1, np.where(images < 0.3, 0, 255)).astype("int32")
    noise = np.random.default_rng(0).normal(0, 0.2, images.shape)
    return split((images + noise).astype("float32"), masks)


def sentences():
    """Sequences of 12 word ids, and whether most are among the first ten of 20."""
    x = np.random.default_rng(0).integers(0, 20, (1200, 12))
    return split(x, ((x < 10).sum(axis=1) > 6).astype("int32"))


def fit(build, x, y, epochs=20, **options):
    """Trains `build()` once per seed; returns the models."""
    if SHORT:  # whole batches only: less to compile
        epochs, few = 2, min(len(x) // 32 * 32, 256)
        x, y = x[:few], y[:few]
    models = []
    for seed in SEEDS:
        keras.utils.set_random_seed(seed)
        model = build()
        model.fit(x, y, epochs=epochs, verbose=0, **options)
        models.append(model)
    return models


def answers(model, x):
    return keras.ops.convert_to_numpy(model(x, training=False))


def accuracy(models, x, y):
    """Share of correct classes, from a softmax, logits, or one sigmoid unit."""

    def of(scores):
        return scores.argmax(-1) if scores.shape[-1] > 1 else scores[..., 0] > 0.5

    return [float((of(answers(model, x)) == y).mean()) for model in models]


def r2(models, x, y):
    """R2: 1 for perfect predictions, 0 for predicting the mean of the targets."""
    residuals = [y - answers(model, x)[:, 0] for model in models]
    return [float(1 - np.square(r).mean() / y.var()) for r in residuals]


def iou(models, x, y):
    """Intersection over union of the strokes without void, from logits."""
    masks = [(answers(model, x) > 0)[y != 255] for model in models]
    true = y[y != 255] == 1
    return [float((mask & true).sum() / (mask | true).sum()) for mask in masks]


def compare(code, score, before, after):
    """Prints the scores before and after the fix, and stores them in `RESULTS`."""
    RESULTS[code] = (score, before, after)
    print(f"{code}, {score}: {spread(before)} -> {spread(after)}")


def spread(values):
    """The mean, the lowest and the highest value, as text."""
    return f"{np.mean(values):.2f} ({min(values):.2f} to {max(values):.2f})"
