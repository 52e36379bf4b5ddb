"""KTF111 to KTF113, and KTF125 to KTF127: targets, classes, weights and order."""

import keras
import numpy as np
import pytest

from keras_trainfix import (
    MaskedCrossentropy,
    MaskedSoftDice,
    WeightedSum,
)
from tests.diagnosis import nets
from tests.diagnosis.test_inputs import (
    OF_TARGETS,
    OWN,
    classes,
    findings,
    only,
    snippet,
)

layers = keras.layers


@pytest.mark.parametrize("code", OF_TARGETS)
def test_the_page_shows_the_fault_and_its_repair(code):
    assert only(*snippet(OWN[code], "How to check")).code == code
    assert findings(*snippet(OWN[code], "Fix")) == {}


def real(scale=1.0, offset=0.0, columns=1):
    x = nets.inputs(128)
    y = np.tanh(x[:, :columns] + x[:, 1 : columns + 1]) * 1.5
    return x, (scale * y + offset).astype("float32")


# KTF111


@pytest.mark.parametrize(
    ("scale", "offset"),
    [(1e3, 0), (5e4, 2e5), (10, 1e3), (1e3, -5e3), (1e6, 0), (30, 3000)],
)
@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "sgd"])
def test_targets_unscaled(scale, offset, optimizer):
    x, y = real(scale, offset)
    finding = only(nets.net(loss="mse", optimizer=optimizer), x, y)
    assert (finding.code, finding.name) == ("KTF111", "targets-unscaled")
    assert finding.severity == "warning"
    assert finding.evidence["mean"] == pytest.approx(float(y.mean()), rel=1e-4)
    assert finding.evidence["std"] == pytest.approx(float(y.std()), rel=1e-4)
    assert ("steps" in finding.evidence) == (optimizer != "sgd")
    y = (y - y.mean()) / y.std()
    assert findings(nets.net(loss="mse", optimizer=optimizer), x, y) == {}


def test_targets_unscaled_in_one_column():
    x, y = real(1, columns=3)
    y[:, 1] *= 1e5
    finding = only(nets.net(3, loss="mae"), x, y)
    assert finding.evidence["column"] == 1


def test_the_steps_follow_from_the_learning_rate():
    x, y = real(5e4)
    steps = [
        only(nets.net(loss="mse", optimizer=keras.optimizers.Adam(rate)), x, y)
        for rate in (1e-4, 1e-3)
    ]
    slow, fast = (finding.evidence["steps"] for finding in steps)
    assert slow == pytest.approx(10 * fast, rel=0.01)


def test_a_schedule_of_the_learning_rate_is_read():
    schedule = keras.optimizers.schedules.ExponentialDecay(1e-3, 100, 0.9)
    model = nets.net(loss="mse", optimizer=keras.optimizers.Adam(schedule))
    finding = only(model, *real(5e4))
    assert finding.evidence["learning_rate"] == pytest.approx(1e-3, rel=0.01)


def test_targets_that_the_model_scales_or_already_reaches():
    x, y = real(10, 500)
    model = nets.net(loss="mse")
    assert list(findings(model, x, y)) == ["KTF111"]
    model.layers[-1].bias.assign([500.0])
    assert findings(model, x, y) == {}
    scaled = keras.Sequential([nets.net(), layers.Rescaling(20, offset=500)])
    scaled.build((None, 6))
    scaled.compile("adam", "mse")
    assert findings(scaled, x, y) == {}


def test_class_ids_are_no_unscaled_targets():
    y = np.random.default_rng(1).integers(0, 900, 64)
    model = nets.net(900, "softmax", "sparse_categorical_crossentropy")
    assert findings(model, nets.inputs(), y) == {}


# KTF112


@pytest.mark.parametrize(
    ("scale", "offset"), [(1e-3, 1), (0.1, 50), (0, 1), (0, 0), (1e-4, -0.5)]
)
def test_targets_nearly_constant(scale, offset):
    finding = only(nets.net(loss="mse"), *real(scale, offset))
    assert (finding.code, finding.name) == ("KTF112", "targets-nearly-constant")
    assert finding.severity == "warning"


