"""The pages of the site: their snippets run, and find and fix what they say."""

import re
import warnings
from pathlib import Path
from unittest import mock

import keras
import numpy as np
import pytest
from keras import layers

import keras_trainfix as kt
from keras_trainfix.callbacks.collapse.detector import CollapseWarning
from keras_trainfix.diagnosis.findings import DiagnosisError

ROOT = Path(__file__).parent.parent
PAGES = {page.stem: page for page in [ROOT / "README.md", *ROOT.glob("docs/*.md")]}
SNIPPET = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def snippets(page):
    return SNIPPET.findall(PAGES[page].read_text("utf-8"))


def run(page, **names):
    """Runs the snippets of a page one after another; yields what there is after each.

    Args:
        page: Name of the page.
        names: What the first snippet can take for granted.
    """
    assert snippets(page), page
    for number, snippet in enumerate(snippets(page), 1):
        exec(compile(snippet, f"{page}, snippet {number}", "exec"), names)
        yield names


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def varies(model, x, y, spread, **_):
    return spread(model.predict(x, verbose=0), y) > 0.9


def has_both_classes(model, x, answers, **_):
    counts = answers(model.predict(x, verbose=0))
    return len(counts) == 2 and min(counts) > len(x) / 4


def has_foreground(model, x, y, shares, probabilities=None, **_):
    if probabilities is None:
        probabilities = model.predict(x, verbose=0)
    predicted, labelled, right = shares(probabilities, y)
    return labelled / 2 < predicted < 2 * labelled and right > 0.8


def is_finite(x, facts, **_):
    return facts(x)[0] == 0


def moves(before, model, moved, **_):
    return moved(before, model.get_weights()) > 0.001


# Of each page of a symptom: what is found, from the first on, and what the number of
# its quick check has to tell apart.
SYMPTOMS = {
    "constant-answer": (["KTF101", "KTF501"], varies),
    "one-class": (["KTF201", "KTF502"], has_both_classes),
    "one-class-masks": (["KTF125"], has_foreground),
    "nan-or-negative-loss": (["KTF102"], is_finite),
    "loss-does-not-move": (["KTF402"], moves),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:(?s).*You are using a softmax over axis")
@pytest.mark.parametrize("page", SYMPTOMS)
def test_a_symptom_is_found_and_fixed(page):
    codes, is_well = SYMPTOMS[page]
    diagnoses, well = [], []
    for names in run(page):
        if "diagnosis" in names:
            diagnoses.append(names.pop("diagnosis"))
            well.append(bool(is_well(**names)))
    first, last = diagnoses
    assert first.codes[0] == codes[0]
    assert set(codes) <= set(first.codes)
    assert last.ok, last
    assert well == [False, True]


def dense(units=1, loss="mse"):
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(8, activation="relu"),
            layers.BatchNormalization(),
            layers.Dense(units),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), loss)
    return model


def segmenter(classes=21):
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(classes, 1)])
    model.compile("adam", kt.MaskedCrossentropy(from_logits=True))
    return model


@pytest.fixture
def table(rng):
    x = rng.normal(size=(64, 4)).astype("float32")
    return x, x[:, :1] + x[:, 1:2]


@pytest.fixture
def images(rng):
    x = rng.normal(size=(8, 8, 8, 3)).astype("float32")
    y = rng.integers(0, 21, (8, 8, 8))
    y[:, 0] = 255
    return x, y


@pytest.mark.every_backend
def test_readme(images):
    pytest.importorskip("matplotlib")
    x, y = images
    names = {"model": normalized_segmenter(), "x": x, "y": y, "x_val": x, "y_val": y}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)
        *_, names = run("README", **names)
    assert all(len(snippet.splitlines()) <= 5 for snippet in snippets("README"))
    assert np.isfinite(names["model"].history.history["loss"]).all()


def normalized_segmenter():
    inputs = keras.Input((8, 8, 3))
    x = layers.BatchNormalization()(layers.Conv2D(8, 1)(inputs))
    model = keras.Model(inputs, layers.Conv2D(21, 1, activation="softmax")(x))
    model.compile("adam", kt.MaskedCrossentropy())
    return model


def test_home(table):
    for _ in run("index", model=dense(), x=table[0], y=table[1]):
        pass


def test_diagnosis(table):
    model = dense()
    model.layers[0].bias.assign(np.full(8, -50.0))
    pages = run("diagnosis", model=model, x=table[0], y=table[1])
    next(pages)
    assert next(pages)["diagnosis"].ok is False
    assert "KTF403" in Path("report.html").read_text("utf-8")
    names = next(pages)
    assert np.ptp(names["right"].predict(names["points"], verbose=0)) > 0.5
    assert next(pages)["found"].suggestion > 1e-4
    with pytest.raises(DiagnosisError) as caught:
        next(pages)
    assert caught.value.diagnosis.findings[0].code == "KTF403"
    assert '.code  # "KTF403"' in snippets("diagnosis")[4]


