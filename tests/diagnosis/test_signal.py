"""Signals of all kinds are seen, noise is not, and neither is judged on few samples."""

import json
import re

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

import keras_trainfix as kt
from keras_trainfix.diagnosis.measure.kernels import rows_of_samples
from keras_trainfix.diagnosis.measure.learnability import learnability, learnability_of
from keras_trainfix.diagnosis.registry import CHECKS
from tests.diagnosis.nets import inputs, judge, net, view
from tests.diagnosis.snippets import faulty_and_fixed

OURS = ["KTF131", "KTF132"]
SPARSE = "sparse_categorical_crossentropy"
BINARY = "binary_crossentropy"

X = inputs(256)
Y = X[:, :1] + 0.5 * X[:, 1:2]
IDS = np.digitize(Y[:, 0], [-0.6, 0.6])


def findings(model, x, y):
    looked = view(model, x, y)
    found = [finding for code in OURS if (finding := judge(code, looked))]
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


def classifier(shape, classes, loss=SPARSE):
    """A small net for inputs of any shape."""
    model = keras.Sequential(
        [
            keras.Input(shape),
            layers.Flatten(),
            layers.Dense(8, "relu"),
            layers.Dense(classes, "softmax"),
        ]
    )
    model.compile("adam", loss)
    return model


def seen(x, y):
    """The `Learnability` of a table, an image or a series."""
    if np.issubdtype(y.dtype, np.integer):
        return learnability(view(classifier(x.shape[1:], int(y.max()) + 1), x, y))
    parts = [keras.Input(x.shape[1:]), layers.Flatten(), layers.Dense(y.shape[1])]
    model = keras.Sequential(parts)
    model.compile("adam", "mse")
    return learnability(view(model, x, y))


# --- What is a signal ---


def xor(rng):
    x = rng.normal(size=(256, 2))
    return x, ((x[:, 0] > 0) ^ (x[:, 1] > 0)).astype(int)


def parity(rng):
    x = rng.integers(0, 2, (256, 8))
    return x.astype("float32"), x.sum(1) % 2


def sine(rng):
    x = rng.uniform(-1, 1, (256, 1))
    return x, np.sin(20 * x)


def circle(rng):
    x = rng.normal(size=(256, 2))
    return x, ((x**2).sum(1) > 1.3).astype(int)


def one_of_many_features(rng):
    x = rng.normal(size=(256, 200))
    return x, x[:, 7:8]


def weak(rng):
    x = rng.normal(size=(256, 6))
    return x, 0.65 * x[:, :1] + rng.normal(size=(256, 1))


def one_column_of_many(rng):
    x = rng.normal(size=(256, 6))
    y = rng.normal(size=(256, 20))
    y[:, 4] = x[:, 1]
    return x, y


def features_on_wild_scales(rng):
    x = rng.normal(size=(256, 3)) * [1e6, 1, 1e-6]
    return x, 1e6 * x[:, 2:]


def box(rng):
    corners = rng.integers(0, 40, (128, 2))
    x = np.zeros((128, 48, 48, 1), "float32")
    for image, (a, b) in zip(x, corners, strict=True):
        image[a : a + 8, b : b + 8] = 1
    return x, corners / 20 - 1


def texture(rng):
    x = rng.normal(size=(128, 32, 32, 1)).astype("float32")
    y = np.arange(128) % 2
    x[y == 1] = (x + np.roll(x, 1, 1))[y == 1] / np.sqrt(2)
    return x, y


def frequency(rng):
    y = rng.integers(0, 2, 128)
    phase = rng.uniform(0, 6, (128, 1))
    return np.sin(np.arange(50) * (0.3 + 0.1 * y[:, None]) + phase)[..., None], y


SIGNALS = [
    xor,
    parity,
    sine,
    circle,
    one_of_many_features,
    weak,
    one_column_of_many,
    features_on_wild_scales,
    box,
    texture,
    frequency,
]


@pytest.mark.parametrize("task", SIGNALS, ids=lambda task: task.__name__)
def test_a_signal_is_seen_and_its_shuffled_targets_are_not(task, rng):
    x, y = task(rng)
    x = x.astype("float32")
    found = seen(x, y)
    assert found.strength > 5
    assert not found.is_absent
    shuffled = seen(x, rng.permutation(y))
    assert shuffled.strength < 4
    assert not shuffled.is_seen


def test_the_skill_of_the_learners(rng):
    x = rng.normal(size=(256, 2)).astype("float32")
    linear = seen(x, (x[:, :1] - x[:, 1:]).astype("float64")).linear
    assert linear.skill == pytest.approx(1, abs=1e-3)
    assert linear.error < 1e-3
    assert linear.accuracy is None
    both = seen(x, ((x[:, 0] > 0) ^ (x[:, 1] > 0)).astype(int))
    assert abs(both.linear.skill) < 2 * both.linear.error + 0.02
    assert both.neighbours.skill > 0.7
    assert both.neighbours.accuracy > 0.9
    assert both.majority == pytest.approx(0.5, abs=0.1)


