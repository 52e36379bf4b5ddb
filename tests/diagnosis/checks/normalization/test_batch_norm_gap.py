"""Statistics that training and inference do not share are found."""

import numpy as np
from keras import layers

import keras_trainfix as kt
from keras_trainfix.backend import to_numpy
from tests.diagnosis.nets import inputs
from tests.diagnosis.single import only, run, sequential

X = inputs()
Y = X[:, :1]
IDS = np.digitize(X[:, 0], [-0.5, 0.5])


def with_batch_norm(steps=1, **settings):
    model = sequential(
        layers.BatchNormalization(**settings),
        layers.Dense(16, "relu"),
        layers.Dense(3, "softmax"),
        loss="sparse_categorical_crossentropy",
    )
    model.fit(5 + X / 2, IDS, batch_size=32, epochs=steps, verbose=0)
    return model


def test_a_gap_and_the_model_stays_as_it_was():
    model = with_batch_norm(steps=10)
    before = [to_numpy(v) for v in model.variables]
    finding = only("KTF301", model, 5 + X / 2, IDS)
    assert finding.severity == "warning"
    assert finding.evidence["output_gap"] > 0.5
    assert finding.evidence["changed_answers"] > 0.1
    assert finding.evidence["iterations"] == 20
    for a, b in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(a, to_numpy(b))


def test_a_gap_of_the_first_steps_is_no_fault():
    assert run("KTF301", with_batch_norm(), 5 + X / 2, IDS) is None


def test_no_gap_where_there_is_none():
    model = with_batch_norm(20, momentum=0.5)
    assert run("KTF301", model, 5 + X / 2, IDS) is None
    model = with_batch_norm()
    kt.freeze_batch_norm(model)
    assert run("KTF301", model, 5 + X / 2, IDS) is None
    untrained = sequential(layers.BatchNormalization(), layers.Dense(3))
    assert run("KTF301", untrained, 5 + X / 2, IDS) is None
