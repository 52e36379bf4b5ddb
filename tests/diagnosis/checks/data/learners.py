"""What KTF131 and KTF132 find, and nets as if trained: for their tests."""

import json
import re

import keras
import numpy as np
from keras import layers

from tests.diagnosis.nets import inputs, judge, view

X = inputs(256)
Y = X[:, :1] + 0.5 * X[:, 1:2]


def findings(model, x, y):
    """The findings of both checks."""
    looked = view(model, x, y)
    found = [f for code in ("KTF131", "KTF132") if (f := judge(code, looked))]
    for finding in found:
        json.dumps(finding.to_dict())
        assert re.search(r"\d", finding.message)
        assert finding.fix
    return found


def codes(model, x, y):
    return [finding.code for finding in findings(model, x, y)]


def trained(model, steps=300):
    """As if the model had been trained so long."""
    model.optimizer.build(model.trainable_variables)
    model.optimizer.iterations.assign(steps)
    return model


def answering(values, loss, steps=300, activation=None):
    """A model that gives its inputs, followed by those that it does not look at."""
    units = values.shape[-1]
    entry = keras.Input((units + 8,))
    outputs = layers.Activation(activation)(layers.Dense(units, use_bias=False)(entry))
    model = keras.Model(entry, outputs)
    model.layers[1].kernel.assign(np.eye(units + 8, units))
    model.compile("sgd", loss)
    return trained(model, steps)
