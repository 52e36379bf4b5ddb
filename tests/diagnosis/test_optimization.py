"""Steps that do harm, or nothing, are found; those of models that learn are not."""

import json
import re

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers, optimizers, regularizers
from keras.optimizers import schedules

from keras_trainfix.diagnosis.diagnose import diagnose, examine
from keras_trainfix.diagnosis.registry import CHECKS
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.trial.trial import FACTORS, try_steps
from tests.diagnosis.nets import judge
from tests.diagnosis.single import HEADINGS
from tests.diagnosis.snippets import faulty_and_fixed

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
    snapshot.trial = try_steps(snapshot, factors=factors, seconds=120)
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


@pytest.mark.parametrize("code", CODES)
def test_the_page(code):
    check = CHECKS[code]
    assert re.findall(r"^## (.*)$", check.page, re.MULTILINE) == HEADINGS
    faulty, fixed = (
        diagnose(names["model"], names["x"], names["y"])
        for names in faulty_and_fixed(check)
    )
    if check.severity == "note":
        assert code in faulty.codes
    else:
        assert first(faulty).code == code
        assert first(faulty).severity == check.severity
    assert code not in fixed.codes
    assert above_note(fixed) == []


def test_nothing_is_said_without_a_trial():
    model = mlp(optimizers.SGD(1e3))
    view = Snapshot(model, X, Y).views()[0]
    assert [c for c in CODES if judge(c, view)] == []


# --- KTF401 learning-rate-too-high ---


@few_examples
@given(
    width=st.sampled_from([16, 64]),
    depth=st.integers(1, 3),
    rate=st.sampled_from([(optimizers.SGD, 3.0), (optimizers.Adam, 3.0)]),
    seed=seeds,
)
def test_a_rate_that_is_too_high(width, depth, rate, seed):
    make, number = rate
    x, y = data(seed)
    model = mlp(make(number), (width,) * depth, seed=seed)
    finding = assert_first("KTF401", model, x, y)
    assert finding.evidence["better_rate"] < number / 5
    assert finding.evidence["better_end"] < finding.evidence["start"]
    assert_healthy(
        mlp(make(finding.evidence["better_rate"]), (width,) * depth, seed=seed), x, y
    )


def boxes(samples=256, size=32):
    """A white square on black, and where it is."""
    rng = np.random.default_rng(0)
    x = np.zeros((samples, size, size, 3), "float32")
    places = rng.integers(0, size - 8, (samples, 2))
    for image, (row, column) in zip(x, places, strict=True):
        image[row : row + 8, column : column + 8] = 1
    return x, (places / (size - 8) * 2 - 1).astype("float32")


def box_net(rate, seed):
    convolutions = [
        layers.Conv2D(filters, 5, strides=2, activation="relu")
        for filters in (32, 64, 128)
    ]
    return net(
        *convolutions,
        layers.Flatten(),
        layers.Dense(100, "relu"),
        layers.Dense(2),
        shape=(32, 32, 3),
        optimizer=optimizers.Adam(rate),
        seed=seed,
    )


def test_a_net_that_dies_while_it_looks_for_boxes():
    """At a tenth of the rate it finds them."""
    x, y = boxes()
    finding = assert_first("KTF401", box_net(0.01, 0), x, y, (1.0, 0.1))
    assert finding.evidence["dead_share"] > 0.7
    assert finding.evidence["better_rate"] == pytest.approx(0.001)
    assert_healthy(box_net(0.001, 0), x, y, (1.0, 0.1))


def test_a_model_that_died_of_its_rate_is_tried_from_new_weights():
    model = mlp(optimizers.Adam(30.0), (16, 16))
    model.fit(X, Y - 5, epochs=20, verbose=0)
    assert "KTF401" in diagnose(model, X, Y - 5).codes


# --- KTF402 learning-rate-too-low ---


@few_examples
@given(
    width=st.sampled_from([16, 64]),
    depth=st.integers(1, 3),
    rate=st.sampled_from([(optimizers.SGD, 1e-6), (optimizers.Adam, 1e-7)]),
    seed=seeds,
)
def test_a_rate_that_is_too_low(width, depth, rate, seed):
    make, number = rate
    x, y = data(seed)
    model = mlp(make(number), (width,) * depth, seed=seed)
    finding = assert_first("KTF402", model, x, y)
    assert finding.evidence["better_rate"] >= 100 * number
    assert finding.evidence["better_gain"] > 0.2 > finding.evidence["gain"]
    assert finding.evidence["update_ratio"] < 1e-4


@pytest.mark.parametrize(
    ("schedule", "found"),
    [
        (schedules.ExponentialDecay(0.01, 1, 0.5), True),
        (schedules.ExponentialDecay(0.01, 1, 0.9), True),
        (schedules.ExponentialDecay(0.01, 100, 0.9), False),
        (schedules.CosineDecay(0.01, 100), False),
        (schedules.CosineDecay(0.0, 100, warmup_target=0.01, warmup_steps=9), False),
    ],
)
def test_a_schedule_that_counts_epochs(schedule, found):
    model = mlp(optimizers.Adam(schedule), (32,))
    diagnosis = diagnose(model, X, Y, fit=False)
    assert (diagnosis.codes[:1] == ["KTF402"]) == found
    if found:
        assert "Schedules count steps" in diagnosis.findings[0].message
        assert diagnosis.findings[0].evidence["steps_worth"] < 16
        repaired = diagnosis.fixed(model)
        assert diagnose(repaired, X, Y, fit=False).ok
        assert float(repaired.optimizer.learning_rate) == pytest.approx(0.01)


# --- KTF408 over-regularized ---


