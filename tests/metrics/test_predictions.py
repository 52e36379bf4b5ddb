"""What a prediction is, and which class it means."""

from collections.abc import Callable
from types import MappingProxyType
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
from keras import ops

import keras_trainfix as kt
from keras_trainfix.backend import to_numpy, widest
from tests.metrics import reference
from tests.metrics.helpers import (
    COMPILED,
    LABELS,
    MODES,
    X,
    check,
    compiled_net,
    counted,
    evaluate,
    labels_of,
    message,
    net,
    op_by_op,
    ramp,
    still,
    tensor,
    update,
)
from tests.metrics.reference import Case, confusion


class Head(NamedTuple):
    """A model, its number of classes, and the class that its output means."""

    build: Callable
    num_classes: int
    predicted: Callable
    arguments: Any = MappingProxyType({})
    x: np.ndarray = X


def highest(output):
    return output.argmax(-1)


def above_half(output):
    return (output[..., 0] > 0.5).astype("int64")


HEADS = {
    "softmax": Head(lambda: net(activation="softmax"), 3, highest),
    "logits": Head(net, 3, highest),
    "sigmoid_of_each_class": Head(lambda: net(activation="sigmoid"), 3, highest),
    "softmax_of_two_classes": Head(lambda: net(2, "softmax"), 2, highest),
    "channels_first": Head(
        lambda: net(after=keras.layers.Permute((3, 1, 2))),
        3,
        lambda output: output.argmax(1),
        {"axis": 1},
    ),
    "class_ids": Head(
        lambda: net(after=lambda output: ops.argmax(output, axis=-1)),
        3,
        lambda output: output,
    ),
    "one_sigmoid": Head(lambda: net(1, "sigmoid"), 2, above_half),
    "one_logit": Head(
        lambda: net(1),
        2,
        lambda output: (output[..., 0] > 0).astype("int64"),
        {"from_logits": True},
    ),
    "one_sigmoid_per_sample": Head(
        lambda: net(1, "sigmoid", shape=()), 2, above_half, x=X.reshape(-1, 3)
    ),
}


def one_hot(labels, num_classes, void):
    rows = np.eye(num_classes)[np.where(labels == 255, 0, labels)]
    rows[labels == 255] = void
    return rows


FORMS = {
    "uint8": lambda y, _: y.astype("uint8"),
    "uint8_last_axis": lambda y, _: y.astype("uint8")[..., None],
    "float32": lambda y, _: y.astype("float32"),
    "float32_last_axis": lambda y, _: y.astype("float32")[..., None],
    "one_hot_void_zero": lambda y, c: one_hot(y, c, 0).astype("float32"),
    "one_hot_void_255": lambda y, c: one_hot(y, c, 255).astype("uint8"),
}


def labels_for(head, form):
    y = labels_of(head.num_classes).reshape(head.x.shape[:-1])
    labels = FORMS[form](y, head.num_classes)
    is_moved = "axis" in head.arguments and form.startswith("one_hot")
    return np.moveaxis(labels, -1, head.arguments["axis"]) if is_moved else labels


@pytest.mark.parametrize("name", HEADS)
def test_every_form_of_labels_fits_every_kind_of_output(name):
    head = HEADS[name]
    output = head.build()(head.x)
    ids = head.predicted(to_numpy(output))
    y = labels_of(head.num_classes).reshape(head.x.shape[:-1])
    expected = confusion(y, ids, head.num_classes)
    assert expected.all()
    with op_by_op():
        for form in FORMS:
            labels = labels_for(head, form)
            matrix = counted(labels, output, head.num_classes, **head.arguments)
            np.testing.assert_array_equal(matrix, expected, form)


@pytest.mark.skipif(
    keras.__version__.startswith("3.6."), reason="it names outputs for their layers"
)
def test_a_compiled_model_counts_every_kind_of_output():
    """One trace for all: each output has labels of another form."""
    names = [name for name in HEADS if HEADS[name].x is X]
    forms = dict(zip(names, [*FORMS, *FORMS], strict=False))
    inputs = keras.Input((6, 5, 3))
    model = keras.Model(inputs, {name: HEADS[name].build()(inputs) for name in names})
    metrics = {
        name: kt.MeanIoU(HEADS[name].num_classes, **HEADS[name].arguments)
        for name in names
    }
    losses = dict.fromkeys(names, still)
    model.compile("sgd", losses, metrics=metrics, **COMPILED)
    y = {name: labels_for(HEADS[name], form) for name, form in forms.items()}
    values = evaluate(model, X, y, batch_size=4)
    outputs = model.predict(X, verbose=0)
    for name, metric in metrics.items():
        head = HEADS[name]
        ids = head.predicted(outputs[name])
        expected = confusion(labels_of(head.num_classes), ids, head.num_classes)
        check({"mean_iou": values[f"{name}_mean_iou"]}, expected)
        np.testing.assert_array_equal(metric.confusion_matrix(), expected)


