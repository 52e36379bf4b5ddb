"""Signals of all kinds are seen, noise is not, and neither is judged on few samples."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

import keras_trainfix as kt
from keras_trainfix.diagnosis.measure.kernels import rows_of_samples
from keras_trainfix.diagnosis.measure.learnability import learnability, learnability_of
from tests.diagnosis.measure.tasks import BINARY, SPARSE, circle, masks, segmenter, xor
from tests.diagnosis.nets import inputs, net, view

X = inputs(256)
Y = X[:, :1] + 0.5 * X[:, 1:2]


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


def parity(rng):
    x = rng.integers(0, 2, (256, 8))
    return x.astype("float32"), x.sum(1) % 2


def sine(rng):
    x = rng.uniform(-1, 1, (256, 1))
    return x, np.sin(20 * x)


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