def test_collapse_detector(table):
    *_, names = run(
        "collapse-detector", model=dense(), x_train=table[0], y_train=table[1]
    )
    assert names["detector"].history["step"]


def test_stuck_validation(table):
    frozen = []
    for names in run("stuck-validation", model=with_backbone(), x_train=table[0]):
        kinds = [type(layer) for layer in names["model"].layers]
        frozen.append(kt.FrozenBatchNorm in kinds)
        names["model"] = with_backbone()  # the snippets are alternatives
    assert frozen == [False, True, False]


def with_backbone():
    backbone = dense(8)
    backbone.name = "backbone"
    model = keras.Sequential(
        [keras.Input((4,)), backbone, layers.BatchNormalization(), layers.Dense(1)]
    )
    model.compile("adam", "mse")
    return model


def test_void_labels(images):
    names = {"model": segmenter(), "train_data": images, "y": images[1]}
    *_, names = run("void-labels", **names)
    assert len(names["weights"]) == 21
    assert names["y_with_maps"].shape == (*images[1].shape, 1 + 21)
    for settings in ({}, {"share": 0.2, "delta": 0.7, "gamma": 0.25}):
        check_unified_focal(names["unified_focal"], **settings)


def check_unified_focal(make, share=0.5, delta=0.6, gamma=0.5):
    """The loss of its docstring is the formula of the paper."""
    rng = np.random.default_rng(1)
    labels, logits = rng.integers(0, 2, (3, 5, 6)), rng.normal(size=(3, 5, 6, 2))
    t = np.eye(2)[labels]
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    hits, misses, alarms = (
        part.sum((1, 2)) for part in (t * p, t * (1 - p), (1 - t) * p)
    )
    wrong = 1 - hits / (hits + delta * misses + (1 - delta) * alarms)
    tversky = np.mean([wrong[:, 0], wrong[:, 1] ** (1 - gamma)])
    nll = -t * np.log(p)
    background = (1 - delta) * (1 - p[..., 0]) ** gamma * nll[..., 0]
    expected = share * tversky
    expected += (1 - share) * np.mean(background + delta * nll[..., 1])
    loss = make(labels.size, share, delta, gamma)
    np.testing.assert_allclose(float(loss(labels, logits)), expected, rtol=1e-5)


def test_segmentation_metrics(images):
    pytest.importorskip("matplotlib")
    x, y = images
    for names in run(
        "segmentation-metrics",
        model=segmenter(),
        loss=kt.MaskedCrossentropy(from_logits=True),
        metric=filled_metric(y),
        test_data=[images],
        names=[str(number) for number in range(21)],
        validation_data=(x, np.where(y == 255, y, y % 2)),
    ):
        if "DiceScore" in names:  # the models of what follows are binary
            names["model"] = binary_segmenter()
    assert Path("confusion.png").exists()
    assert 0 < names["best"] < 1
    assert names["table"].images[1] == 1


def binary_segmenter():
    head = layers.Conv2D(1, 1, activation="sigmoid")
    return keras.Sequential([keras.Input((8, 8, 3)), head])


def filled_metric(y):
    metric = kt.MeanIoU(21)
    metric.update_state(y, np.zeros((*y.shape, 21)))
    return metric


def test_prediction_snapshots(images):
    pytest.importorskip("matplotlib")
    x, y = images
    names = {"model": segmenter(), "x": x, "y": y, "x_val": x, "y_val": y}
    stubs = {"SummaryWriter": mock.MagicMock(), "tf": mock.MagicMock()}
    for _ in run("prediction-snapshots", **names, **stubs):
        pass
    assert Path("run1", "snapshots.png").exists()
    stubs["tf"].summary.create_file_writer.assert_called_once()


def test_no_page_with_snippets_is_left_out():
    tested = {
        *SYMPTOMS,
        *("README", "index", "diagnosis", "collapse-detector", "stuck-validation"),
        *("void-labels", "segmentation-metrics", "prediction-snapshots"),
    }
    with_snippets = {page for page in PAGES if snippets(page)}
    assert with_snippets - {"design"} == tested  # which shows no code to run


@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("ignore_index", "void-labels"),
        ("loss not decreasing", "loss-does-not-move"),
        ("model not learning", "diagnosis"),
        ("model predicts the same value", "constant-answer"),
        ("model predicts only one class", "one-class"),
        ("validation accuracy stuck", "stuck-validation"),
    ],
)
def test_the_page_of_a_symptom_has_the_words_of_a_search(words, page):
    text = PAGES[page].read_text("utf-8")
    assert words in text
    assert "boost: 2" in text.split("# ", 1)[0]
