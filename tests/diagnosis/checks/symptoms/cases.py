"""Data, nets and a judgment by all checks of symptoms, for their tests."""

import json
import re

import keras
import numpy as np
from keras import layers

from keras_trainfix.diagnosis.registry import CHECKS
from tests.diagnosis.nets import inputs, judge, view

OURS = sorted(code for code, check in CHECKS.items() if check.is_symptom)
X = inputs(256)
Y = X[:, :1] + 0.5 * X[:, 1:2]
ON = (Y > 0).astype("int32")
IDS = np.digitize(Y[:, 0], [-0.6, 0.6])
IMAGES = inputs(24, 256).reshape(24, 16, 16, 1)
MASKS = (IMAGES > 0.3).astype("int32")


def findings(model, x, y, codes=OURS):
    result = [judge(code, view(model, x, y)) for code in codes]
    for finding in filter(None, result):
        json.dumps(finding.to_dict())
        assert re.search(r"\d", finding.message)
        assert finding.fix
    return [finding for finding in result if finding]


def the_only(code, model, x, y):
    found = findings(model, x, y)
    assert [finding.code for finding in found] == [code], found
    assert found[0].severity == CHECKS[code].severity
    return found[0]


def sequential(*parts, x=X, loss="mse", lr=0.01):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input(x.shape[1:]), *parts])
    model.compile(keras.optimizers.Adam(lr), loss)
    return model


def fit(model, x, y, steps, batch_size=16, **settings):
    epochs = max(1, steps * batch_size // len(x))
    model.fit(x, y, batch_size=batch_size, epochs=epochs, verbose=0, **settings)
    return model


def steps_done(model, steps):
    """As if a model had been trained so long."""
    model.optimizer.build(model.trainable_variables)
    model.optimizer.iterations.assign(steps)
    return model


def answering(logits, loss, steps=500):
    """A model that gives its inputs as logits, after some steps."""
    units = logits.shape[-1]
    model = sequential(
        layers.Dense(units, kernel_initializer="identity"), x=logits, loss=loss
    )
    return steps_done(model, steps)


def sparse():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def binary():
    return keras.losses.BinaryCrossentropy(from_logits=True)
