import json

import keras
import numpy as np
import pytest
from keras import layers

import keras_trainfix as kt
from keras_trainfix.diagnosis.registry import CHECKS
from tests.diagnosis.nets import inputs, net, view
from tests.diagnosis.snippets import faulty_and_fixed

pytestmark = [
    pytest.mark.filterwarnings("ignore:You are using a softmax:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*softmax.*:UserWarning"),
]
OF_LABELS = ["KTF206", "KTF121", "KTF122", "KTF123", "KTF124"]
OF_HEADS = ["KTF201", "KTF202", "KTF203", "KTF204", "KTF205", "KTF207"]
OWN = {code: CHECKS[code] for code in (*OF_LABELS, *OF_HEADS)}
SCCE, CCE, BCE = (
    "sparse_categorical_crossentropy",
    "categorical_crossentropy",
    "binary_crossentropy",
)
X = inputs()
REAL = 3 * X.sum(1, keepdims=True)
BINARY = (X.sum(1, keepdims=True) > 0).astype("float32")
IDS = np.arange(64) % 3
ONE_HOT = np.eye(3, dtype="float32")[IDS]
IMAGES = np.random.default_rng(1).normal(size=(16, 8, 8, 3)).astype("float32")
MASKS = (IMAGES[..., :1] > 0).astype("float32")
CLASSES = IMAGES.argmax(-1)
SERIES = IMAGES[:, 0]
TAGS = np.eye(3)[SERIES.argmax(-1)]


def findings(model, x, y, sample_weight=None, output=0):
    """What the checks of heads and of labels find."""
    one = view(model, x, y, sample_weight, output)
    found = [check.run(one) for check in OWN.values()]
    found = [finding for finding in found if finding]
    for finding in found:
        json.dumps(finding.to_dict())
        assert finding.message
        assert finding.fix
    return {finding.code: finding for finding in found}


def codes(*args, **kwargs):
    return sorted(findings(*args, **kwargs))


def layered(*head, loss, shape=(6,), **settings):
    model = keras.Sequential([keras.Input(shape), *head])
    model.compile("adam", loss, **settings)
    return model


def conv(units, activation, loss, **settings):
    head = layers.Conv2D(units, 3, padding="same", activation=activation)
    return layered(head, loss=loss, shape=(8, 8, 3), **settings)


def tagger(activation, loss):
    head = layers.TimeDistributed(layers.Dense(3, activation=activation))
    return layered(head, loss=loss, shape=(8, 3))


def functional(units, activation, loss):
    x = keras.Input((6,))
    y = layers.Dense(units)(layers.Dense(8, activation="relu")(x))
    y = layers.Activation(activation)(y)
    model = keras.Model(x, y)
    model.compile("adam", loss)
    return model