def test_targets_around_the_bias_of_the_head():
    x, y = real(0.1, 50)
    model = nets.net(loss="mse")
    head = model.layers[-1]
    head.kernel.assign(0.1 * head.kernel)
    head.bias.assign(y.mean(0))
    assert findings(model, x, y) == {}


def test_targets_of_one_value():
    x, y = real()
    y[:-2] = 0
    finding = only(nets.net(loss="mse"), x, y)
    assert finding.code == "KTF112"
    assert finding.evidence["most_frequent"] == 0
    assert finding.evidence["most_frequent_share"] == pytest.approx(126 / 128)
    assert "sample_weight" in finding.fix


@pytest.mark.parametrize(("scale", "offset"), [(1e-3, 0), (1, 20), (0.1, 1)])
def test_targets_that_vary(scale, offset):
    assert findings(nets.net(loss="mse"), *real(scale, offset)) == {}


def test_one_constant_column_of_three_is_no_fault():
    x, y = real(columns=3)
    y[:, 2] = 1
    assert findings(nets.net(3, loss="mse"), x, y) == {}


# KTF113


def masked(y, predictions):
    known = keras.ops.logical_not(keras.ops.isnan(y))
    error = keras.ops.where(known, y, predictions) - predictions
    return keras.ops.mean(keras.ops.square(error))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("loss", ["mse", "huber"])
def test_targets_not_finite(bad, loss):
    x, y = real()
    y[[3, 5]] = bad
    finding = only(nets.net(loss=loss), x, y)
    assert (finding.code, finding.name) == ("KTF113", "targets-not-finite")
    assert finding.severity == "error"
    assert finding.evidence["first_samples"] == [3, 5]


def test_labels_not_finite():
    y = np.eye(3, dtype="float32")[classes()]
    y[3] = np.nan
    model = nets.net(3, "softmax", "categorical_crossentropy")
    assert only(model, nets.inputs(), y).code == "KTF113"


def test_nan_that_a_loss_masks():
    x, y = real()
    y[3] = np.nan
    assert findings(nets.net(loss=masked), x, y) == {}
    plain = nets.net(loss=lambda y, p: keras.ops.mean(keras.ops.square(y - p)))
    assert list(findings(plain, x, y)) == ["KTF113"]


# KTF125


def rare(count, samples=100):
    """Labels of which `count` are 1, spread evenly."""
    y = np.zeros(samples, "int32")
    y[np.linspace(3, samples - 4, count).astype(int)] = 1
    return y


def rare_masks(samples=16, size=16, side=2):
    rng = np.random.default_rng(1)
    x = rng.random((samples, size, size, 1)).astype("float32")
    y = np.zeros((samples, size, size), "int32")
    y[:, :side, :side] = 1
    return x, y


def mask_net(units=2, activation="softmax", loss=None):
    model = keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            layers.Conv2D(4, 3, padding="same", activation="relu"),
            layers.Conv2D(units, 1, activation=activation),
        ]
    )
    model.compile("adam", loss or "sparse_categorical_crossentropy")
    return model


IMBALANCED = {
    "sparse": lambda: (
        nets.net(2, "softmax", "sparse_categorical_crossentropy"),
        nets.inputs(100),
        rare(3),
    ),
    "one-hot": lambda: (
        nets.net(2, "softmax", "categorical_crossentropy"),
        nets.inputs(100),
        np.eye(2)[rare(3)],
    ),
    "binary": lambda: (
        nets.net(1, "sigmoid", "binary_crossentropy"),
        nets.inputs(100),
        rare(2),
    ),
    "squared error": lambda: (
        nets.net(1, "sigmoid", "mse"),
        nets.inputs(100),
        rare(3),
    ),
    "masked": lambda: (
        nets.net(2, "softmax", MaskedCrossentropy()),
        nets.inputs(100),
        rare(3),
    ),
    "one class": lambda: (
        nets.net(1, "sigmoid", "binary_crossentropy"),
        nets.inputs(100),
        rare(0),
    ),
    "segmentation": lambda: (mask_net(), *rare_masks()),
    "one channel": lambda: (
        mask_net(1, "sigmoid", "binary_crossentropy"),
        rare_masks()[0],
        rare_masks()[1][..., None],
    ),
}


