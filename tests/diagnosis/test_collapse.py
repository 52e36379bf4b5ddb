"""Collapsed nets are told from those that learn, or that are only early."""

import json
import re

import keras
import numpy as np
import pytest
from keras import layers

import keras_trainfix as kt
from keras_trainfix.diagnosis.registry import CHECKS
from tests.diagnosis.nets import inputs, judge, net, view

NEED_TRIAL = ("KTF401", "KTF402", "KTF405", "KTF406", "KTF408", "KTF410")
OURS = sorted(code for code, check in CHECKS.items() if check.is_symptom)
ABOUT_THE_MODEL = sorted(
    code
    for code, check in CHECKS.items()
    if check.scope == "model" and check.code[3] in "34" and code not in NEED_TRIAL
)
ALL = [*OURS, *ABOUT_THE_MODEL]

X = inputs(256)
Y = X[:, :1] + 0.5 * X[:, 1:2]
ON = (Y > 0).astype("int32")
IDS = np.digitize(Y[:, 0], [-0.6, 0.6])
IMAGES = inputs(24, 256).reshape(24, 16, 16, 1)
MASKS = (IMAGES > 0.3).astype("int32")


def findings(model, x, y, codes=OURS):
    result = [judge(code, view(model, x, y)) for code in codes]
    for finding in filter(None, result):
        json.dumps(finding.to_dict())
        assert re.search(r"\d", finding.message)
        assert finding.fix
    return [finding for finding in result if finding]


def the_only(code, model, x, y):
    found = findings(model, x, y)
    assert [finding.code for finding in found] == [code], found
    assert found[0].severity == CHECKS[code].severity
    return found[0]


def sequential(*parts, x=X, loss="mse", lr=0.01):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input(x.shape[1:]), *parts])
    model.compile(keras.optimizers.Adam(lr), loss)
    return model