# Each code: (model, x, y) that has the fault, as functions, and its repaired twins.
FAULTY = {
    "KTF201 error": [
        lambda: (net(1, "softmax", BCE), X, BINARY),
        lambda: (net(1, "softmax", "mse"), X, REAL),
        lambda: (net(1, "softmax", keras.losses.BinaryCrossentropy()), X, BINARY),
        lambda: (net(1, "softmax", CCE), X, BINARY),
        lambda: (net(1, "softmax", SCCE), X, IDS),
        lambda: (functional(1, "softmax", BCE), X, BINARY),
        lambda: (layered(layers.Dense(1), layers.Softmax(), loss=BCE), X, BINARY),
        lambda: (conv(1, "softmax", BCE), IMAGES, MASKS),
        lambda: (conv(1, "softmax", kt.MaskedSoftDice()), IMAGES, MASKS),
    ],
    "KTF202 error": [
        lambda: (net(1, "sigmoid", "mse"), X, REAL),
        lambda: (net(1, "sigmoid", "mae"), X, REAL[:, 0]),
        lambda: (net(1, "tanh", keras.losses.Huber()), X, REAL),
        lambda: (net(1, "relu", "mse"), X, REAL),
        lambda: (net(2, "softmax", "mse"), X, X[:, :2]),
        lambda: (net(2, "softmax", "mse"), X, 0.1 + 0 * X[:, :2]),
        lambda: (functional(1, "sigmoid", "mse"), X, REAL),
        lambda: (layered(layers.Dense(1), layers.ReLU(), loss="mse"), X, -REAL),
        lambda: (conv(3, "sigmoid", "mse"), IMAGES, IMAGES),
        lambda: (net(1, "sigmoid", "mse"), X, IDS),
    ],
    "KTF202 warning": [
        lambda: (net(1, "relu", "mse"), X, np.where(np.arange(64) > 0, 2, -1)[:, None]),
        lambda: (net(1, "sigmoid", lambda a, b: abs(a - b)), X, REAL),
    ],
    "KTF203 error": [
        lambda: (tagger("relu", CCE), SERIES, TAGS),
        lambda: (tagger(None, CCE), SERIES, TAGS),
        lambda: (net(1, None, BCE), X, BINARY),
        lambda: (net(1, "relu", BCE), X, BINARY),
        lambda: (net(1, "tanh", BCE), X, BINARY),
        lambda: (net(3, None, SCCE), X, IDS),
        lambda: (net(3, None, CCE), X, ONE_HOT),
        lambda: (net(3, "relu", keras.losses.CategoricalCrossentropy()), X, ONE_HOT),
        lambda: (functional(1, "linear", keras.losses.BinaryCrossentropy()), X, BINARY),
        lambda: (conv(3, None, SCCE), IMAGES, CLASSES),
        lambda: (conv(1, None, BCE), IMAGES, MASKS),
        lambda: (conv(3, None, kt.MaskedCrossentropy()), IMAGES, CLASSES),
        lambda: (conv(1, "relu", keras.losses.Dice()), IMAGES, MASKS),
    ],
    "KTF204 warning": [
        lambda: (without_layer(keras.ops.softmax, sparse(from_logits=True)), X, IDS),
        lambda: (net(1, "sigmoid", logits("BinaryCrossentropy")), X, BINARY),
        lambda: (net(3, "softmax", logits("CategoricalCrossentropy")), X, ONE_HOT),
        lambda: (functional(3, "softmax", sparse(from_logits=True)), X, IDS),
        lambda: (
            layered(layers.Dense(3), layers.Softmax(), loss=sparse(from_logits=True)),
            X,
            IDS,
        ),
        lambda: (conv(3, "softmax", sparse(from_logits=True)), IMAGES, CLASSES),
        lambda: (
            conv(3, "softmax", kt.MaskedCrossentropy(from_logits=True)),
            IMAGES,
            CLASSES,
        ),
    ],
    "KTF205 error": [
        lambda: (net(1, "sigmoid", CCE), X, BINARY),
        lambda: (net(1, None, CCE), X, BINARY[:, 0]),
        lambda: (net(1, "sigmoid", keras.losses.CategoricalCrossentropy()), X, IDS),
        lambda: (net(1, "sigmoid", SCCE), X, BINARY),
        lambda: (functional(1, "sigmoid", SCCE), X, IDS),
        lambda: (net(1, "sigmoid", BCE), X, IDS),
        lambda: (net(3, "softmax", SCCE), X, np.arange(64) % 7),
        lambda: (net(3, "softmax", CCE), X, np.eye(5)[np.arange(64) % 5]),
        lambda: (conv(1, "sigmoid", CCE), IMAGES, MASKS),
        lambda: (conv(2, "softmax", SCCE), IMAGES, CLASSES),
    ],
    "KTF205 warning": [
        lambda: (net(3, "sigmoid", CCE), X, ONE_HOT),
        lambda: (net(3, "softmax", BCE), X, ONE_HOT),
        lambda: (functional(3, "sigmoid", CCE), X, ONE_HOT),
        lambda: (conv(3, "softmax", BCE), IMAGES, np.eye(3)[CLASSES]),
    ],
    "KTF207 warning": [
        lambda: (net(1, None, "mse", metrics=["accuracy"]), X, REAL),
        lambda: (net(1, None, "mse", metrics=["mae", "acc"]), X, REAL),
        lambda: (net(1, None, "mse", metrics=[["accuracy"]]), X, REAL),
        lambda: (net(1, None, "mae", weighted_metrics=["accuracy"]), X, REAL),
        lambda: (
            net(1, None, "mse", metrics=[keras.metrics.BinaryAccuracy()]),
            X,
            REAL,
        ),
        lambda: (
            net(1, None, "mse", metrics=[keras.metrics.binary_accuracy]),
            X,
            REAL,
        ),
        lambda: (
            net(1, None, "mse", metrics=["accuracy"]),
            X,
            np.arange(64) % 10,
        ),
    ],
}


