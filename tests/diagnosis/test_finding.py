"""What a user sees of a diagnosis: text, a rich table, HTML with pictures, JSON."""

import io
import json
import re
from xml.etree import ElementTree

import keras
import numpy as np
import pytest

from keras_trainfix.diagnosis.findings import Diagnosis, Finding
from keras_trainfix.diagnosis.observe.layer_outputs import LayerOutput
from keras_trainfix.diagnosis.registry import CHECKS
from keras_trainfix.diagnosis.report.plots import (
    OutputSummary,
    dead_shares,
    draw,
    output_summary,
)
from keras_trainfix.diagnosis.report.text import explanations
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.nets import inputs, net, view

X = inputs()
Y = X[:, :1] + 1


def finding(code="KTF403", severity="error", output=None, **changes):
    name = {"KTF403": "dead-relu", "KTF501": "constant-prediction"}.get(code, "bad-it")
    values = {
        "name": name,
        "evidence": {"share": 1.0},
        "message": f"All 64 units of [layer] <dense> are 0, {'so very ' * 9}dead.",
        "fix": "do(this)\n\nthen(that)",
        "url": f"https://example.org/{code}/",
    }
    return Finding(code=code, severity=severity, output=output, **{**values, **changes})


CAUSE, SYMPTOM = finding(), finding("KTF501", message="All of 9 are 1.")


# --- text ---


def test_the_text():
    diagnosis = Diagnosis(
        [CAUSE, SYMPTOM], {"output": "regression"}, {"KTF301": "KeyError: 'x'"}
    )
    assert str(diagnosis) == (
        "Diagnosis of a model for regression: 2 errors.\n"
        "\n"
        "KTF403 dead-relu explains KTF501 constant-prediction.\n"
        "\n"
        "1. KTF403 dead-relu: error\n"
        "   All 64 units of [layer] <dense> are 0, so very so very so very so very so\n"
        "   very so very so very so very so very dead.\n"
        "       do(this)\n"
        "\n"
        "       then(that)\n"
        "       https://example.org/KTF403/\n"
        "\n"
        "2. KTF501 constant-prediction: error\n"
        "   All of 9 are 1.\n"
        "       do(this)\n"
        "\n"
        "       then(that)\n"
        "       https://example.org/KTF501/\n"
        "\n"
        "Not checked: KTF301 (KeyError: 'x')."
    )


def test_the_first_line_counts():
    severities = ["error", "warning", "warning", "note"]
    findings = [finding(severity=severity) for severity in severities]
    text = str(Diagnosis(findings, {"a": "regression", "b": "segmentation"}))
    first = "Diagnosis of a model for a: regression, b: segmentation: "
    assert text.startswith(f"{first}1 error, 2 warnings, 1\nnote.\n\n1. KTF403")
    assert str(Diagnosis([])) == "Diagnosis: nothing found."


@pytest.mark.parametrize("message", ["", "One.\n\nTwo 2.", "x" * 100])
def test_odd_messages(message):
    text = str(finding(message=message))
    assert text.endswith("https://example.org/KTF403/")
    assert all(part in text for part in message.splitlines())


def test_ten_findings_stay_aligned():
    lines = str(Diagnosis([CAUSE] * 10)).splitlines()
    assert "1. KTF403 dead-relu: error" in lines
    assert "10. KTF403 dead-relu: error" in lines


# --- what explains what ---


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ([CAUSE, SYMPTOM], ["KTF403 dead-relu explains KTF501 constant-prediction."]),
        ([SYMPTOM], []),
        ([CAUSE], []),
        (
            [finding("KTF101", "warning"), SYMPTOM],
            ["KTF101 bad-it may explain KTF501 constant-prediction."],
        ),
        (
            [CAUSE, SYMPTOM, finding("KTF101", "warning")],
            ["KTF403 dead-relu explains KTF501 constant-prediction."],
        ),
        (
            [finding("KTF201"), CAUSE, SYMPTOM],
            ["KTF201 bad-it and KTF403 dead-relu explain KTF501 constant-prediction."],
        ),
        (
            [CAUSE, SYMPTOM, finding("KTF503")],
            ["KTF403 dead-relu explains KTF501 constant-prediction and KTF503 bad-it."],
        ),
        ([finding("KTF207"), SYMPTOM], []),  # a metric explains no prediction
        ([finding(severity="note"), SYMPTOM], []),
        ([CAUSE, finding("KTF501", "note")], []),
        ([finding("KTF201", output="a"), finding("KTF501", output="b")], []),
        (
            [CAUSE, finding("KTF201", output="a"), finding("KTF501", output="b")],
            ["KTF403 dead-relu explains KTF501 constant-prediction (output 'b')."],
        ),
    ],
)
def test_causes_explain_symptoms(findings, expected):
    assert explanations(findings) == expected