@pytest.mark.parametrize("variant", IMBALANCED)
def test_class_imbalance(variant):
    finding = only(*IMBALANCED[variant]())
    assert (finding.code, finding.name) == ("KTF125", "class-imbalance")
    assert finding.severity == "warning"
    assert finding.evidence["largest_class"] == 0
    assert sum(finding.evidence["shares"]) == pytest.approx(1)


@pytest.mark.parametrize(
    "loss",
    [
        MaskedCrossentropy(class_weight=[0.5, 15.0]),
        MaskedCrossentropy(focal_gamma=2.0),
        MaskedSoftDice(),
        WeightedSum([MaskedSoftDice(), MaskedCrossentropy()]),
        lambda y, p: keras.losses.sparse_categorical_crossentropy(y, p),
    ],
)
def test_losses_that_make_up_for_the_imbalance(loss):
    assert findings(mask_net(loss=loss), *rare_masks()) == {}


def test_focal_losses_make_up_for_the_imbalance():
    model = nets.net(1, "sigmoid", "binary_focal_crossentropy")
    assert findings(model, nets.inputs(100), rare(3)) == {}


def test_sample_weights_make_up_for_the_imbalance():
    model = nets.net(1, "sigmoid", "binary_crossentropy")
    weights = np.where(rare(3), 30.0, 1.0)
    assert findings(model, nets.inputs(100), rare(3), weights) == {}


def test_void_pixels_do_not_count():
    x, y = rare_masks()
    y[:, 4:] = 255
    y[:, :4, 4:] = 255
    model = mask_net(loss=MaskedCrossentropy())
    assert findings(model, x, y) == {}


def test_classes_that_are_not_that_rare():
    model = nets.net(1, "sigmoid", "binary_crossentropy")
    assert findings(model, nets.inputs(100), rare(6)) == {}
    assert findings(mask_net(), *rare_masks(side=4)) == {}


# KTF126


def step_net(loss="mse", steps=16):
    model = keras.Sequential([keras.Input((steps, 3)), layers.Dense(1)])
    model.compile("adam", loss)
    return model


def steps(samples=16, length=16):
    x = np.random.default_rng(1).normal(size=(samples, length, 3)).astype("float32")
    return x, x[..., :1]


def half_masks(samples=16):
    x, y = rare_masks(samples)
    y[:, :, ::2] = 1
    return x, y


ON_COLUMNS = {
    "pixels": lambda: (mask_net(), *half_masks(), np.ones(16)),
    "more samples": lambda: (mask_net(), *half_masks(48), np.ones(48)),
    "rows": lambda: (mask_net(), *half_masks(), np.ones((16, 1))),
    "steps": lambda: (step_net(), *steps(), np.ones(16)),
    "32 steps": lambda: (step_net("mae", 32), *steps(64, 32), np.ones(64)),
}


@pytest.mark.parametrize("variant", ON_COLUMNS)
def test_sample_weight_on_columns(variant):
    model, x, y, weights = ON_COLUMNS[variant]()
    finding = only(model, x, y, weights)
    assert (finding.code, finding.name) == ("KTF126", "sample-weight-on-columns")
    assert finding.severity == ("warning" if variant == "more samples" else "error")
    repaired = eval(finding.fix.partition("= ")[2], {"sample_weight": weights})
    assert findings(model, x, y, repaired) == {}