def logits(name):
    return getattr(keras.losses, name)(from_logits=True)


def sparse(**settings):
    return keras.losses.SparseCategoricalCrossentropy(**settings)


REPAIRED = {
    "sigmoid of one unit": lambda: (net(1, "sigmoid", BCE), X, BINARY),
    "linear regression": lambda: (net(1, None, "mse"), X, REAL),
    "softmax and ids": lambda: (net(3, "softmax", SCCE), X, IDS),
    "softmax and rows": lambda: (net(3, "softmax", CCE), X, ONE_HOT),
    "logits": lambda: (net(1, None, logits("BinaryCrossentropy")), X, BINARY),
    "logits of classes": lambda: (net(3, None, sparse(from_logits=True)), X, IDS),
    "masks": lambda: (conv(1, "sigmoid", BCE), IMAGES, MASKS),
    "segmentation": lambda: (conv(3, "softmax", SCCE), IMAGES, CLASSES),
    "tanh and its range": lambda: (net(1, "tanh", "mse"), X, np.tanh(REAL)),
    "sigmoid and its range": lambda: (net(1, "sigmoid", "mse"), X, np.cos(REAL) ** 2),
    "relu and counts": lambda: (net(1, "relu", "poisson"), X, np.abs(REAL).round()),
    "leaky relu": lambda: (
        layered(layers.Dense(1), layers.ReLU(negative_slope=0.3), loss="mse"),
        X,
        REAL,
    ),
    "several labels": lambda: (
        net(3, "sigmoid", BCE),
        X,
        (X[:, :3] > 0.5).astype("float32"),
    ),
    "softmax and 2 columns, binary loss": lambda: (
        net(2, "softmax", BCE),
        X,
        np.eye(2)[IDS % 2],
    ),
    "accuracy of classes": lambda: (
        net(3, "softmax", SCCE, metrics=["accuracy"]),
        X,
        IDS,
    ),
    "errors of a regression": lambda: (
        net(1, None, "mse", metrics=["mae", keras.metrics.R2Score()]),
        X,
        REAL,
    ),
    "squared error of 0 and 1, with accuracy": lambda: (
        net(1, "sigmoid", "mse", metrics=["accuracy"]),
        X,
        BINARY,
    ),
    "a metric of one's own": lambda: (
        net(1, None, "mse", metrics=[accuracy]),
        X,
        REAL,
    ),
    "a softmax that is no layer": lambda: (
        without_layer(keras.ops.softmax, SCCE),
        X,
        IDS,
    ),
    "no loss": lambda: (net(1, "sigmoid"), X, BINARY),
    "no targets": lambda: (net(1, "sigmoid", BCE), X, None),
    "attention over places": lambda: (
        layered(layers.Dense(1), layers.Softmax(axis=1), loss="mse", shape=(5, 6)),
        np.repeat(X[:, None], 5, 1) * np.arange(5)[:, None],
        np.full((64, 5, 1), 0.2),
    ),
    "a mean of sigmoids": lambda: (
        layered(
            layers.Conv2D(1, 3, activation="sigmoid"),
            layers.GlobalAveragePooling2D(),
            loss=BCE,
            shape=(8, 8, 3),
        ),
        IMAGES,
        MASKS[:, 0, 0],
    ),
    "missing targets in a loss of one's own": lambda: (
        net(1, "sigmoid", lambda a, b: keras.ops.where(a < 0, 0.0, abs(a - b))),
        X,
        np.where(REAL > 5, -1, np.cos(REAL) ** 2),
    ),
}


def without_layer(activation, loss):
    x = keras.Input((6,))
    model = keras.Model(x, activation(layers.Dense(3)(x)))
    model.compile("adam", loss)
    return model


def accuracy(y_true, y_pred):
    return keras.ops.mean(keras.ops.abs(y_true - y_pred) < 0.1)


@pytest.mark.parametrize(
    ("expected", "case"),
    [(key, i) for key, cases in FAULTY.items() for i in range(len(cases))],
)
def test_a_fault_is_found_and_nothing_else(expected, case):
    found = findings(*FAULTY[expected][case]())
    code, severity = expected.split()
    assert sorted(found) == [code]
    assert found[code].severity == severity
    assert found[code].evidence


