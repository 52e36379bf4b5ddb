"""State, configuration and results of the metrics that count."""

import json

import keras
import numpy as np
import pytest

import keras_trainfix as kt
from keras_trainfix.backend import to_numpy
from tests.metrics.helpers import (
    BIAS,
    KERNEL,
    LABELS,
    LOGITS,
    METRICS,
    NAMES,
    X,
    check,
    every_metric,
    message,
    tensor,
    updated,
    value_of,
)
from tests.metrics.reference import Case, confusion


@every_metric
def test_each_metric_is_nan_after_nan_until_it_is_reset(metric_class):
    logits, labels = LOGITS.copy(), LABELS.copy()
    logits[5, 2, 3], labels[5, 2, 3] = np.nan, 0
    metric = metric_class(3)
    for _ in range(2):  # it warns again
        metric.reset_state()
        metric.update_state(labels, logits)
        with pytest.warns(UserWarning, match=f"`{metric.name}` .*invalid prediction "):
            assert np.isnan(to_numpy(metric.result())).all()
        metric.update_state(LABELS, LOGITS)
        assert np.isnan(to_numpy(metric.result())).all()  # and not at each call
    metric.reset_state()
    metric.update_state(LABELS, LOGITS)
    check(value_of(metric))


@every_metric
def test_variables_are_the_whole_state(metric_class):
    metric, other = metric_class(3), metric_class(3)
    metric.update_state(LABELS[:5], LOGITS[:5])
    for source, target in zip(metric.variables, other.variables, strict=True):
        target.assign(to_numpy(source))
    check(value_of(other), confusion(LABELS[:5], LOGITS[:5].argmax(-1), 3))
    other.update_state(LABELS[5:], LOGITS[5:])
    check(value_of(other))


@every_metric
def test_reset_state_forgets_everything(metric_class):
    metric = updated(metric_class(3))
    assert any(to_numpy(variable).any() for variable in metric.variables)
    metric.reset_state()
    assert not any(to_numpy(variable).any() for variable in metric.variables)
    metric.update_state(LABELS[:5], LOGITS[:5])
    check(value_of(metric), confusion(LABELS[:5], LOGITS[:5].argmax(-1), 3))


@pytest.mark.parametrize(
    "arguments",
    [
        {"num_classes": 3},
        {
            "num_classes": 3,
            "ignore_class": (255, -1),
            "axis": 1,
            "threshold": 0.3,
            "from_logits": True,
            "class_names": NAMES,
            "name": "mine",
            "dtype": "float16",
        },
        {"num_classes": np.int64(3), "ignore_class": np.uint8(255), "axis": np.int8(1)},
        {"num_classes": 3, "ignore_class": [2, 255], "class_names": np.array(NAMES)},
    ],
    ids=["defaults", "all", "numpy_scalars", "lists"],
)
@every_metric
def test_config_as_json_makes_the_same_metric(metric_class, arguments):
    if metric_class is not kt.ConfusionMatrix:
        arguments = {**arguments, "per_class": True}
    if metric_class is kt.PixelAccuracy:
        arguments = {**arguments, "average": "macro"}
    metric = metric_class(**arguments)
    assert metric.get_config().keys() >= arguments.keys()
    text = json.dumps(keras.metrics.serialize(metric))
    for again in (
        metric_class.from_config(metric.get_config()),
        metric_class.from_config(json.loads(text)["config"]),
        keras.metrics.deserialize(json.loads(text)),
        keras.metrics.get(json.loads(text)),
    ):
        assert type(again) is metric_class  # `keras.metrics` has a MeanIoU as well
        assert json.dumps(keras.metrics.serialize(again)) == text


@every_metric
def test_in_a_loop(metric_class):
    metric = metric_class(3)
    for _ in range(2):
        metric.reset_state()
        for start in range(0, 8, 3):
            part = slice(start, start + 3)
            metric.update_state(LABELS[part], tensor(LOGITS[part]))
        check(value_of(metric))


