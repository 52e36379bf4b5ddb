"""The best constant answers, and skill, against NumPy written the long way."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix.diagnosis.measure.eval_pairs import EvalPairs
from keras_trainfix.diagnosis.measure.skill import (
    area_under_curve,
    best_constant,
    constant_masks,
    rank_correlation,
    score,
    score_of,
)
from tests.diagnosis.nets import inputs, view

X = inputs(48)
IDS = np.digitize(X[:, 0], [-0.5, 0.5])
ROWS = np.eye(3)[IDS]


def passing(*shape, activation=None, loss=None, **settings):
    """A model that gives its inputs, through an activation."""
    model = keras.Sequential([keras.Input(shape), layers.Activation(activation)])
    model.compile("sgd", loss, **settings)
    return model


def entropy(shares):
    return -sum(p * np.log(p) for p in shares if p)


def test_the_best_constant_of_numbers(rng):
    y = rng.exponential(size=(50, 2))
    best = best_constant(EvalPairs("regression", y, y))
    np.testing.assert_allclose(best.answer, y.mean(0))
    np.testing.assert_allclose(best.median, np.median(y, 0))
    shifts = [((y - y.mean(0) - d) ** 2).mean() for d in (-0.1, 0.1)]
    assert best.loss < min(shifts)
    assert best.loss == pytest.approx(((y - y.mean(0)) ** 2).mean())


def test_the_best_constant_of_classes(rng):
    ids = rng.choice(3, 200, p=[0.6, 0.3, 0.1])
    rows = np.eye(3)[ids]
    best = best_constant(EvalPairs("classes", rows, rows))
    shares = np.bincount(ids) / 200
    np.testing.assert_allclose(best.answer, shares)
    assert best.majority == 0
    assert best.accuracy == pytest.approx(shares[0])
    assert best.loss == pytest.approx(entropy(shares))


def test_every_constant_mask():
    background, foreground = constant_masks([0.59, 0.41])
    assert foreground.iou == pytest.approx(0.41)
    assert background.accuracy == pytest.approx(0.59)
    assert [m.mean_iou for m in constant_masks([0.5, 0.5, 0])] == [0.25, 0.25, 0]


def test_skill_of_a_regression(rng):
    y = rng.normal(3, 2, (48, 2))
    p = (0.5 * y + rng.normal(size=y.shape)).astype("float32")
    seen = score_of(view(passing(2, loss="mse"), p, y))
    ratio = np.sqrt(np.mean((p.astype("float64").std(0) / y.std(0)) ** 2))
    assert seen.kind == "regression"
    assert seen.std_ratio == pytest.approx(ratio)
    assert seen.loss == pytest.approx(((p.astype("float64") - y) ** 2).mean())
    assert seen.constant_loss == pytest.approx(y.var(0).mean())
    assert seen.value == pytest.approx(1 - seen.loss / y.var(0).mean())
    assert seen.value == pytest.approx(seen.r2)
    assert seen.accuracy is None
    assert seen.is_informative


def test_targets_without_the_last_axis():
    y = X[:, 0]
    seen = score_of(view(passing(1, loss="mse"), X[:, :1], y))
    assert (seen.loss, seen.value, seen.std_ratio) == (0, 1, 1)
    assert seen.correlation == pytest.approx(1)


def test_a_column_that_does_not_vary_is_left_out_of_the_ratio():
    y = np.stack([X[:, 0], np.ones(48)], 1)
    seen = score_of(view(passing(2, loss="mse"), X[:, :2], y))
    assert seen.std_ratio == pytest.approx(1)


def test_rank_correlation():
    a = np.array([1.0, 2, 3, 4])
    assert rank_correlation(a, np.exp(a)) == pytest.approx(1)
    assert rank_correlation(-a, a) == pytest.approx(-1)
    assert rank_correlation(np.ones(4), a) == 0
    assert rank_correlation(1 + 1e-9 * a, a) == 0  # rounding
    # 1, 2.5, 2.5, 4 against 1, 2, 3, 4
    ties = rank_correlation(np.array([1.0, 2, 2, 3]), a)
    assert ties == pytest.approx(np.corrcoef([1, 2.5, 2.5, 4], a)[0, 1])


def test_area_under_curve(rng):
    scores, labels = rng.normal(size=60).round(1), rng.random(60) < 0.4
    pairs = [(a, b) for a in scores[labels] for b in scores[~labels]]
    expected = np.mean([(a > b) + 0.5 * (a == b) for a, b in pairs])
    assert area_under_curve(scores, labels) == pytest.approx(expected)
    assert area_under_curve(np.ones(60), labels) == 0.5
    assert np.isnan(area_under_curve(scores, labels & False))


@pytest.mark.parametrize("form", ["sparse", "column", "one-hot"])
@pytest.mark.parametrize("scale", ["softmax", "logits"])
def test_skill_of_classes(form, scale):
    y = {"sparse": IDS, "column": IDS[:, None], "one-hot": ROWS}[form]
    name = "Categorical" if form == "one-hot" else "SparseCategorical"
    logits = scale == "logits"
    loss = getattr(keras.losses, f"{name}Crossentropy")(from_logits=logits)
    model = passing(3, activation=None if logits else "softmax", loss=loss)
    seen = score_of(view(model, X[:, :3], y))
    p = np.exp(X[:, :3].astype("float64"))
    p /= p.sum(1, keepdims=True)
    prior = ROWS.mean(0)
    said = p.argmax(1)
    assert seen.kind == "classes"
    assert seen.loss == pytest.approx(-np.log(p[range(48), IDS]).mean(), rel=1e-5)
    assert seen.constant_loss == pytest.approx(entropy(prior))
    assert seen.accuracy == pytest.approx((said == IDS).mean())
    recalls = [(said == i)[np.equal(IDS, i)].mean() for i in range(3)]
    assert seen.balanced_accuracy == pytest.approx(np.mean(recalls))
    assert seen.majority_accuracy == pytest.approx(prior.max())
    ratio = np.sqrt(np.mean((p.std(0) / ROWS.std(0)) ** 2))
    assert seen.std_ratio == pytest.approx(ratio, rel=1e-5)


@pytest.mark.parametrize("labels", [(0, 1), (-1, 1)])
@pytest.mark.parametrize("scale", ["sigmoid", "logits"])
def test_skill_of_one_unit(scale, labels):
    y = np.where(X[:, :1] + X[:, 1:2] > 0, labels[1], labels[0])
    loss = keras.losses.BinaryCrossentropy(from_logits=scale == "logits")
    model = passing(1, activation=None if scale == "logits" else scale, loss=loss)
    seen = score_of(view(model, X[:, :1], y))
    p = 1 / (1 + np.exp(-X[:, :1].astype("float64")))
    on = (y == 1).astype("float64")
    expected = -(on * np.log(p) + (1 - on) * np.log(1 - p)).mean()
    assert seen.loss == pytest.approx(expected, rel=1e-5)
    assert seen.constant_loss == pytest.approx(entropy([on.mean(), 1 - on.mean()]))
    assert seen.accuracy == pytest.approx(((p > 0.5) == on).mean())
    assert seen.is_informative
    assert seen.auc[1] == pytest.approx(area_under_curve(X[:, 0], on[:, 0] > 0))


def test_hinge_has_its_threshold_at_0():
    y = np.where(X[:, :1] > 0, 1, -1)
    model = passing(1, activation="tanh", loss="hinge")
    assert score_of(view(model, X[:, :1], y)).accuracy == 1


def test_multi_label_columns_are_questions_of_their_own():
    y = (X[:, :3] > [0, 0.5, 1]).astype("float32")
    model = passing(3, activation="sigmoid", loss="binary_crossentropy")
    seen = score_of(view(model, X[:, :3], y))
    assert seen.kind == "multi_label"
    prior = y.mean(0)
    expected = np.mean([entropy([p, 1 - p]) for p in prior])
    assert seen.constant_loss == pytest.approx(expected, rel=1e-5)
    assert seen.accuracy == pytest.approx(((X[:, :3] > 0) == (y > 0)).mean())
    assert seen.never_predicted == []


def test_a_class_that_is_never_predicted():
    scores = np.where([True, True, False], X[:, :3], -9).astype("float32")
    model = passing(3, activation="softmax", loss="sparse_categorical_crossentropy")
    seen = score_of(view(model, scores, IDS))
    assert seen.never_predicted == [2]
    assert seen.classes_present == 3


def test_noise_does_not_rank(rng):
    for _ in range(20):
        y, p = rng.normal(size=(2, 100, 1))
        assert not score(EvalPairs("regression", p, y)).is_informative
        rows, p = np.eye(4)[rng.integers(0, 4, 200)], rng.dirichlet(np.ones(4), 200)
        assert not score(EvalPairs("classes", p, rows)).is_informative


def test_large_images_are_quick_and_exact(rng):
    on = rng.random(2**19) < 0.01
    rows = np.stack([~on, on], 1).astype("float64")
    p = np.clip(on * 0.1 + 0.3 * rng.random(2**19), 0, 1)
    seen = score(EvalPairs("classes", np.stack([1 - p, p], 1), rows))
    assert seen.is_informative
    assert seen.present[1] == pytest.approx(on.mean())