def fit(model, x, y, steps, batch_size=16, **settings):
    epochs = max(1, steps * batch_size // len(x))
    model.fit(x, y, batch_size=batch_size, epochs=epochs, verbose=0, **settings)
    return model


def steps_done(model, steps):
    """As if a model had been trained so long."""
    model.optimizer.build(model.trainable_variables)
    model.optimizer.iterations.assign(steps)
    return model


def answering(logits, loss, steps=500):
    """A model that gives its inputs as logits, after some steps."""
    units = logits.shape[-1]
    model = sequential(
        layers.Dense(units, kernel_initializer="identity"), x=logits, loss=loss
    )
    return steps_done(model, steps)


def sparse():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def binary():
    return keras.losses.BinaryCrossentropy(from_logits=True)


def test_the_codes():
    assert {code: CHECKS[code].name for code in OURS} == {
        "KTF501": "constant-prediction",
        "KTF502": "one-class-prediction",
        "KTF503": "trivial-mask",
        "KTF504": "class-never-predicted",
        "KTF505": "no-better-than-constant",
    }


@pytest.mark.parametrize("code", OURS)
def test_the_page(code):
    page = CHECKS[code].page
    headings = re.findall(r"^## (.*)$", page, re.MULTILINE)
    assert len(headings) == 6
    faulty, repaired = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    for snippet, expected in ((faulty, [code]), (repaired, [])):
        names = {}
        exec(snippet, names)
        found = findings(names["model"], names["x"], names["y"])
        assert [finding.code for finding in found] == expected, found


# --- KTF501 constant-prediction ---


def test_a_constant_prediction():
    constant = np.ones_like(Y)
    model = answering(constant, "mse", 0)
    assert findings(model, constant, Y) == []  # not trained
    finding = the_only("KTF501", steps_done(model, 20), constant, Y)
    assert finding.evidence["std_ratio"] == 0
    assert finding.evidence["prediction_mean"] == 1


@pytest.mark.parametrize(
    ("steps", "severity"), [(100, []), (1500, ["warning"])], ids=["early", "late"]
)
def test_shrunk_but_in_order(steps, severity):
    model = answering((0.005 * Y).astype("float32"), "mse", steps)
    found = findings(model, (0.005 * Y).astype("float32"), Y)
    assert [finding.severity for finding in found] == severity


def test_a_multi_label_constant():
    y = (X[:, :3] > [0, 0.5, 1]).astype("float32")
    assert y.sum(1).max() > 1
    logits = np.zeros((256, 3), "float32")
    the_only("KTF501", answering(logits, binary()), logits, y)


# --- KTF502 one-class-prediction ---


def test_one_class_of_constant_scores():
    logits = np.full((256, 3), [0.1, 0.5, 0.2], "float32")
    finding = the_only("KTF502", answering(logits, sparse()), logits, IDS)
    assert finding.evidence["predicted_class"] == 1
    assert finding.evidence["label_share"] == pytest.approx((IDS == 1).mean())


def test_one_class_of_scores_that_say_nothing(rng):
    scores = rng.normal(-3, 0.5, (256, 1)).astype("float32")
    model = answering(scores, binary(), 500)
    the_only("KTF502", model, scores, ON)
    assert findings(steps_done(model, 50), scores, ON) == []  # may come to say it


def test_scores_that_rank_are_early_or_a_matter_of_the_threshold(rng):
    scores = (Y - 5 + rng.normal(size=Y.shape)).astype("float32")
    model = answering(scores, binary(), 100)
    assert findings(model, scores, ON) == []
    found = findings(steps_done(model, 1000), scores, ON)
    assert [(f.code, f.severity) for f in found] == [("KTF504", "note")]


def test_a_single_class_in_the_sample_says_nothing():
    logits = np.full((256, 3), [0.1, 0.5, 0.2], "float32")
    assert findings(answering(logits, sparse()), logits, 0 * IDS) == []


# --- KTF503 trivial-mask ---


@pytest.mark.parametrize(
    ("logit", "name"), [(9, "all foreground"), (-9, "all background")]
)
def test_a_trivial_mask(logit, name):
    logits = np.full((24, 16, 16, 1), logit, "float32")
    finding = the_only("KTF503", answering(logits, binary()), logits, MASKS)
    assert name in finding.message
    assert finding.evidence["iou"] == pytest.approx(MASKS.mean() if logit > 0 else 0)


def test_a_saturated_mask_is_trivial_though_its_tail_ranks():
    logits = (14 + IMAGES).astype("float32")
    the_only("KTF503", answering(logits, binary()), logits, MASKS)


def test_a_trivial_mask_of_several_classes_and_void():
    y = np.where(MASKS[..., 0] > 0, 2, 1)
    y[:, :4] = 255
    logits = np.full((24, 16, 16, 3), [1, 0, 3], "float32")
    loss = kt.MaskedCrossentropy(from_logits=True, ignore_class=255)
    finding = the_only("KTF503", answering(logits, loss), logits, y)
    share = (y == 2).sum() / (y != 255).sum()
    assert "class 2 everywhere" in finding.message
    assert finding.evidence["iou"] == pytest.approx(share / 2)
    assert finding.evidence["iou_of_class"] == pytest.approx(share)


def test_early_masks_are_fair():
    logits = (IMAGES - 5).astype("float32")
    assert findings(answering(logits, binary(), 50), logits, MASKS) == []


# --- KTF504 class-never-predicted ---


def test_a_class_that_is_never_predicted(rng):
    logits = rng.normal(size=(256, 3)).astype("float32")
    logits += 3 * np.eye(3)[np.minimum(IDS, 1)]
    logits[:, 2] = -5 + rng.normal(size=256)
    logits = logits.astype("float32")
    model = answering(logits, sparse())
    finding = the_only("KTF504", model, logits, IDS)
    assert finding.evidence["classes"] == [2]
    assert findings(steps_done(model, 100), logits, IDS) == []


# --- KTF505 no-better-than-constant ---


def test_no_better_than_a_constant(rng):
    noise = rng.normal(size=(256, 1)).astype("float32")
    model = answering(noise, "mse")
    finding = the_only("KTF505", model, noise, Y)
    assert finding.evidence["skill"] < 0
    assert findings(steps_done(model, 100), noise, Y) == []
    opposite = (noise - Y).astype("float32")
    the_only("KTF505", answering(opposite, "mse"), opposite, Y)
    logits = rng.normal(size=(256, 3)).astype("float32")
    the_only("KTF505", answering(logits, sparse()), logits, IDS)


def test_predictions_that_are_meant_to_be_the_opposite(rng):
    def distance(y_true, y_pred):
        return keras.ops.mean(keras.ops.square(y_true + y_pred))

    opposite = (0.1 * rng.normal(size=Y.shape) - Y).astype("float32")
    assert findings(answering(opposite, distance), opposite, Y) == []


def test_scores_that_rank_with_a_wrong_scale_are_fair(rng):
    scores = (4 * Y + 4 + rng.normal(size=Y.shape)).astype("float32")
    assert findings(answering(scores, "mse"), scores, Y) == []
    logits = (9 * (Y + rng.normal(size=Y.shape))).astype("float32")
    assert findings(answering(logits, binary()), logits, ON) == []


def test_missing_targets_say_nothing():
    model = steps_done(net(1, None, "mse"), 500)
    assert findings(model, X, None) == []


# --- healthy nets: no finding of any check of layers and collapse ---

SPARSE = "sparse_categorical_crossentropy"
RARE = (X[:, :1] > 1.3).astype("int32")
SERIES = inputs(256, 20).reshape(256, 10, 2)
SUMS = SERIES[:, -3:, :1].sum(1)
WEAK = (X[:, :1] + 2 * np.random.default_rng(3).normal(size=(256, 1)) > 1.5).astype(int)


def mlp(units=1, activation=None, loss="mse", hidden="relu", lr=0.01):
    return sequential(
        layers.Dense(32, hidden),
        layers.Dense(16, hidden),
        layers.Dense(units, activation),
        loss=loss,
        lr=lr,
    )


def cnn(norm=False):
    parts = []
    for filters in (8, 16):
        parts += [layers.Conv2D(filters, 3, padding="same", use_bias=not norm)]
        parts += [layers.BatchNormalization(momentum=0.8)] if norm else []
        parts += [layers.Activation("relu"), layers.MaxPooling2D()]
    parts += [layers.GlobalAveragePooling2D(), layers.Dense(2, "softmax")]
    return sequential(*parts, x=IMAGES, loss=SPARSE)


def unet(rate=0.01):
    image = keras.Input((16, 16, 1))
    high = layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    low = layers.Conv2D(8, 3, padding="same", activation="relu")(
        layers.MaxPooling2D()(high)
    )
    both = layers.concatenate([high, layers.UpSampling2D()(low)])
    model = keras.Model(image, layers.Conv2D(1, 1, activation="sigmoid")(both))
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy")
    return model


def recurrent(kind):
    return sequential(kind(16), layers.Dense(1), x=SERIES)


BRIGHT = IMAGES.copy()
BRIGHT[::2] += 1
IS_BRIGHT = (np.arange(24) % 2 == 0).astype(int)

HEALTHY = {
    "fresh mlp": (lambda: mlp(), X, Y, 0),
    "fresh cnn": (lambda: cnn(), BRIGHT, IS_BRIGHT, 0),
    "fresh batch norm": (lambda: cnn(True), BRIGHT, IS_BRIGHT, 0),
    "fresh lstm": (lambda: recurrent(layers.LSTM), SERIES, SUMS, 0),
    "fresh unet": (lambda: unet(), IMAGES, MASKS, 0),
    "positive inputs": (lambda: mlp(3, "softmax", SPARSE), np.abs(X), IDS, 0),
    "regression": (lambda: mlp(), X, Y, 200),
    "leaky": (lambda: mlp(hidden="leaky_relu"), X, Y, 200),
    "tanh": (lambda: mlp(hidden="tanh"), X, Y, 200),
    "sigmoid": (lambda: mlp(1, "sigmoid", "binary_crossentropy"), X, ON, 200),
    "all sigmoid": (
        lambda: mlp(1, "sigmoid", "binary_crossentropy", "sigmoid", 0.03),
        X,
        ON,
        300,
    ),
    "softmax": (lambda: mlp(3, "softmax", SPARSE), X, IDS, 200),
    "lstm": (lambda: recurrent(layers.LSTM), SERIES, SUMS, 200),
    "gru": (lambda: recurrent(layers.GRU), SERIES, SUMS, 30),
    "trained cnn": (lambda: cnn(), BRIGHT, IS_BRIGHT, 60),
    "trained batch norm": (lambda: cnn(True), BRIGHT, IS_BRIGHT, 60),
    "unet": (lambda: unet(), IMAGES, MASKS, 60),
    "early unet": (lambda: unet(1e-3), IMAGES, MASKS, 20),
    "early regression": (lambda: mlp(lr=1e-4), X, Y, 32),
    "early large targets": (lambda: mlp(lr=1e-3), X, 50 * Y, 48),
    "early softmax": (lambda: mlp(3, "softmax", SPARSE, lr=1e-4), X, IDS, 32),
    "early sigmoid": (
        lambda: mlp(1, "sigmoid", "binary_crossentropy", "sigmoid", 1e-3),
        X,
        ON,
        48,
    ),
    "early rare": (lambda: mlp(1, "sigmoid", "binary_crossentropy"), X, RARE, 32),
    "rare": (lambda: mlp(1, "sigmoid", "binary_crossentropy"), X, RARE, 200),
    "weak": (
        lambda: mlp(1, "sigmoid", "binary_crossentropy", lr=1e-3),
        X,
        WEAK,
        240,
    ),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_net_has_no_finding(name):
    make, x, y, steps = HEALTHY[name]
    model = make()
    if steps:
        fit(model, x, y, steps, batch_size=8 if len(x) < 100 else 16)
    found = [f for f in findings(model, x, y, ALL) if f.severity != "note"]
    assert found == []


def test_class_weights_and_dice_are_no_lack_of_skill():
    model = mlp(1, "sigmoid", "binary_crossentropy")
    fit(model, X, WEAK, 220, class_weight={0: 1.0, 1: 9.0})
    assert findings(model, X, WEAK) == []
    model = unet()  # Dice alone does collapse here, to all foreground
    loss = kt.WeightedSum([kt.MaskedSoftDice(), kt.MaskedCrossentropy()])
    model.compile(keras.optimizers.Adam(0.01), loss)
    fit(model, IMAGES, MASKS, 60, batch_size=8)
    assert findings(model, IMAGES, MASKS, ALL) == []
