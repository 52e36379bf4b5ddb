"""Labels that our own losses and metrics refuse: everywhere the same words.

Eager code raises, compiled code gives NaN, and `diagnose` and `CollapseDetector` say
what the eager code says.
"""

import functools
import warnings

import keras
import numpy as np
import pytest
from keras import layers

import keras_trainfix as kt
from keras_trainfix.diagnosis.observe.refusal import refusal
from keras_trainfix.labels import LabelError
from tests.diagnosis.nets import view

pytestmark = pytest.mark.every_backend

BACKEND = keras.backend.backend()
RNG = np.random.default_rng(1)
X = RNG.normal(size=(16, 8, 9, 3)).astype("float32")
MASK = (X[..., 0] > 0).astype("int32")
IDS = X.argmax(-1)
ROWS = np.eye(3)[IDS]
TWO = np.maximum(ROWS, np.roll(ROWS, 1, -1))
SQUEEZED = "keep the last axis of `y_pred`: (16, 8, 9, 1)"


def with_some(labels, value):
    labels = np.array(labels)
    labels[:4, 0, 0] = value
    return labels


# A reason: the labels, the shape of the answers of one sample, the code of the finding,
# and what eager code says. The table of reasons and that of losses are multiplied.
REASONS = {
    "squeezed": (MASK, (8, 9), "KTF206", SQUEEZED),
    "squeezed, floats": (MASK.astype("float32"), (8, 9), "KTF206", SQUEEZED),
    "squeezed, class ids": (IDS, (8, 9), "KTF206", SQUEEZED),
    "squeezed answers only": (MASK[..., None], (8, 9), "KTF206", "Keep the last axis"),
    "another class": (with_some(IDS, 3), (8, 9, 3), "KTF205", "needs 4 outputs"),
    "from 1": (IDS + 1, (8, 9, 3), "KTF121", "subtract 1"),
    "negative": (with_some(IDS, -7), (8, 9, 3), "KTF121", "-7 (4 times)"),
    "void": (with_some(IDS, -1), (8, 9, 3), "KTF122", "ignore_class=(255, -1)"),
    "void of 1 unit": (with_some(MASK, -1), (8, 9, 1), "KTF122", "(255, -1)"),
    "no whole number": (IDS + 0.5, (8, 9, 3), "KTF206", "do not rescale them"),
    "rescaled": (IDS / 255, (8, 9, 3), "KTF206", "do not rescale them"),
    "NaN": (with_some(IDS.astype("float32"), np.nan), (8, 9, 3), "KTF113", "nan (4"),
    "sums": (0.5 * ROWS, (8, 9, 3), "KTF206", "sums from 0.5 to 0.5"),
    "several": (TWO, (8, 9, 3), "KTF206", "sums from 2 to 2"),
    "several, integers": (TWO.astype("int32"), (8, 9, 3), "KTF206", "multi_label=True"),
    "void in rows": (with_some(ROWS, -1), (8, 9, 3), "KTF124", "mark void"),
    "NaN in rows": (with_some(ROWS, np.nan), (8, 9, 3), "KTF113", "nan (12 times)"),
    "other pixels": (IDS[:, :4], (8, 9, 3), "KTF206", "must have shape (16, 8, 9)"),
    "classes first": (np.moveaxis(ROWS, -1, 1), (8, 9, 3), "KTF206", "moveaxis"),
    "text": (IDS.astype(str), (8, 9, 3), "KTF206", "return_inverse=True"),
}
LOSSES = {
    "crossentropy": kt.MaskedCrossentropy,
    "dice": kt.MaskedSoftDice,
    "lovasz": kt.MaskedLovasz,
    "boundary": kt.MaskedBoundary,
    "sum": lambda: kt.WeightedSum([kt.MaskedTversky(), kt.MaskedBoundary()]),
    "function": lambda: kt.masked_tversky,
    "settings": lambda: functools.partial(kt.masked_crossentropy, from_logits=False),
}
every_reason = pytest.mark.parametrize("reason", REASONS)
every_loss = pytest.mark.parametrize("loss", LOSSES)
some_losses = pytest.mark.parametrize("loss", ["sum", "function"])


def net(shape, loss, metrics=None, run_eagerly=False):
    units = shape[2] if len(shape) == 3 else 1
    activation = "softmax" if units > 1 else "sigmoid"
    parts = [keras.Input((8, 9, 3)), layers.Conv2D(units, 1, activation=activation)]
    if len(shape) == 2:
        parts.append(layers.Reshape(shape))
    model = keras.Sequential(parts)
    model.compile("adam", loss, metrics=metrics, run_eagerly=run_eagerly)
    return model


def diagnosed(model, y):
    diagnosis = kt.diagnose(model, X, y, verbose=0)
    found = {finding.code: finding for finding in diagnosis.findings}
    assert not found.keys() & {"KTF211", "KTF405", "KTF409"}, found
    assert not any("Error" in words for words in diagnosis.skipped.values())
    return found