@pytest.mark.parametrize("mode", [MODES["eager"], COMPILED], ids=["eager", "compiled"])
def test_refuses_one_channel_of_three_classes(mode):
    model = compiled_net(net(1, "sigmoid"), kt.MeanIoU(3), **mode)
    with pytest.raises(
        ValueError, match=r"scores with 3 entries.*6, 5, 1\).*classes=3"
    ):
        evaluate(model, X, LABELS)


@pytest.mark.parametrize("shape", [(7,), (2, 9), (2, 4, 3), (1, 3, 2, 4)])
@pytest.mark.parametrize("convert", [np.asarray, tensor])
def test_scores_and_ids_of_any_rank_give_the_same_counts(rng, shape, convert):
    case = Case(rng, shape, 5, (255,), 0.3)
    ids = np.where(case.valid, case.ids, 255)  # what is predicted under void is free
    for y_pred in (case.scores, ids, ids[..., None], ids.astype("uint8")):
        assert (counted(case.labels, convert(y_pred), 5) == case.matrix).all()
    one_hot = np.eye(5, dtype="int32")[case.ids]
    assert (counted(case.labels, convert(one_hot), 5) == case.matrix).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", widest("float")])
def test_scores_of_any_dtype(rng, dtype):
    case = Case(rng, (2, 4, 3), 5, (255,), 0.3)
    scores = ops.cast(tensor(case.scores), dtype)
    case.ids = to_numpy(ops.cast(scores, "float32")).argmax(-1)
    assert (counted(case.labels, scores, 5) == case.matrix).all()


@pytest.mark.parametrize("form", ["int64", "one-hot"])
def test_classes_on_axis_1(rng, form):
    case = Case(rng, (2, 4, 3), 5, (255,), 0.3)
    labels, scores = case.forms()[form], np.moveaxis(case.scores, -1, 1)
    if form == "one-hot":
        labels = np.moveaxis(labels, -1, 1)
    assert (counted(labels, scores, 5, axis=1) == case.matrix).all()


@pytest.mark.parametrize("threshold", [0.5, 0.2])
@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("last", [(), (1,)])
def test_one_sigmoid_unit(rng, threshold, from_logits, last):
    labels = rng.choice([0, 1, 255], (3, 4, 5))
    probabilities = rng.uniform(0.01, 0.99, labels.shape)
    expected = reference.confusion(labels, probabilities > threshold, 2)
    y_pred = probabilities
    if from_logits:
        y_pred = np.log(probabilities / (1 - probabilities))
    y_pred = y_pred.reshape(*labels.shape, *last).astype("float32")
    rows = np.stack([labels == 0, labels == 1], -1).astype("float32")
    for y_true in (labels, labels.astype("float32")[..., None], rows):
        matrix = counted(
            y_true, y_pred, 2, threshold=threshold, from_logits=from_logits
        )
        assert (matrix == expected).all()


def test_as_many_columns_as_classes_are_still_ids(rng):
    labels, ids = rng.integers(0, 4, (2, 6, 4)), rng.integers(0, 4, (2, 6, 4))
    expected = reference.confusion(labels, ids, 4)
    assert (counted(labels, ids, 4) == expected).all()
    assert (counted(labels[..., None], ids[..., None], 4) == expected).all()


@pytest.mark.parametrize(
    ("y_true", "y_pred", "expected"),
    [
        (np.zeros((2, 4)), ramp(2, 4, 5), "If the model has 5 classes, pass num_cl"),
        (np.zeros((2, 4)), ramp(2, 4, 1), "keras.ops.cast(y_pred, 'int32')"),
        (np.zeros((2, 4)), ramp(2, 4), "one sigmoid unit, there are two classes"),
        (np.zeros((2, 5)), ramp(2, 4, 3), "y_true.shape=(2, 5)"),
        (np.zeros((2, 4, 2)), ramp(2, 4, 3), "y_true.shape=(2, 4, 2)"),
        (
            np.zeros((2, 4), int),
            np.zeros((2, 5), int),
            "class ids, one per pixel",
        ),
        (np.zeros(()), np.zeros(()), "y_pred.shape=()"),
    ],
)
def test_shapes_and_dtypes_that_do_not_fit(y_true, y_pred, expected):
    text = message(lambda: update(y_true, y_pred))
    assert expected in text
    assert "num_classes=3, axis=-1" in text


def test_one_hot_integers_on_both_sides_are_not_taken_for_ids():
    rows = np.eye(3, dtype="int32")[[0, 1, 2, 0]]
    text = message(lambda: update(rows, rows))
    assert "must be either class ids, one per pixel, or one-hot rows" in text
    assert "`keras.ops.argmax(y_pred, -1)`" in text
    assert float(update(rows, rows.argmax(-1)).result()) == 1
