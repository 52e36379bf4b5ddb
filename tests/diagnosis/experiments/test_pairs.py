"""Two faults at once take two treatments."""

import keras
import numpy as np
import pytest

from keras_trainfix.diagnosis.experiments.outcome import Outcome
from keras_trainfix.diagnosis.experiments.pairs import pairs_of
from keras_trainfix.diagnosis.experiments.results import Tried
from keras_trainfix.diagnosis.experiments.training import Training, split_samples
from keras_trainfix.diagnosis.experiments.treatment import TREATMENTS, Case
from keras_trainfix.diagnosis.experiments.trials import experiment
from keras_trainfix.diagnosis.findings import Finding
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.experiments.benches import compiled, mlp, table

X, Y = table()


def findings(*codes):
    return [Finding(code, "", "error", {}, "", "", "") for code in codes]


@pytest.mark.usefixtures("whole_bench")
@pytest.mark.parametrize(("rate", "needs_both"), [(0.97, True), (0.0, False)])
def test_two_faults_take_two_treatments(rate, needs_both):
    x = X * np.array([1000, 1, 1, 1], "float32") + 5000
    middle = keras.layers.Dropout(rate, name="drop")
    model = compiled(mlp(middle, activation="tanh"))
    found = experiment(Snapshot(model, x, Y), findings("KTF101", "KTF408"), True)
    pairs = [one for one in found.tried if " and " in one.treatment.name]
    assert bool(pairs) == needs_both
    if needs_both:
        assert found.best_cure() in pairs
        assert "'drop'" in found.best_cure().words
        assert "standardized" in found.best_cure().words
        assert found.best_cure().mend is not None


def test_only_the_best_ones_and_none_that_exclude_each_other():
    model = compiled(mlp(keras.layers.Dense(16, "elu"), activation="elu"))
    snapshot = Snapshot(model, X, Y)
    train, held_out = split_samples(snapshot.more(2304))
    case = Case(Training(model, train, held_out), snapshot)
    variants = []
    names = ["relu", "gradients-clipped", "tanh", "inputs-standardized"]
    for gained, name in enumerate(names):
        for variant in TREATMENTS[name].variants(case):
            outcome = Outcome(-gained, np.nan, 0.0, np.zeros(1))
            one = Tried(TREATMENTS[name], variant.words, "", outcome, -gained, True)
            variants.append((one, variant))
    found = [treatment.name for treatment, _ in pairs_of(case, variants)]
    assert found[0] == "relu and gradients-clipped"
    assert not any("relu" in name and "tanh" in name for name in found)
    assert not any("standardized" in name for name in found)