def test_causes_explain_symptoms_and_nothing_else():
    symptoms = {code for code, check in CHECKS.items() if check.is_symptom}
    explained = frozenset().union(*(check.explains for check in CHECKS.values()))
    assert explained == symptoms
    assert not any(CHECKS[code].explains for code in symptoms)


# --- rich ---


@pytest.mark.parametrize("width", [40, 80])
def test_the_rich_table(width):
    console = pytest.importorskip("rich.console")
    file = io.StringIO()
    diagnosis = Diagnosis([CAUSE, SYMPTOM], {"output": "regression"}, {"KTF301": "no"})
    console.Console(width=width, file=file).print(diagnosis)
    text = file.getvalue()
    assert max(map(len, text.splitlines())) <= width
    words = " ".join(text.split())
    for part in ("[layer]", "<dense>", "2 errors", "explains", "then(that)", "KTF301"):
        assert part in words


def test_rich_with_nothing_found():
    console = pytest.importorskip("rich.console")
    file = io.StringIO()
    console.Console(width=80, file=file).print(Diagnosis([]))
    assert file.getvalue() == "Diagnosis: nothing found.\n"


# --- HTML ---


def parsed(markup):
    return ElementTree.fromstring(markup)


def full(findings=(CAUSE, SYMPTOM)):
    snapshot = Snapshot(net(), X, Y)
    outputs = tuple(map(output_summary, snapshot.views()))
    return Diagnosis(list(findings), {}, {}, outputs, dead_shares(snapshot.layers))


def test_the_html():
    markup = full()._repr_html_()
    page = parsed(markup)
    assert "&lt;dense&gt;" in markup
    assert [d.get("open") is not None for d in page.iter("details")] == [True, False]
    assert len(page.findall(".//{http://www.w3.org/2000/svg}svg")) >= 1


def test_the_html_requests_nothing():
    markup = full()._repr_html_()
    links = [a.get("href") for a in parsed(markup).iter("a")]
    assert links == [CAUSE.url, SYMPTOM.url]  # followed by a click alone
    for request in ("src=", "url(", "@import", "<link", "<script", "data:"):
        assert request not in markup


def test_the_html_has_the_colour_of_the_worst():
    def first(diagnosis):
        return re.search(r"background:(#\w+)", diagnosis._repr_html_())[1]

    diagnoses = [Diagnosis([finding(severity=s)]) for s in ("error", "warning", "note")]
    assert len({first(d) for d in [*diagnoses, Diagnosis([])]}) == 4


# --- JSON ---


def test_the_dict_is_strict_json():
    evidence = {
        "nan": np.nan,
        "inf": np.float32(np.inf),
        "count": np.int64(3),
        "flag": np.bool_(True),
        "list": np.array([1.0, -np.inf]),
        "tuple": (1, None, "a"),
        2: {"deep": np.float64(0.5)},
        "other": keras.layers.Dense,
    }
    diagnosis = Diagnosis([finding(evidence=evidence)])
    loaded = json.loads(json.dumps(diagnosis.to_dict(), allow_nan=False))
    assert loaded["ok"] is False
    assert loaded["findings"][0]["evidence"] == {
        "nan": None,
        "inf": None,
        "count": 3,
        "flag": True,
        "list": [1.0, None],
        "tuple": [1, None, "a"],
        "2": {"deep": 0.5},
        "other": str(keras.layers.Dense),
    }


def test_pictures_are_no_part_of_what_is_found():
    with_pictures = full()
    assert with_pictures == Diagnosis([CAUSE, SYMPTOM])
    assert "outputs" not in with_pictures.to_dict()
    assert "OutputSummary" not in repr(with_pictures)


# --- pictures ---


def heights(picture):
    return [float(height) for height in re.findall(r'height="([\d.]+)" fill', picture)]


def test_predictions_over_targets():
    y = np.linspace(0, 10, 50)
    (picture,) = draw([OutputSummary("output", "regression", 0 * y + 4, y, 5.0)], {})
    dots = re.findall(r"M([\d.]+) ([\d.]+)h.1", picture)
    assert len(dots) == 50
    assert len({up for _, up in dots}) == 1  # one answer for all
    assert len({across for across, _ in dots}) == 50
    assert "constant 5" in picture
    assert "of 'output'" not in picture
    parsed(picture)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0329, "0.0329"),
        (-10.09, "-10.1"),
        (-3774000.0, "-3.8e6"),
        (1.234e-7, "1.2e-7"),
        (1e300, "1e+300"),
    ],
)
def test_numbers_at_axes_are_short(number, text):
    y = np.array([number, number])
    (picture,) = draw([OutputSummary("output", "regression", y, y, number)], {})
    assert f">{text}</text>" in picture