@some_losses
@every_reason
def test_a_diagnosis_says_what_eager_code_says(reason, loss):
    y, shape, code, words = REASONS[reason]
    made = LOSSES[loss]()
    with pytest.raises(LabelError) as error:
        made(y, np.full((16, *shape), 1 / 3, "float32"))
    assert words in str(error.value)
    found = diagnosed(net(shape, made), y)
    assert found[code].severity == "error"
    if code == "KTF206" and reason != "text":
        assert words in found[code].message


@every_loss
@pytest.mark.parametrize("reason", ["squeezed", "void", "sums"])
def test_a_model_that_runs_eagerly_gets_the_same_diagnosis(reason, loss):
    y, shape, code, _ = REASONS[reason]
    assert code in diagnosed(net(shape, LOSSES[loss](), run_eagerly=True), y)


@pytest.mark.parametrize(
    "reason", ["squeezed", "another class", "void in rows", "other pixels", "text"]
)
def test_what_fit_says(reason):
    """Compiled, the loss is NaN and the callback says why; else `fit` raises."""
    y, shape, code, words = REASONS[reason]
    model, detector = net(shape, kt.MaskedSoftDice()), kt.CollapseDetector((X, y))

    def fit():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return model.fit(X, y, 4, 2, verbose=0, callbacks=[detector])

    of_form = ("must have shape", "return_inverse")
    in_values = not any(word in words for word in of_form)
    if BACKEND == "torch" or not in_values:
        with pytest.raises((ValueError, TypeError)):
            fit()
        return
    assert np.isnan(fit().history["loss"]).all()
    codes = {finding.code for finding in detector.diagnosis.findings}
    assert code in codes
    assert "KTF409" not in codes


@pytest.mark.parametrize("reason", ["squeezed", "squeezed answers only", "several"])
def test_the_fix_pastes(reason):
    y, shape, code, _ = REASONS[reason]
    model = net(shape, kt.MaskedCrossentropy())
    finding = diagnosed(model, y)[code]
    scope = {"model": model, "x": X, "y": y, "keras": keras, "np": np}
    exec(finding.fix, scope)
    assert refusal(view(scope["model"], X, scope["y"])) is None
    history = scope["model"].fit(X, scope["y"], verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_keras_takes_the_last_axis_from_a_function():
    model = net((8, 9, 1), kt.masked_crossentropy)
    finding = diagnosed(model, MASK)["KTF206"]
    assert "compile the class MaskedCrossentropy()" in finding.message
    exec(finding.fix, scope := {"model": model, "keras": keras})
    assert diagnosed(scope["model"], MASK).keys() - {"KTF206"} == set()
    model = net((8, 9, 1), kt.masked_crossentropy)
    assert refusal(view(model, X, MASK[..., None])) is None


def test_a_loss_of_the_users_that_calls_ours():
    def twice(y_true, y_pred):
        return 2 * kt.masked_soft_dice(y_true, y_pred)

    y, shape, _, words = REASONS["squeezed"]
    found = kt.diagnose(net(shape, twice), X, y, verbose=0).findings
    code = "KTF211" if BACKEND == "torch" else "KTF409"
    assert [f.code for f in found if f.severity == "error"] == [code]
    assert words[:20] in found[0].message


@pytest.mark.parametrize(
    ("y", "metric", "words"),
    [
        (with_some(IDS, -1), kt.MeanIoU, "ignore_class=(255, -1)"),
        (with_some(IDS, -1), kt.DiceScore, "ignore_class=(255, -1)"),
        (with_some(IDS, -1), kt.BoundaryIoU, "ignore_class=(255, -1)"),
    ],
)
@pytest.mark.parametrize("run_eagerly", [False, True])
def test_a_metric_that_refuses_what_the_loss_reads(y, metric, words, run_eagerly):
    loss = kt.MaskedCrossentropy(ignore_class=-1)

    def found(**settings):
        model = net((8, 9, 3), loss, [metric(num_classes=3, **settings)], run_eagerly)
        return kt.diagnose(model, X, y, fit=False).findings

    assert [finding.code for finding in found()] == ["KTF215"]
    assert words in found()[0].message
    assert found(ignore_class=-1) == []


@pytest.mark.parametrize("loss", ["crossentropy", "dice", "sum"])
@pytest.mark.parametrize(
    ("y", "shape", "code", "severity"),
    [
        (255 * MASK, (8, 9), "KTF123", "error"),
        (255 * ROWS, (8, 9, 3), "KTF123", "error"),
        (255 * MASK, (8, 9, 1), "KTF123", "warning"),
        (np.full_like(MASK, 255), (8, 9, 3), "KTF206", "error"),
        (0 * ROWS, (8, 9, 3), "KTF206", "error"),
    ],
)
def test_labels_that_the_loss_ignores(loss, y, shape, code, severity):
    found = kt.diagnose(net(shape, LOSSES[loss]()), X, y, fit=False).findings
    assert [(f.code, f.severity) for f in found][:1] == [(code, severity)]


@every_loss
def test_labels_that_are_fine(loss):
    for y, shape in [(IDS, (8, 9, 3)), (ROWS, (8, 9, 3)), (MASK[..., None], (8, 9, 1))]:
        model = net(shape, LOSSES[loss](), [kt.MeanIoU(max(2, shape[2]))])
        assert refusal(view(model, X, with_some(y, 255))) is None
        assert kt.diagnose(model, X, y, fit=False).findings == []
