"""Data, nets and a diagnosis with its trial, for the tests of optimization."""

import json
import re

import keras
import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from keras import layers, optimizers

from keras_trainfix.diagnosis.examine import examine
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.trial.trial import FACTORS, try_steps

CODES = ["KTF401", "KTF402", "KTF408", "KTF410"]
few_examples = settings(max_examples=2)
seeds = st.integers(0, 99)


def data(seed=0, samples=128, features=6):
    """Numbers, and a target that is not linear in them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(samples, features)).astype("float32")
    return x, x[:, :1] + x[:, 1:2] * x[:, 2:3]


X, Y = data()


def net(*parts, shape=(6,), optimizer="adam", loss="mse", seed=1):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input(shape), *parts])
    model.compile(optimizer, loss)
    return model


def mlp(optimizer, hidden=(32,), activation="relu", seed=1, head=1, **settings):
    parts = [layers.Dense(width, activation, **settings) for width in hidden]
    return net(*parts, layers.Dense(head), optimizer=optimizer, seed=seed)


def above_note(diagnosis):
    """The codes of the findings that say that something is wrong."""
    assert not diagnosis.skipped, diagnosis.skipped
    for finding in diagnosis.findings:
        json.dumps(finding.to_dict())
        assert re.search(r"\d", finding.message)
        assert finding.evidence
        assert finding.fix
    return [f.code for f in diagnosis.findings if f.severity != "note"]


def diagnosis_of(model, x=X, y=Y, factors=FACTORS):
    """As `diagnose` makes it, on a machine as slow as may be."""
    snapshot = Snapshot(model, x, y)
    snapshot.trial = try_steps(snapshot, factors=factors)
    return examine(snapshot)


def first(diagnosis):
    """The first finding."""
    above_note(diagnosis)
    return diagnosis.findings[0]


def assert_first(code, *case):
    finding = first(diagnosis_of(*case))
    assert finding.code == code, finding
    return finding


def assert_healthy(*case):
    diagnosis = diagnosis_of(*case)
    assert above_note(diagnosis) == [], str(diagnosis)


def trained(rate=0.01, epochs=60):
    model = mlp(optimizers.Adam(rate), (32, 32))
    model.fit(X, Y, epochs=epochs, verbose=0)
    return model
