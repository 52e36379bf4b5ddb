"""Surface distances as a metric: in eager `evaluate` and `fit`, and a clear error."""

import sys

import keras
import numpy as np
import pytest
from keras import ops

import keras_trainfix as kt
from keras_trainfix.metrics.surfaces import MEASURES
from tests.metrics.helpers import (
    COMPILED,
    IS_COMPILED,
    LABELS,
    LOGITS,
    MODES,
    NAMES,
    X,
    compiled_net,
    evaluate,
    message,
    net,
    tensor,
    updated,
)

pytest.importorskip("scipy")
OPTIONS = {"spacing": (0.5, 2.0), "tolerance": 0.7, "percentile": 90.0}


def expected(**options):
    """The entries of the result, by the function."""
    table = kt.surface_distances(LABELS, LOGITS, 3, **OPTIONS, **options)
    values = {}
    for name in MEASURES:
        of_classes = getattr(table, name)
        values[name] = np.nanmean(of_classes)
        values |= {f"{name}/{NAMES[c]}": of_classes[c] for c in (0, 1, 2)}
    return {name: value for name, value in values.items() if not np.isnan(value)}


def check(values, wanted):
    assert values.keys() - {"loss"} == wanted.keys()
    for name, value in wanted.items():
        assert float(values[name]) == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("background", [False, True])
def test_the_result_is_that_of_the_function(background):
    options = {"include_background": background}
    metric = kt.SurfaceDistances(
        3, per_class=True, class_names=NAMES, **OPTIONS, **options
    )
    check(updated(metric).result(), expected(**options))


def test_batches_and_merged_metrics_are_as_one_pass():
    whole, *parts = (kt.SurfaceDistances(3, **OPTIONS) for _ in range(3))
    updated(whole)
    for i, start in enumerate(range(0, 8, 3)):
        part = slice(start, start + 3)
        parts[i % 2].update_state(LABELS[part], tensor(LOGITS[part]))
    parts[0].merge_state(parts[1])
    for name, value in whole.result().items():
        assert float(parts[0].result()[name]) == pytest.approx(float(value), rel=1e-6)


def test_evaluate_and_fit_in_eager_mode():
    wanted = {name: expected()[name] for name in MEASURES}
    metric = kt.SurfaceDistances(3, **OPTIONS)
    model = compiled_net(net(activation="softmax"), metric, **MODES["eager"])
    check(evaluate(model, X, LABELS, batch_size=3), wanted)
    history = model.fit(X, LABELS, batch_size=4, epochs=2, verbose=0).history
    for epoch in range(2):
        check({name: values[epoch] for name, values in history.items()}, wanted)


def test_callbacks_watch_an_entry_with_their_mode():
    model = compiled_net(net(), kt.SurfaceDistances(3), **MODES["eager"])
    stopping = keras.callbacks.EarlyStopping("val_hausdorff", mode="min", patience=0)
    data = {"validation_data": (X, LABELS), "callbacks": [stopping], "epochs": 5}
    history = model.fit(X, LABELS, verbose=0, **data).history
    assert len(history["val_hausdorff"]) == 2  # nothing moves


@pytest.mark.skipif(not IS_COMPILED, reason="Keras does not compile on torch")
def test_compiled_code_gets_an_error_with_the_way_out():
    model = compiled_net(net(), kt.SurfaceDistances(3), **COMPILED)
    with pytest.raises(RuntimeError, match="cannot run in compiled code.*run_eagerly="):
        evaluate(model, X, LABELS)


def test_weights_of_0_are_void():
    weights = np.where(LABELS == 255, 0.0, 3.0)
    metric = kt.SurfaceDistances(3, **OPTIONS)
    metric.update_state(np.where(LABELS == 255, 1, LABELS), LOGITS, weights)
    check(metric.result(), {name: expected()[name] for name in MEASURES})


def test_nothing_to_measure_is_nan_until_there_is():
    metric = kt.SurfaceDistances(3, **OPTIONS)
    assert all(np.isnan(float(value)) for value in metric.result().values())
    metric.update_state(np.full_like(LABELS, 255), LOGITS)
    assert all(np.isnan(float(value)) for value in metric.result().values())
    wanted = {name: expected()[name] for name in MEASURES}
    check(updated(metric).result(), wanted)
    metric.reset_state()
    assert all(np.isnan(float(value)) for value in metric.result().values())


def test_volumes_and_logits_of_mixed_precision():
    volumes = LABELS.reshape(2, 4, 6, 5), LOGITS.reshape(2, 4, 6, 5, 3)
    options = {"spacing": [1, 2, 3]}
    metric = kt.SurfaceDistances(3, **options)
    metric.update_state(volumes[0], ops.cast(tensor(volumes[1]), "bfloat16"))
    table = kt.surface_distances(*volumes, 3, **options)
    for name in MEASURES:
        value = float(metric.result()[name])
        assert value == pytest.approx(np.nanmean(getattr(table, name)), rel=1e-6)


def test_names_of_the_entries():
    metric = kt.SurfaceDistances(2, per_class=True, name="edge")
    assert list(metric.result())[:2] == ["edge/hausdorff", "edge/hausdorff/1"]


@pytest.mark.parametrize(
    ("options", "received"),
    [
        ({"tolerance": -0.1}, "tolerance=-0.1"),
        ({"percentile": 100.1}, "percentile=100.1"),
        ({"spacing": (1, -1)}, "spacing=(1, -1)"),
        ({"ignore_class": (255, 1, 2)}, "must leave at least one class"),
        ({"class_names": ["a"]}, "3 different names"),
    ],
)
def test_arguments_out_of_range(options, received):
    assert received in message(lambda: kt.SurfaceDistances(3, **options))


def test_a_spacing_of_wrong_length():
    metric = kt.SurfaceDistances(3, spacing=(1, 1, 1))
    text = message(lambda: updated(metric))
    assert "`spacing` must have 2 numbers" in text


def test_without_scipy_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(ImportError, match=r"keras_trainfix\[distances\]"):
        updated(kt.SurfaceDistances(3))


@pytest.mark.parametrize(
    "other",
    [
        kt.SurfaceDistances(3, tolerance=2),
        kt.SurfaceDistances(3, spacing=2),
        kt.SurfaceDistances(4),
        kt.MeanIoU(3),
    ],
    ids=["tolerance", "spacing", "classes", "another metric"],
)
def test_metrics_that_cannot_be_merged(other):
    text = message(lambda: kt.SurfaceDistances(3).merge_state([other]))
    assert "`SurfaceDistances` with the same settings" in text