@pytest.mark.backend_only("jax", reason="the others have state")
def test_without_state_under_jit():
    import jax

    metrics = [metric_class(3) for metric_class in METRICS]

    @jax.jit
    def step(states, x, y):
        logits = x @ KERNEL + BIAS
        return [
            metric.stateless_update_state(state, y, logits)
            for metric, state in zip(metrics, states, strict=True)
        ]

    @jax.jit
    def results(states):
        return [m.stateless_result(s) for m, s in zip(metrics, states, strict=True)]

    for _ in range(2):
        states = [metric.stateless_reset_state() for metric in metrics]
        for start in range(0, 8, 4):
            part = slice(start, start + 4)
            states = step(states, X[part], LABELS[part])
        for metric, state, result in zip(metrics, states, results(states), strict=True):
            check({metric.name: result})
            check({metric.name: metric.stateless_result(state)})
    for metric in metrics:  # nothing was left behind
        assert not metric.confusion_matrix().any()


@pytest.mark.backend_only("jax", reason="jax.lax.scan")
def test_in_a_scan():
    import jax

    metric = kt.MeanIoU(3)

    @jax.jit
    def scan(variables, batches):
        def step(variables, batch):
            return metric.stateless_update_state(variables, *batch), None

        return jax.lax.scan(step, variables, batches)[0]

    batches = LABELS.reshape(4, 2, 6, 5), LOGITS.reshape(4, 2, 6, 5, 3)
    variables = scan(metric.stateless_reset_state(), batches)
    check({"mean_iou": metric.stateless_result(variables)})


@pytest.mark.backend_only("tensorflow", reason="tf.function")
def test_in_a_function_of_tensorflow():
    import tensorflow as tf

    metrics = [metric_class(3) for metric_class in METRICS]

    @tf.function(jit_compile=True)
    def step(x, y):
        for metric in metrics:
            metric.update_state(y, x @ KERNEL + BIAS)

    @tf.function
    def results():
        return [metric.result() for metric in metrics]

    x, y = tf.constant(X), tf.constant(LABELS)
    for _ in range(2):
        for metric in metrics:
            metric.reset_state()
        for start in range(0, 8, 4):
            step(x[start : start + 4], y[start : start + 4])
        for metric, result in zip(metrics, results(), strict=True):
            check({metric.name: result})
            check(value_of(metric))


@pytest.mark.backend_only("torch", reason="only torch records gradients by default")
@pytest.mark.parametrize("context", ["no_grad", "inference_mode", "enable_grad"])
@every_metric
def test_records_no_gradient(metric_class, context):
    import torch

    metric = metric_class(3)
    with getattr(torch, context)():
        logits = torch.tensor(LOGITS, requires_grad=True) * 1
        metric.update_state(LABELS, logits)
        result = metric.result()
    assert not result.requires_grad
    assert not any(variable.value.requires_grad for variable in metric.variables)
    check({metric.name: result})
    metric.reset_state()
    check(value_of(updated(metric)))


def test_merged_states_are_one_pass_in_any_order(rng):
    batches = [Case(rng, (2, 4, 3), 5, (255,), 0.3) for _ in range(4)]
    expected = sum(case.matrix for case in batches)
    whole, back, parts = kt.MeanIoU(5), kt.MeanIoU(5), [kt.MeanIoU(5), kt.MeanIoU(5)]
    for i, case in enumerate(batches):
        whole.update_state(case.labels, case.scores)
        parts[i % 2].update_state(case.labels, case.scores)
        back.update_state(batches[-1 - i].labels, batches[-1 - i].scores)
    merged = kt.MeanIoU(5)
    merged.merge_state(parts)
    for metric in (whole, back, merged):
        assert (metric.confusion_matrix() == expected).all()
        assert float(metric.result()) == float(whole.result())
    whole.reset_state()
    assert whole.confusion_matrix().sum() == 0


@pytest.mark.parametrize(
    "other",
    [kt.MeanIoU(4), kt.MeanIoU(3, ignore_class=0), keras.metrics.Mean()],
    ids=["classes", "void", "another metric"],
)
def test_states_that_cannot_be_merged(other):
    metric = kt.MeanIoU(3)
    text = message(lambda: metric.merge_state([kt.MeanIoU(3), other]))
    assert "count the same classes" in text