def test_keras_weighs_columns():
    """The fault itself: what the check says is what Keras does."""
    y, p = np.zeros((4, 3, 4, 1), "float32"), np.ones((4, 3, 4, 1), "float32")
    p[0] = 3
    weights = np.array([1.0, 0, 0, 0], "float32")
    loss = keras.losses.MeanSquaredError(reduction="none")
    values = keras.ops.convert_to_numpy(loss(y, p, weights))
    assert values[:, :, 0].all()
    assert not values[:, :, 1:].any()


def test_weights_of_samples_that_are_right():
    assert findings(mask_net(), *half_masks(), np.ones((16, 16, 16))) == {}
    assert (
        findings(mask_net(loss=MaskedCrossentropy()), *half_masks(), np.ones(16)) == {}
    )
    x, y = steps()
    assert findings(step_net(), x, y, np.ones((16, 16))) == {}
    # Predictions (N, T, 1) are squeezed to targets (N, T): one value a sample.
    assert findings(step_net(), x, y[..., 0], np.ones(16)) == {}
    model = nets.net(16, loss="mse")
    y = nets.inputs(16, 16, 3)
    assert findings(model, nets.inputs(16), y, np.ones(16)) == {}


# KTF127


def class_net(count=3, sparse=True):
    kind = "sparse_categorical" if sparse else "categorical"
    return nets.net(count, "softmax", f"{kind}_crossentropy")


ORDERED = {
    "ids": lambda: (5, np.repeat(np.arange(5), 20)),
    "descending": lambda: (5, np.repeat(np.arange(5), 20)[::-1]),
    "any order": lambda: (5, np.repeat([3, 0, 4, 2, 1], 20)),
    "many classes": lambda: (100, np.repeat(np.arange(100), 2)),
    "a class alone in the end": lambda: (
        3,
        np.r_[np.repeat([0, 1, 0, 1], 40), np.full(40, 2)],
    ),
}


@pytest.mark.parametrize("variant", ORDERED)
@pytest.mark.parametrize("sparse", [True, False])
def test_one_class_split(variant, sparse):
    count, y = ORDERED[variant]()
    order = np.random.default_rng(1).permutation(len(y))
    x = nets.inputs(len(y))
    y = y if sparse else np.eye(count)[y]
    finding = only(class_net(count, sparse), x, y)
    assert (finding.code, finding.name) == ("KTF127", "one-class-split")
    assert finding.severity == "warning"
    assert finding.evidence["only_in_last_part"]
    assert findings(class_net(count, sparse), x, y[order]) == {}


def test_one_class_split_of_two_classes_is_a_warning():
    model = nets.net(1, "sigmoid", "binary_crossentropy")
    y = np.repeat([0.0, 1.0], 50)
    finding = only(model, nets.inputs(100), y)
    assert (finding.code, finding.severity) == ("KTF127", "warning")
    assert finding.evidence["only_in_first_part"] == [0]


def test_sorted_labels_that_have_been_learned():
    y = np.repeat(np.arange(3), 40)
    x = (np.eye(6)[y] + 0.1 * nets.inputs(120)).astype("float32")
    model = class_net(3, True)
    assert only(model, x, y).code == "KTF127"
    model.compile(keras.optimizers.Adam(0.1), model.loss)
    model.fit(x, y, epochs=20, verbose=0)
    assert findings(model, x, y) == {}


def test_runs_of_labels_with_all_classes_in_both_parts():
    y = np.tile(np.repeat([0.0, 1.0], 5), 10)
    model = nets.net(1, "sigmoid", "binary_crossentropy")
    assert findings(model, nets.inputs(100), y) == {}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [2, 5, 30, 100])
def test_shuffled_labels_are_no_split(seed, count):
    y = np.random.default_rng(seed).integers(0, count, 100)
    assert findings(class_net(count), nets.inputs(100), y) == {}


def test_batches_do_not_tell_the_order():
    x, y = nets.inputs(100), np.repeat(np.arange(5), 20)
    batches = [(x[i : i + 20], y[i : i + 20]) for i in range(0, 100, 20)]
    assert findings(class_net(5), batches) == {}