def test_held_out_skill_is_that_of_fits_without_the_sample(rng):
    x = rng.normal(size=(40, 3)).astype("float32")
    y = x[:, :1] + rng.normal(size=(40, 1))
    z = (x - x.mean(0)) / x.std(0)
    errors, base = [], []
    for penalty in (0.003, 0.1, 3.0):
        squares = 0
        for i in range(40):
            rest = np.arange(40) != i
            # An intercept without a penalty, which is on `weights * sqrt(3)`.
            a = np.c_[z[rest] / np.sqrt(3), np.ones(39)]
            weights = np.linalg.solve(
                a.T @ a + penalty * np.diag([1, 1, 1, 0]), a.T @ y[rest]
            )
            squares += (np.r_[z[i] / np.sqrt(3), 1] @ weights - y[i]) ** 2
        errors.append(squares.item())
        base.append(sum((y[i] - np.delete(y, i).mean()) ** 2 for i in range(40)).item())
    expected = max(1 - e / b for e, b in zip(errors, base, strict=True))
    assert seen(x, y).linear.skill == pytest.approx(expected, abs=1e-4)


def of_numbers(x, y):
    return learnability_of("regression", rows_of_samples([x], set(), y))


@given(
    samples=st.integers(40, 160),
    features=st.integers(1, 200),
    columns=st.integers(1, 4),
    seed=st.integers(0, 10**6),
)
def test_noise_is_no_signal_and_a_sum_is_one(samples, features, columns, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(samples, features)).astype("float32")
    assert not of_numbers(x, rng.normal(size=(samples, columns))).is_seen
    if samples >= 64 and features <= samples:
        found = of_numbers(x, x @ rng.normal(size=(features, columns)))
        assert found.is_seen
        assert not found.is_absent


@given(
    classes=st.integers(2, 12), features=st.integers(1, 40), seed=st.integers(0, 10**6)
)
def test_noise_of_classes_is_no_signal(classes, features, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(96, features)).astype("float32")
    y = np.eye(classes)[rng.integers(0, classes, 96)]
    assert not learnability_of("classes", rows_of_samples([x], set(), y)).is_seen


def test_heavy_tails_are_no_signal(rng):
    for _ in range(5):
        x = rng.standard_cauchy((100, 4)).astype("float32")
        assert not of_numbers(x, rng.standard_cauchy((100, 1))).is_seen


def test_few_samples_many_features_and_many_classes_are_not_judged(rng):
    x = rng.normal(size=(256, 6)).astype("float32")
    assert seen(x[:8], rng.normal(size=(8, 1))) is None
    assert not seen(x[:32], rng.normal(size=(32, 1))).is_absent
    wide = rng.normal(size=(128, 3000)).astype("float32")
    assert not seen(wide, rng.normal(size=(128, 1))).is_absent
    order = np.argsort(np.argsort(x[:, 0])) * 100 // 256
    assert not seen(x, order).is_absent
    rare = np.zeros(256, int)
    rare[:9] = 1
    assert not seen(x, rare).is_absent


def test_what_cannot_be_judged_is_none(rng):
    model = net(1, None, "mse")
    assert learnability(view(model, X)) is None
    assert learnability(view(model, X, np.full((256, 1), np.nan))) is None
    assert learnability(view(model, X, np.ones((256, 1)))) is None
    constant = np.ones_like(X)
    assert learnability(view(model, constant, Y)) is None
    broken = X.copy()
    broken[3, 3] = np.nan
    assert learnability(view(model, broken, Y)) is None


# --- Ids, several inputs, images and sequences with an answer at each place ---


def of_ids(length, classes, each=False):
    parts = [keras.Input((length,)), layers.Embedding(50, 4)]
    parts += [] if each else [layers.Flatten()]
    parts += [layers.Dense(classes, "softmax")]
    model = keras.Sequential(parts)
    model.compile("adam", SPARSE)
    return model


def test_texts_are_bags_of_ids(rng):
    ids, y = rng.integers(0, 50, (200, 20)), np.arange(200) % 2
    ids[:, :4] = rng.integers(0, 5, (200, 4)) + 5 * y[:, None]
    ids = rng.permuted(ids, axis=1)
    assert learnability(view(of_ids(20, 2), ids, y)).is_seen
    assert not learnability(view(of_ids(20, 2), ids, rng.permutation(y))).is_seen