@pytest.mark.parametrize("name", REPAIRED)
def test_a_repaired_net_is_silent(name):
    assert codes(*REPAIRED[name]()) == []


def test_the_head_of_every_step_is_read():
    assert not set(findings(tagger("softmax", CCE), SERIES, TAGS)) & set(OF_HEADS)


def test_names_of_the_checks():
    assert {code: OWN[code].name for code in OF_HEADS} == {
        "KTF201": "softmax-on-one-unit",
        "KTF202": "head-cannot-reach-targets",
        "KTF203": "logits-into-probability-loss",
        "KTF204": "probabilities-into-logits-loss",
        "KTF205": "loss-does-not-fit-head",
        "KTF207": "accuracy-on-regression",
    }


def test_the_share_that_is_out_of_reach_is_measured():
    finding = findings(net(1, "sigmoid", "mse"), X, REAL)["KTF202"]
    assert finding.evidence["share"] == pytest.approx(
        ((REAL < 0) | (REAL > 1)).mean(), abs=0.05
    )
    assert finding.evidence["head_highest"] == 1
    assert "linear" in finding.fix


def test_an_overlap_of_ones_own_says_what_it_takes():
    def dice(y_true, y_pred):
        both = 2 * keras.ops.sum(y_true * y_pred)
        return 1 - both / (keras.ops.sum(y_true) + keras.ops.sum(y_pred) + 1e-7)

    def dice_of_logits(y_true, y_pred):
        return dice(y_true, keras.ops.sigmoid(y_pred))

    finding = findings(conv(1, None, dice), IMAGES, MASKS)["KTF203"]
    assert "less than a perfect answer" in finding.message
    assert "from_logits" not in finding.fix
    for model in (conv(1, None, dice_of_logits), conv(1, "sigmoid", dice)):
        assert "KTF203" not in findings(model, IMAGES, MASKS)


def test_the_share_that_is_clipped_is_measured():
    model = net(3, "relu", SCCE)
    finding = findings(model, X, IDS)["KTF203"]
    p = model.predict(X, verbose=0)
    assert finding.evidence["clipped_share"] == pytest.approx(
        ((p <= 0) | (p >= 1)).mean()
    )


def test_the_fix_of_a_softmax_on_one_unit_fits_the_task():
    def fix(model, y, x=X):
        return findings(model, x, y)["KTF201"].fix

    assert "keras.activations.sigmoid" in fix(net(1, "softmax", BCE), BINARY)
    assert "keras.activations.linear" in fix(net(1, "softmax", "mse"), REAL)
    assert "Dense(3," in fix(net(1, "softmax", SCCE), IDS)
    own_layer = layered(
        layers.Conv2D(1, 3), layers.Softmax(), loss=BCE, shape=(8, 8, 3)
    )
    masks = MASKS[:, 1:-1, 1:-1]
    assert "Conv2D(1, (3, 3), padding=" in fix(own_layer, masks, IMAGES)


def test_each_output_is_judged_by_its_own_loss_and_metrics():
    x = keras.Input((6,))
    outputs = {
        "amount": layers.Dense(1, name="amount")(x),
        "kind": layers.Dense(3, activation="softmax", name="kind")(x),
    }
    model = keras.Model(x, outputs)
    y = {"amount": REAL, "kind": IDS}
    loss = {"amount": "mse", "kind": SCCE}
    model.compile("adam", loss, metrics={"kind": ["accuracy"]})
    assert codes(model, X, y, output=0) == codes(model, X, y, output=1) == []
    model.compile("adam", loss, metrics={"amount": "accuracy", "kind": ["accuracy"]})
    assert codes(model, X, y, output=0) == ["KTF207"]
    assert codes(model, X, y, output=1) == []


@pytest.mark.parametrize("code", sorted(OWN))
def test_the_snippets_of_the_documentation(code):
    faulty, fixed = faulty_and_fixed(OWN[code])
    assert codes(faulty["model"], faulty["x"], faulty["y"]) == [code]
    assert codes(fixed["model"], fixed["x"], fixed["y"]) == []


@pytest.mark.parametrize("code", sorted(OWN))
def test_the_page_has_all_its_parts(code):
    page = OWN[code].page
    for heading in (
        "What you see",
        "Why it happens",
        "How to check",
        "Fix",
        "When this is not the cause",
        "References",
    ):
        assert f"## {heading}\n" in page
    assert OWN[code].summary.endswith(".")
