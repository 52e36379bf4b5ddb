"""Small trainings, healthy and collapsed, and the hooks of `fit` without a step."""

import contextlib
import warnings

import keras
import numpy as np
from keras import layers

import keras_trainfix as kt
from keras_trainfix.callbacks.collapse.detector import CollapseWarning
from keras_trainfix.diagnosis import diagnose as _registers  # noqa: F401
from keras_trainfix.diagnosis.registry import CHECKS

RNG = np.random.default_rng(0)
X = RNG.normal(size=(256, 4)).astype("float32")
Y = 2 * X[:, :1] + 1
SPARSE = "sparse_categorical_crossentropy"


def adam(rate):
    return keras.optimizers.Adam(rate)


def mlp(units=1, head=None, loss="mse", rate=0.01, **settings):
    hidden = layers.Dense(16, "relu")
    model = keras.Sequential(
        [keras.Input((4,)), hidden, layers.Dense(units, activation=head)]
    )
    model.compile(adam(rate), loss, **settings)
    return model


def dead_net():
    """A net whose hidden units are dead before the first step."""
    model = mlp()
    model.layers[0].bias.assign(np.full(16, -50.0))
    return model


def solved_net():
    """A net whose predictions are the targets."""
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.set_weights([2 * np.eye(4, 1), np.ones(1)])
    model.compile(adam(0.01), "mse")
    return model


def noisy_net():
    """A net that draws random numbers, and has statistics that move."""
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.GaussianNoise(0.1, seed=3),
            layers.Dense(16, "relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.2),
            layers.Dense(1),
        ]
    )
    model.compile(adam(0.01), "mse", metrics=["mae"])
    return model


def skill(model, x=X, y=Y):
    return 1 - np.mean((model.predict(x, verbose=0) - y) ** 2) / y.var()


def diagnosis(*pairs):
    """A `Diagnosis` with findings of these codes and severities."""
    return kt.Diagnosis(
        [
            kt.Finding(code, CHECKS[code].name, severity, {}, "", "", "")
            for code, severity in pairs
        ]
    )


def fit(model, detector=None, x=X, y=Y, epochs=4, others=(), **settings):
    given = [detector, *others] if detector is not None else list(others)
    return model.fit(
        x, y, epochs=epochs, verbose=0, callbacks=given, **settings
    ).history


def pretend(detector, model, epochs=1, steps=8):
    """Calls the hooks of `fit` without a step; returns the logs of the last epoch."""
    logs = {}
    detector.set_params({"verbose": 0})
    detector.set_model(model)
    detector.on_train_begin()
    for epoch in range(epochs):
        detector.on_epoch_begin(epoch)
        for batch in range(steps):
            detector.on_train_batch_begin(batch)
            detector.on_train_batch_end(batch)
        detector.on_epoch_end(epoch, logs)
    detector.on_train_end()
    return logs


@contextlib.contextmanager
def collected():
    """A list of the texts of the warnings of the detector."""
    texts = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield texts
    texts += [str(w.message) for w in caught if w.category is CollapseWarning]


def same_weights(a, b):
    return all(map(np.array_equal, a.get_weights(), b.get_weights()))