@few_examples
@given(
    width=st.sampled_from([16, 64]),
    regularizer=st.sampled_from([regularizers.L2(3.0), regularizers.L1(1.0)]),
    seed=seeds,
)
def test_penalties_that_outweigh_the_data(width, regularizer, seed):
    x, y = data(seed)
    hidden = (width, width)
    model = mlp("adam", hidden, seed=seed, kernel_regularizer=regularizer)
    finding = assert_first("KTF408", model, x, y)
    assert finding.evidence["penalty_ratio"] > 9
    assert finding.evidence["gradient_share"] > 0.8


@pytest.mark.parametrize(("strength", "found"), [(0.2, True), (0.01, False)])
def test_a_penalty_on_every_layer_of_a_classifier(strength, found):
    decay = regularizers.L2(strength)
    y = np.digitize(Y[:, 0], [-1.0, 0.0, 1.0])
    hidden = [layers.Dense(64, "relu", kernel_regularizer=decay) for _ in "123"]
    head = layers.Dense(4, "softmax", kernel_regularizer=decay)
    model = net(*hidden, head, loss="sparse_categorical_crossentropy")
    assert ("KTF408" in above_note(diagnose(model, X, y))) == found


@pytest.mark.parametrize(("strength", "found"), [(3.0, True), (0.1, False)])
def test_a_model_that_its_penalties_have_shrunk(strength, found):
    decay = regularizers.L2(strength)
    model = mlp(optimizers.Adam(0.01), (32, 32), kernel_regularizer=decay)
    model.fit(X, Y, epochs=40, verbose=0)
    codes = above_note(diagnose(model, X, Y))
    assert ("KTF408" in codes) == found
    assert found or not codes


@pytest.mark.parametrize(("rate", "found"), [(0.5, False), (0.9, True), (1.0, True)])
def test_dropout(rate, found):
    model = net(layers.Dense(64, "relu"), layers.Dropout(rate), layers.Dense(1))
    finding = judge("KTF408", Snapshot(model, X, Y).views()[0])
    assert bool(finding) == found
    assert not found or finding.evidence["rate"] == rate


# --- look-alikes ---


def digits():
    found = pytest.importorskip("sklearn.datasets").load_digits()
    return (found.images[..., None] / 16).astype("float32"), found.target


def digit_net(optimizer, *parts):
    return net(
        *parts,
        layers.Flatten(),
        layers.Dense(64, "relu"),
        layers.Dense(10, "softmax"),
        shape=(8, 8, 1),
        optimizer=optimizer,
        loss="sparse_categorical_crossentropy",
    )


HEALTHY = {
    "adam .01, dense": lambda: digit_net(optimizers.Adam(0.01)),
    "adam .01, convolutions": lambda: digit_net(
        optimizers.Adam(0.01), layers.Conv2D(16, 3, activation="relu")
    ),
    "batch normalization": lambda: digit_net(
        optimizers.Adam(0.01),
        layers.Conv2D(16, 3, use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
    ),
    "dropout": lambda: digit_net("adam", layers.Dropout(0.5)),
    "slow sgd": lambda: digit_net(optimizers.SGD(0.01)),
    "momentum": lambda: digit_net(optimizers.SGD(0.05, momentum=0.9)),
    "rmsprop": lambda: digit_net("rmsprop"),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_classifiers(name):
    x, y = digits()
    assert_healthy(HEALTHY[name](), x, y)


@pytest.mark.parametrize(
    "model",
    [
        lambda: mlp(optimizers.SGD(0.01)),
        lambda: mlp("adam", (32,) * 8, "tanh"),
        lambda: mlp("adam", (32, 32), kernel_regularizer=regularizers.L2(1e-3)),
        lambda: mlp(optimizers.Adam(0.01), (64, 64)),
        lambda: mlp(optimizers.AdamW(1e-3, weight_decay=0.01), (64, 64)),
        lambda: mlp(optimizers.Adam(1e-4), (256, 256)),
    ],
)
def test_healthy_regressions(model):
    assert_healthy(model())


def trained(rate=0.01, epochs=60):
    model = mlp(optimizers.Adam(rate), (32, 32))
    model.fit(X, Y, epochs=epochs, verbose=0)
    return model


def test_a_finished_training():
    assert_healthy(trained())


@pytest.mark.parametrize("rate", [1e-5, 1e-3])
def test_fine_tuning(rate):
    model = trained()
    model.compile(optimizers.Adam(rate), "mse")
    assert_healthy(model)


def test_a_net_at_its_optimum():
    model = net(layers.Dense(1), optimizer=optimizers.SGD(0.1))
    w = np.arange(6.0)[:, None]
    model.set_weights([w, np.array([2.0])])
    assert_healthy(model, X, X @ w + 2)
    assert_healthy(
        model, X, (X @ w + 2 + np.random.default_rng(0).normal(size=(128, 1)))
    )


# --- KTF410 too-few-steps ---


def test_a_training_that_was_cut_short():
    model = mlp(optimizers.Adam(1e-3), (64, 64))
    model.fit(X, Y, epochs=3, verbose=0)
    diagnosis = diagnose(model, X, Y)
    assert above_note(diagnosis) == []
    finding = next(f for f in diagnosis.findings if f.code == "KTF410")
    assert finding.evidence["iterations"] == 12
    assert finding.evidence["steps_needed"] > 12
    assert "KTF410" not in diagnose(trained(), X, Y).codes


def test_checks_that_cannot_judge_say_nothing():
    model = mlp(optimizers.SGD(1.0))
    x = X.copy()
    x[3, 0] = np.nan
    assert not set(diagnose(model, x, Y).codes) & set(CODES)
    same = np.ones_like(X)
    assert not set(diagnose(model, same, Y).codes) & {"KTF401", "KTF402", "KTF405"}
