"""Samples sorted by class are found unless they did no harm."""

import keras
import numpy as np
import pytest

from keras_trainfix.diagnosis.diagnose import diagnose
from tests.diagnosis.checks.data.cases import (
    findings,
    only,
)
from tests.diagnosis.nets import inputs, net


def class_net(count=3, sparse=True):
    kind = "sparse_categorical" if sparse else "categorical"
    return net(count, "softmax", f"{kind}_crossentropy")


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
    x = inputs(len(y))
    y = y if sparse else np.eye(count)[y]
    finding = only(class_net(count, sparse), x, y, validation_split=0.2)
    assert (finding.code, finding.name) == ("KTF127", "one-class-split")
    assert finding.severity == "warning"
    assert finding.evidence["only_in_last_part"]
    assert findings(class_net(count, sparse), x, y[order]) == {}


def test_one_class_split_of_two_classes_is_a_warning():
    model = net(1, "sigmoid", "binary_crossentropy")
    y = np.repeat([0.0, 1.0], 50)
    finding = only(model, inputs(100), y, validation_split=0.2)
    assert (finding.code, finding.severity) == ("KTF127", "warning")
    assert finding.evidence["only_in_first_part"] == [0]


def test_sorted_labels_that_have_been_learned():
    y = np.repeat(np.arange(3), 40)
    x = (np.eye(6)[y] + 0.1 * inputs(120)).astype("float32")
    model = class_net(3, True)
    assert only(model, x, y).code == "KTF127"
    model.compile(keras.optimizers.Adam(0.1), model.loss)
    model.fit(x, y, epochs=20, verbose=0)
    assert findings(model, x, y) == {}


def test_runs_of_labels_with_all_classes_in_both_parts():
    runs = np.tile(np.repeat([0.0, 1.0], 5), 10)
    model = net(1, "sigmoid", "binary_crossentropy")
    assert findings(model, inputs(100), runs) == {}
    assert list(findings(model, inputs(100), np.sort(runs))) == ["KTF127"]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [2, 5, 30, 100])
def test_shuffled_labels_are_no_split(seed, count):
    y = np.random.default_rng(seed).integers(0, count, 100)
    assert findings(class_net(count), inputs(100), y) == {}
    assert list(findings(class_net(count), inputs(100), np.sort(y))) == ["KTF127"]


def test_batches_do_not_tell_the_order():
    x, y = inputs(100), np.repeat(np.arange(5), 20)
    batches = [(x[i : i + 20], y[i : i + 20]) for i in range(0, 100, 20)]
    assert findings(class_net(5), batches) == {}
    assert list(findings(class_net(5), x, y)) == ["KTF127"]


@pytest.mark.parametrize(
    ("fit", "severity", "said"),
    [
        ({}, "note", "class 4 would be in the validation part only"),
        ({"validation_split": 0.4}, "warning", "=0.4, classes 3, 4 are in the"),
        ({"shuffle": False}, "warning", "shuffle=False, most batches hold one class"),
        ({"shuffle": False, "batch_size": 100}, "note", "=0.2, class 4 would be"),
    ],
)
def test_sorted_labels_matter_where_fit_does_not_shuffle_them(fit, severity, said):
    y = np.repeat(np.arange(5), 40)
    finding = only(class_net(5), inputs(200), y, **fit)
    assert (finding.code, finding.severity) == ("KTF127", severity)
    assert said in finding.message


def split_diagnosis(order, share=0.34, **fit):
    y = np.repeat(np.arange(3), 100)
    x = (np.eye(6)[y] + 0.1 * inputs(300)).astype("float32")
    order = order(300)
    model = class_net(3)
    x, y = x[order], y[order]
    return diagnose(model, x, y, validation_split=share, fit=False, **fit)


def test_the_part_that_fit_cuts_off_has_a_class_of_its_own():
    diagnosis = split_diagnosis(np.arange)
    found = {f.code: f for f in diagnosis.findings}
    assert diagnosis.findings[0].code == "KTF127"
    assert found["KTF127"].severity == "warning"
    assert "validation_split=0.34, class 2 is in the" in found["KTF127"].message
    assert "KTF142" not in found  # it is the split that takes the class away
    shuffled = split_diagnosis(np.random.default_rng(1).permutation)
    assert not {"KTF127", "KTF142"} & set(shuffled.codes)


def test_a_split_is_not_made_beside_validation_data():
    y = np.repeat(np.arange(3), 20)
    held_out = (np.eye(6)[y] + 0.1 * inputs(60)).astype("float32"), y
    diagnosis = split_diagnosis(np.arange, validation_data=held_out)
    severities = {f.code: f.severity for f in diagnosis.findings}
    assert severities["KTF127"] == "note"


def test_training_does_not_teach_the_class_that_was_cut_off():
    y = np.repeat(np.arange(3), 100)
    x = (np.eye(6)[y] + 0.1 * inputs(300)).astype("float32")
    model = class_net(3)
    model.compile(keras.optimizers.Adam(0.1), model.loss)
    model.fit(x, y, epochs=5, validation_split=0.34, verbose=0)
    diagnosis = diagnose(model, x, y, validation_split=0.34, fit=False)
    assert (diagnosis.findings[0].code, diagnosis.ok) == ("KTF127", False)
