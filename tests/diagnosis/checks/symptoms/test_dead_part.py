"""A column, an output or a class that was not learned is named."""

import keras
import numpy as np
import pytest

from tests.diagnosis.checks.symptoms.cases import steps_done
from tests.diagnosis.checks.symptoms.test_far_from_possible import beside
from tests.diagnosis.nets import inputs, judge, view
from tests.diagnosis.single import assert_page, run

X = inputs(256)
BOTH = np.stack([X[:, 0] - X[:, 1], X[:, 2] + X[:, 3]], 1)
SPARSE = "sparse_categorical_crossentropy"


def test_page():
    assert_page("KTF508")


@pytest.mark.parametrize("column", [0, 1])
def test_a_dead_column(rng, column):
    answers = BOTH + 0.3 * rng.normal(size=BOTH.shape)
    assert run("KTF508", *beside(answers), BOTH) is None
    answers[:, column] = 0.3 * rng.normal(size=256)
    finding = run("KTF508", *beside(answers), BOTH)
    assert finding.severity == "error"
    assert finding.evidence["columns"] == [column]


def test_a_column_that_cannot_be_learned(rng):
    y = BOTH.copy()
    y[:, 1] = rng.normal(size=256)
    answers = np.stack([0.9 * y[:, 0], 0.3 * rng.normal(size=256)], 1)
    assert run("KTF508", *beside(answers), y) is None
    assert run("KTF508", *beside(answers), BOTH).severity == "error"


def test_a_dead_column_where_simple_learners_see_nothing(rng):
    answers = np.stack([0.9 * BOTH[:, 0], 0.3 * rng.normal(size=256)], 1)
    one = view(*beside(answers), BOTH)
    assert judge("KTF508", one).severity == "error"
    one.learnability = None
    assert judge("KTF508", one).severity == "warning"


def test_a_class_that_is_never_recognized():
    ids = np.digitize(X[:, 0], [-0.5, 0.5])
    scores = 0.8 * np.eye(3)[ids] + 0.1
    assert run("KTF508", *beside(scores, loss=SPARSE), ids) is None
    scores[ids == 2] = [0.9, 0.1, 0.1]
    finding = run("KTF508", *beside(scores, loss=SPARSE), ids)
    assert finding.evidence["classes"] == [2]
    other = np.random.default_rng(0).permutation(ids)
    seen = 0.8 * np.eye(3)[other] + 0.1
    seen[other == 2] = [0.9, 0.1, 0.1]
    assert run("KTF508", *beside(seen, loss=SPARSE), other) is None


def test_a_dead_output_beside_one_that_lives(rng):
    def model(*outputs):
        parts = [keras.Input((6,)), *(keras.Input((1,)) for _ in outputs)]
        heads = [
            keras.layers.Dense(1, kernel_initializer="identity", name=f"out_{i}")(part)
            for i, part in enumerate(parts[1:])
        ]
        built = keras.Model(parts, heads)
        built.compile("adam", "mse")
        arrays = [array.astype("float32") for array in outputs]
        return steps_done(built, 500), [X, *arrays]

    first, second = BOTH[:, :1], BOTH[:, 1:]
    noise = 0.3 * rng.normal(size=first.shape)
    assert run("KTF508", *model(first, second), [first, second], output=1) is None
    finding = run("KTF508", *model(first, noise), [first, second], output=1)
    assert finding.evidence["part"] == "output"
    assert run("KTF508", *model(first, noise), [first, second]) is None


def test_odd_targets():
    words = np.array(["a", "b"] * 128)
    assert run("KTF508", *beside(BOTH), words) is None
    assert run("KTF508", *beside(BOTH)) is None
    half = run("KTF508", *beside(0.9 * BOTH * [1, 0]), BOTH)
    assert half.evidence["part"] == "column"
