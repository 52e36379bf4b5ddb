"""Statistics that training and inference do not share are found."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_trainfix as kt
from keras_trainfix.backend import to_numpy
from tests.diagnosis.nets import inputs
from tests.diagnosis.single import answers, only, run, sequential

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


@pytest.mark.parametrize(
    ("steps", "settings", "is_found"),
    [(10, {}, True), (1, {}, False), (20, {"momentum": 0.5}, False)],
)
def test_a_gap_of_the_first_steps_is_no_fault(steps, settings, is_found):
    model = with_batch_norm(steps, **settings)
    assert bool(run("KTF301", model, 5 + X / 2, IDS)) == is_found


def test_frozen_statistics_have_no_gap():
    model = with_batch_norm(10)
    assert run("KTF301", model, 5 + X / 2, IDS).severity == "warning"
    kt.freeze_batch_norm(model)
    assert run("KTF301", model, 5 + X / 2, IDS) is None


def test_a_gap_that_costs_no_skill_is_a_note():
    model = sequential(layers.BatchNormalization(), layers.Dense(1))
    x = 5 + X / 2
    model.fit(x, Y, batch_size=32, epochs=10, verbose=0)
    in_training = keras.ops.convert_to_numpy(model(x, training=True))
    assert run("KTF301", model, x, in_training).severity == "warning"
    assert run("KTF301", model, x, answers(model, x)).severity == "note"


def test_other_answers_that_find_the_classes_as_well_are_a_note():
    model = with_batch_norm(steps=10)
    x = 5 + X / 2
    in_training = keras.ops.convert_to_numpy(model(x, training=True)).argmax(1)
    assert run("KTF301", model, x, in_training).severity == "warning"
    as_well = np.where(np.arange(len(x)) % 2, in_training, answers(model, x).argmax(1))
    assert run("KTF301", model, x, as_well).severity == "note"


def test_answers_that_targets_cannot_judge():
    def apart(y, p):
        return -keras.ops.mean(keras.ops.square(p), axis=-1)

    model = sequential(layers.BatchNormalization(), layers.Dense(4), loss=apart)
    x = 5 + X / 2
    model.fit(x, np.zeros((64, 1)), batch_size=32, epochs=10, verbose=0)
    assert run("KTF301", model, x, np.zeros((64, 1))).severity == "note"
    assert run("KTF301", model, x).severity == "warning"


@pytest.mark.parametrize("how", ["layers", "kt", None])
def test_two_stages_with_statistics_that_are_frozen_at_last(how):
    body = keras.Sequential(
        [keras.Input((6,)), layers.Dense(16), layers.BatchNormalization()]
    )
    given = keras.Input((6,))
    head = layers.Dense(3, "softmax")(body(given, training=False))
    model = keras.Model(given, head)
    x = 5 + X / 2
    body.trainable = False
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, IDS, epochs=10, verbose=0)
    body.trainable = True
    if how == "layers":
        body.layers[-1].trainable = False
    elif how == "kt":
        kt.freeze_batch_norm(body)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, IDS, epochs=10, verbose=0)
    found = {run(code, model, x, IDS) is not None for code in ("KTF301", "KTF302")}
    assert found == {how is None}
