"""A forecast of demand that trains to a small loss and does not forecast.

`timeseries_dataset_from_array` was given the series as data and as targets. It pairs a
window with the target at the same index: the first value in the window, not the value
that follows it. The repair is to give the targets from the end of the first window on.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import Run, answers, explained, generator

URL = "https://github.com/tensorflow/tensorflow/issues/40343"
CAUSE = "The target of a window is its own first value, not the one that follows."
FIRST = ("KTF134",)
HALF = "chosen"
QUALITY = (-1.45, 0.98)
STEPS = 16


def demand(count=1500):
    """Power by the hour: the day, the week, and weather that changes slowly."""
    rng = generator()
    hour = np.arange(count)
    weather = np.zeros(count)
    for t in range(1, count):
        weather[t] = 0.9 * weather[t - 1] + rng.normal(0, 0.12)
    level = np.sin(2 * np.pi * hour / 24) + 0.4 * np.sin(2 * np.pi * hour / 168)
    series = level + weather
    return ((series - series.mean()) / series.std()).astype("float32")[:, None]


def program(first_target):
    series = demand()
    source = keras.utils.timeseries_dataset_from_array(
        series,
        series[first_target:],
        sequence_length=STEPS,
        batch_size=32,
        shuffle=True,
        seed=1,
    )
    model = keras.Sequential(
        [
            keras.Input((STEPS, 1)),
            layers.Conv1D(16, 4, activation="relu"),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.002), "mse")
    windows = np.lib.stride_tricks.sliding_window_view(series[:-1, 0], STEPS)
    following = series[STEPS:]

    def fit(model, callbacks=()):
        return model.fit(source, epochs=15, verbose=0, callbacks=list(callbacks))

    def quality(model):
        return explained(following, answers(model, windows[..., None]))

    return Run(model, (source,), fit, quality)


def faulty():
    return program(first_target=0)


def repaired():
    return program(first_target=STEPS)