def test_places_of_ids(rng):
    ids = rng.integers(0, 8, (200, 4))
    assert learnability(view(of_ids(4, 2), ids, ids[:, 2] % 2)).is_seen
    each = learnability(view(of_ids(4, 3, each=True), ids, ids % 3))
    assert each.is_seen
    assert each.linear.accuracy > 0.99
    noise = rng.integers(0, 3, ids.shape)
    assert learnability(view(of_ids(4, 3, each=True), ids, noise)).is_absent


def test_several_inputs(rng):
    entries = [keras.Input((3,)), keras.Input((5, 2))]
    both = layers.concatenate([entries[0], layers.Flatten()(entries[1])])
    model = keras.Model(entries, layers.Dense(1)(both))
    model.compile("adam", "mse")
    x = [rng.normal(size=(200, 3)), rng.normal(size=(200, 5, 2))]
    x = [part.astype("float32") for part in x]
    assert learnability(view(model, x, x[1][:, 3, :1])).is_seen
    assert learnability(view(model, x, rng.normal(size=(200, 1)))).is_absent


def masks(rng, samples=24, size=32):
    grid = np.mgrid[:size, :size]
    centres = rng.integers(0, size, (samples, 2, 1, 1))
    radius = rng.integers(size // 6, size // 3, (samples, 1, 1))
    return (((grid - centres) ** 2).sum(1) < radius**2).astype("int32")


def segmenter(units, loss, size=32):
    parts = [keras.Input((size, size, 1)), layers.Conv2D(4, 3, padding="same")]
    parts += [layers.Conv2D(units, 1, activation="softmax" if units > 1 else "sigmoid")]
    model = keras.Sequential(parts)
    model.compile("adam", loss)
    return model


def test_masks(rng):
    y = masks(rng)
    x = (y + rng.normal(size=y.shape)).astype("float32")[..., None]
    model = segmenter(1, BINARY)
    found = learnability(view(model, x, y[..., None]))
    assert found.is_seen
    assert found.linear.accuracy > 0.85
    # Masks of other images are as smooth, and stand where masks stand.
    assert learnability(view(model, x, np.roll(y, 1, 0)[..., None])).is_absent


def test_masks_with_void(rng):
    y = masks(rng)
    x = (y + 0.5 * rng.normal(size=y.shape)).astype("float32")[..., None]
    marked = y + 1
    marked[:, :5] = 255
    loss = kt.MaskedCrossentropy(ignore_class=255)
    assert learnability(view(segmenter(3, loss), x, marked)).is_seen
    marked[:, 5:] = np.roll(y, 1, 0)[:, 5:] + 1
    assert not learnability(view(segmenter(3, loss), x, marked)).is_seen


def test_sequences(rng):
    x = rng.normal(size=(64, 30, 2)).astype("float32")
    model = keras.Sequential(
        [
            keras.Input((30, 2)),
            layers.LSTM(4, return_sequences=True),
            layers.Dense(1, "sigmoid"),
        ]
    )
    model.compile("adam", BINARY)
    y = (x[..., :1].cumsum(1) > 0).astype(int)
    assert learnability(view(model, x, y)).is_seen
    assert learnability(view(model, x, rng.integers(0, 2, y.shape))).is_absent


def test_a_probe_is_looked_at_once():
    looked = view(net(1, None, "mse"), X, Y)
    assert looked.learnability is looked.learnability


# --- The checks ---


def test_the_codes():
    assert {code: CHECKS[code].name for code in OURS} == {
        "KTF131": "no-signal",
        "KTF132": "linear-is-enough",
    }


@pytest.mark.parametrize("code", OURS)
def test_the_page(code):
    faulty, fixed = (
        codes(names["model"], names["x"], names["y"])
        for names in faulty_and_fixed(CHECKS[code])
    )
    assert faulty == [code]
    assert code not in fixed


def test_noise_is_a_note_before_training_and_a_warning_after(rng):
    noise = rng.normal(size=(256, 1)).astype("float32")
    x = np.c_[0.01 * rng.normal(size=(256, 1)), X, X[:, :2]].astype("float32")
    for steps, severity in ((0, "note"), (100, "note"), (300, "warning")):
        (finding,) = findings(answering(noise, "mse", steps), x, noise)
        assert (finding.code, finding.severity) == ("KTF131", severity)
    assert finding.evidence["power"] > 0.9
    assert abs(finding.evidence["skill"]) < 0.05
    assert finding.evidence["linear_skill"] < 0.05


def test_by_heart_is_a_note(rng):
    noise = rng.integers(0, 3, 256)
    x = rng.normal(size=(256, 8)).astype("float32")
    # Finds the sample among those that it knows, and gives its label.
    known = layers.Dense(256, "softmax")
    labels = layers.Dense(3, "softmax")
    wide = keras.Sequential([keras.Input((8,)), known, labels])
    wide.compile("adam", SPARSE)
    known.set_weights([20 * x.T, -10 * (x**2).sum(1)])
    labels.set_weights([9 * np.eye(3)[noise], np.zeros(3)])
    trained(wide)
    (finding,) = findings(wide, x, noise)
    assert (finding.code, finding.severity) == ("KTF131", "note")
    assert "by heart" in finding.message
    assert finding.evidence["skill"] > 0.9


def digits(rng):
    """Ten shapes, noisy and shifted, as images of 8 x 8."""
    shapes = np.random.default_rng(5).random((5, 6, 6)) > 0.5
    y = rng.integers(0, 5, 256)
    x = 0.1 * rng.normal(size=(256, 8, 8, 1))
    for image, label, (a, b) in zip(x, y, rng.integers(0, 3, (256, 2)), strict=True):
        image[a : a + 6, b : b + 6, 0] += shapes[label]
    return x.astype("float32"), y


def cnn():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(10, "softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), SPARSE)
    return model


def test_images_with_and_without_their_labels(rng):
    x, y = digits(rng)
    assert "KTF131" not in codes(trained(cnn()), x, y)
    shuffled = rng.permutation(y)
    (fresh,) = findings(trained(cnn()), x, shuffled)
    assert (fresh.code, fresh.severity) == ("KTF131", "warning")
    model = cnn()
    model.fit(x, shuffled, batch_size=16, epochs=13, verbose=0)
    (finding,) = findings(model, x, shuffled)
    assert finding.code == "KTF131"


def test_masks_without_their_images(rng):
    y = masks(rng)[..., None]
    x = (y + 0.5 * rng.normal(size=y.shape)).astype("float32")
    model = trained(segmenter(1, BINARY))
    assert codes(model, x, y) == []
    (finding,) = findings(model, x, np.roll(y, 1, 0))
    assert finding.code == "KTF131"


def test_a_net_that_learns_what_simple_learners_do_not_see(rng):
    """XOR of two of forty features: none but the net finds it."""
    x = np.sign(rng.normal(size=(256, 40))).astype("float32")
    y = ((x[:, :1] * x[:, 1:2]) > 0).astype("float32")
    logits = (4 * y - 2).astype("float32")
    model = answering(logits, keras.losses.BinaryCrossentropy(from_logits=True))
    hidden = np.c_[logits, x[:, :8]].astype("float32")
    assert [f for f in findings(model, hidden, y) if f.severity != "note"] == []
    fresh = net(1, "sigmoid", BINARY, shape=(40,))
    assert all(f.severity == "note" for f in findings(fresh, x, y))


def test_losses_of_ones_own_are_no_more_than_a_note(rng):
    noise = rng.normal(size=(256, 1)).astype("float32")

    def own(y, predictions):
        return keras.ops.mean(keras.ops.square(predictions))

    found = findings(trained(net(1, None, own)), X, noise)
    assert [f.severity for f in found] == ["note"]


def test_a_linear_task_is_noted_for_a_net_and_not_for_a_linear_model(rng):
    y = Y + 0.05 * rng.normal(size=Y.shape)
    (finding,) = findings(net(1, None, "mse"), X, y)
    assert (finding.code, finding.severity) == ("KTF132", "note")
    assert finding.evidence["linear_skill"] > 0.95
    linear = keras.Sequential([keras.Input((6,)), layers.Dense(1)])
    linear.compile("adam", "mse")
    assert codes(linear, X, y) == []


def test_an_autoencoder_is_no_linear_task():
    assert codes(net(6, None, "mse"), X, X) == []


def test_classes_on_two_sides_of_a_plane(rng):
    y = rng.integers(0, 2, 256)
    x = (X + 5 * y[:, None]).astype("float32")
    (finding,) = findings(net(1, "sigmoid", BINARY), x, y)
    assert finding.code == "KTF132"
    assert finding.evidence["linear_accuracy"] >= 0.98
    assert codes(net(3, "softmax", SPARSE), X, IDS) == []


def test_a_net_that_is_worse_than_a_linear_model(rng):
    y = Y + 0.8 * rng.normal(size=Y.shape)
    model = net(1, None, "mse")
    assert codes(model, X, y) == []
    (finding,) = findings(trained(model), X, y)
    assert finding.code == "KTF132"
    assert finding.evidence["model_r2"] < finding.evidence["linear_skill"]


def test_nets_that_a_task_needs(rng):
    for x, y in (xor(rng), circle(rng)):
        model = net(2, "softmax", SPARSE, shape=(2,))
        assert codes(trained(model), x.astype("float32"), y) == []