def test_shares_of_the_classes():
    said, right = np.array([0.0, 1.0, 0.0]), np.array([0.5, 0.25, 0.25])
    (picture,) = draw([OutputSummary("output", "classes", said, right, 0)], {})
    labels, predicted = np.array(heights(picture)[:6]).reshape(3, 2).T
    assert labels / predicted.max() == pytest.approx(right, abs=0.01)
    assert predicted / predicted.max() == pytest.approx(said, abs=0.01)
    parsed(picture)


def test_few_of_many_classes():
    shares = np.zeros(1000)
    shares[[3, 977]] = 0.5
    (picture,) = draw([OutputSummary("output", "classes", shares, shares, 3)], {})
    assert ">977<" in picture
    assert "990 more" in picture


def test_several_outputs_are_named():
    y = np.arange(3.0)
    pictures = draw([OutputSummary(n, "regression", y, y, 1) for n in ("<a>", "b")], {})
    assert "Predictions of &#x27;&lt;a&gt;&#x27; over targets" in pictures[0]
    assert len(pictures) == 2


@pytest.mark.parametrize(
    "output",
    [
        OutputSummary("o", "regression", np.full(3, np.nan), np.ones(3), 1.0),
        OutputSummary("o", "regression", np.zeros(0), np.zeros(0), np.nan),
        OutputSummary("o", "regression", np.ones(1), np.ones(1), 1.0),
        OutputSummary("o", "regression", np.array([1e-40, 1e38]), np.ones(2), 1.0),
        OutputSummary("o", "classes", np.zeros(1), np.zeros(1), 0),
        OutputSummary("o", "classes", np.array([np.nan]), np.ones(1), 0),
    ],
)
def test_pictures_of_odd_numbers(output):
    for picture in draw([output], {}):
        parsed(picture)
        assert "nan" not in picture


def test_dead_units():
    assert draw([], {}) == []
    assert draw([], {"dense": 0.0}) == []
    (picture,) = draw([], {"dense": 0.0, "a_layer_with_a_long_name": 0.5})
    assert "a_layer_with_a_…" in picture
    assert ">50%<" in picture
    (picture,) = draw([], {f"layer_{i}": i / 20 for i in range(20)})
    shown = re.findall(r">(layer_\d+)<", picture)
    assert shown == [f"layer_{i}" for i in range(10, 20)]
    parsed(picture)


# --- what is drawn ---


def test_the_summary_of_a_regression():
    y = np.concatenate([0 * Y, Y], axis=1)
    summary = output_summary(view(net(2, None, "mse"), X, y))
    assert summary.kind == "regression"
    assert summary.targets == pytest.approx(Y[:, 0])  # the column that varies
    assert summary.constant == pytest.approx(Y.mean())
    assert summary.predictions.shape == (64,)


@pytest.mark.parametrize(
    ("model", "y", "shares"),
    [
        (net(1, "sigmoid", "binary_crossentropy"), X[:, 0] > 1e9, [1, 0]),
        (
            net(3, "softmax", "sparse_categorical_crossentropy"),
            np.arange(64) % 4 % 3,
            [0.5, 0.25, 0.25],
        ),
        (
            net(3, "sigmoid", "binary_crossentropy"),
            np.tile([[1, 1, 0], [0, 1, 0]], (32, 1)),
            [0.5, 1, 0],
        ),
    ],
)
def test_the_summary_of_classes(model, y, shares):
    summary = output_summary(view(model, X, np.asarray(y, "float32")))
    assert summary.kind == "classes"
    assert summary.targets == pytest.approx(shares)
    assert summary.constant == np.argmax(shares)
    assert summary.predictions.shape == summary.targets.shape


def test_no_summary_without_targets():
    assert output_summary(view(net(1, None, "mse"), X)) is None
    assert output_summary(None) is None


def test_dead_shares_of_relu_layers():
    last = np.array([[0, 1, 0, 2], [0, 1, 0, 0]], "float32")
    first = np.moveaxis(np.stack([last, last], 1), -1, 1)
    pixels = keras.layers.Conv2D(4, 1, activation="relu", data_format="channels_first")
    layers = [
        LayerOutput(keras.layers.Dense(4, activation="relu", name="a"), last),
        LayerOutput(keras.layers.Dense(4, name="linear"), 0 * last),
        LayerOutput(pixels, first[..., None]),
        LayerOutput(keras.layers.ReLU(name="b"), 0 * last),
    ]
    assert dead_shares(layers) == {"a": 0.5, pixels.name: 0.5, "b": 1.0}
