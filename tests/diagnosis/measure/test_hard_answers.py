"""Right answers of strings and embeddings, and of a constant answer."""

import keras
import numpy as np
import pytest

from keras_trainfix import diagnose
from keras_trainfix.diagnosis.measure.hard_answers import (
    of_own_targets,
    of_same_labels,
    of_strings,
)
from keras_trainfix.diagnosis.measure.learned import has_learned
from keras_trainfix.diagnosis.measure.shortfall import shortfall
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.nets import inputs, net, view

TARGETS = np.array([[1, 2, 0], [1, 2, 3], [2, 2, 0], [1, 0, 0]] * 8)


def paths(targets, symbols=4):
    """Scores of a CTC head that says these strings, a blank behind each symbol."""
    path = np.stack([targets, np.zeros_like(targets)], -1).reshape(len(targets), -1)
    return 9.0 * np.eye(symbols)[path]


def test_symbols_that_are_right():
    seen = of_strings(paths(TARGETS), TARGETS)
    assert (seen.errors, seen.value) == (0, 1)
    assert seen.constant_errors == pytest.approx(3 / 8)  # of 1 2: 0 + 1 + 1 + 1 of 8
    half = of_strings(paths(np.where(TARGETS == 2, 3, TARGETS)), TARGETS)
    assert half.errors == pytest.approx(4 / 8)
    assert half.is_absent
    assert "50% of the symbols" in half.words


@pytest.mark.parametrize("constant", [TARGETS[0], np.zeros(3, int)])
def test_a_constant_string_has_no_skill(constant):
    scores = paths(np.broadcast_to(constant, TARGETS.shape))
    seen = of_strings(scores, TARGETS)
    assert seen.is_absent
    assert seen.value <= 0
    assert of_strings(scores, 0 * TARGETS) is None
    assert of_strings(scores, -TARGETS) is None


def reference_own(answers, targets):
    hits = 0
    for answer, target in zip(answers, targets, strict=True):
        cosines = [
            (answer @ other) / (np.linalg.norm(answer) * np.linalg.norm(other))
            for other in targets
        ]
        hits += np.array_equal(targets[int(np.argmax(cosines))], target)
    return hits / len(targets)


@pytest.mark.parametrize("noise", [0.1, 1.0, 50.0])
def test_the_nearest_target_is_the_own(rng, noise):
    targets = rng.normal(size=(64, 6))
    answers = 7 * targets + 7 * noise * rng.normal(size=targets.shape)
    seen = of_own_targets(answers, targets)
    assert 1 - seen.errors == pytest.approx(reference_own(answers, targets))
    assert seen.constant_errors == pytest.approx(63 / 64)
    assert seen.is_absent == (noise > 2)


def test_equal_targets_are_one():
    targets = np.eye(4)[np.arange(32) % 4 // 2]
    seen = of_own_targets(targets, targets)
    assert (seen.errors, seen.constant_errors) == (0, 0.5)
    assert of_own_targets(targets, np.ones((32, 4))) is None


def test_the_nearest_answer_has_the_same_label(rng):
    labels = np.arange(64) % 4
    answers = 0.3 * rng.normal(size=(64, 3)) + np.eye(3)[labels % 3]
    seen = of_same_labels(answers, labels)
    far = np.linalg.norm(answers[:, None] - answers, axis=-1) + 1e9 * np.eye(64)
    assert 1 - seen.errors == pytest.approx((labels[far.argmin(1)] == labels).mean())
    assert seen.constant_errors == pytest.approx(1 - 15 / 63)
    one = of_same_labels(np.ones((64, 3)), labels)
    assert one.errors == pytest.approx(one.constant_errors)
    assert of_same_labels(answers, np.arange(64)) is None


def answering(answers, loss):
    model = keras.Sequential([keras.Input(answers.shape[1:]), keras.layers.Identity()])
    model.compile("adam", loss)
    return model, answers.astype("float32")


CTC = keras.losses.CTC


def test_strings_without_skill_fall_short(rng):
    wrong = paths(rng.permutation(TARGETS)[:, ::-1])
    model, x = answering(wrong, CTC())
    seen = shortfall(view(model, x, TARGETS))
    assert seen.kind == "hard"
    assert seen.skill <= 0
    model, x = answering(paths(TARGETS), CTC())
    assert shortfall(view(model, x, TARGETS)) is None
    assert has_learned(Snapshot(model, x, TARGETS))
    assert "answers" not in diagnose(model, x, TARGETS, fit=False).skipped


def test_directions_are_judged_by_the_nearest_target(rng):
    y = rng.normal(size=(64, 6)).astype("float32")
    loss = "cosine_similarity"
    model, x = answering(100 * y, loss)
    assert has_learned(Snapshot(model, x, y))
    assert shortfall(view(model, x, y)) is None
    model, x = answering(rng.permutation(y), loss)
    assert not has_learned(Snapshot(model, x, y))
    assert shortfall(view(model, x, y)).kind == "hard"


def test_embeddings_of_labels_are_described():
    def own(y, p):
        return keras.ops.mean(p**2) + 0 * keras.ops.mean(keras.ops.cast(y, p.dtype))

    labels = np.arange(64) % 4
    text = " ".join(
        str(diagnose(net(8, loss=own), inputs(), labels, fit=False)).split()
    )
    assert "the nearest other answer has the same target for" in text


def test_other_tasks_have_no_hard_answers():
    x = inputs()
    assert view(net(loss="mse"), x, x[:, :1]).hard_answers is None
    assert view(net(2, loss="mse"), x).hard_answers is None
    assert view(net(2, loss="cosine_similarity"), x, x[:, :2]).hard_answers is not None
