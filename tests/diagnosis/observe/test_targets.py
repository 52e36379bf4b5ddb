"""Targets are what `labels.read_labels` reads, place by place."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_trainfix as kt
from keras_trainfix import backend
from keras_trainfix.diagnosis import snapshot
from keras_trainfix.diagnosis.examine import examine
from keras_trainfix.diagnosis.observe.targets import read_targets
from keras_trainfix.labels import read_labels
from tests.diagnosis.nets import inputs, net, view

IDS = np.random.default_rng(1).integers(0, 4, (3, 5, 6))
VOID = np.where(IDS == 3, 255, IDS)
ROWS = np.eye(4, dtype="float32")[IDS]
VOID_ROWS = np.where(VOID[..., None] == 255, 255, ROWS)

FORMS = {
    "sparse": IDS,
    "sparse, with a channel": IDS[..., None],
    "floats": IDS.astype("float32"),
    "float16": IDS.astype("float16"),
    "uint8": VOID.astype("uint8"),
    "void": VOID,
    "no class": np.where(IDS == 0, 9, IDS),
    "one-hot": ROWS,
    "one-hot with void": VOID_ROWS,
    "one-hot with rows of zeros": np.where(VOID[..., None] == 255, 0, ROWS),
    "soft": 0.9 * ROWS + 0.1 / 4,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("axis", [1, 3])
@pytest.mark.parametrize("ignored", [(), (255,), (0, 255)])
def test_they_are_what_read_labels_reads(form, axis, ignored):
    y = FORMS[form]
    if y.ndim == 4 and y.shape[-1] == 4:
        y = np.moveaxis(y, -1, axis)
    shape = [3, 5, 6]
    shape.insert(axis, 4)
    seen = read_targets(y, tuple(shape), axis, ignored)
    read = read_labels(y, tuple(shape), ignored, axis, check=False)
    assert np.array_equal(seen.valid, backend.to_numpy(read.valid).ravel())
    assert np.array_equal(seen.invalid, backend.to_numpy(read.invalid).ravel())
    assert (seen.units, seen.shape) == (4, (5, 6))
    expected = np.moveaxis(y, axis, -1).reshape(-1, 4) if seen.is_rows else y.ravel()
    assert np.array_equal(seen.numbers, expected)


def test_a_row_of_zeros_is_void_but_not_ignored():
    rows = np.array([[1, 0, 0], [0, 0, 0], [255, 255, 255], [0, 1, 0]])
    seen = read_targets(rows, (4, 3), ignored=(255,))
    assert (seen.form, seen.classes) == ("one-hot", [0, 1])
    assert seen.void.tolist() == [False, True, True, False]
    assert seen.ignored.tolist() == [False, False, True, False]
    assert seen.ids.tolist() == [0, 1]
    rows = np.array([[1, 0, 1], [0, 0, 0], [255, 255, 255], [0, 1, 0]])
    seen = read_targets(rows, (4, 3), ignored=(255,))  # several classes, or none
    assert seen.form == "multi-hot"
    assert seen.void.tolist() == [False, False, True, False]


def test_rows_of_another_width_are_kept_to_be_reported():
    seen = read_targets(np.eye(5)[[0, 4]], (2, 3))
    assert (seen.units, seen.numbers.shape) == (3, (2, 5))
    assert read_targets(np.zeros((2, 5, 5)), (2, 3)).numbers is None


def test_targets_are_read_once(monkeypatch):
    calls = []

    def counted(name, function):
        def call(*arguments, **settings):
            calls.append(name)
            return function(*arguments, **settings)

        return call

    names = ("read_targets", "counted_targets", "label_faults")
    for name in names:
        monkeypatch.setattr(snapshot, name, counted(name, getattr(snapshot, name)))
    model = net(3, "softmax", "sparse_categorical_crossentropy")
    seen = view(model, inputs(), np.arange(64) % 3)
    examine(seen.snapshot)
    assert seen.skill_of(seen.predictions[::-1]).samples == 64
    assert sorted(calls) == sorted(names)


def test_empty_masks_are_counted_along_the_class_axis():
    """KTF210's share of images without foreground, classes first and last."""
    y = np.zeros((16, 8, 8), "int32")
    y[:4, 2:6, 2:6] = 1
    x = y[..., None] + np.random.default_rng(0).normal(size=(16, 8, 8, 1))
    for axis in (1, -1):
        for labels in (y, np.moveaxis(np.eye(2)[y], -1, axis)):
            parts = [layers.Conv2D(2, 1)]
            parts += [layers.Permute((3, 1, 2))] if axis == 1 else []
            model = keras.Sequential([keras.Input((8, 8, 1)), *parts])
            model.compile("adam", kt.MaskedSoftDice(from_logits=True, axis=axis))
            seen = view(model, x.astype("float32"), labels)
            (finding,) = [
                f for f in examine(seen.snapshot).findings if f.code == "KTF210"
            ]
            assert finding.evidence["empty_share"] == 0.75


@pytest.mark.parametrize(
    ("targets", "shape", "form", "classes"),
    [
        (np.array([0, 1, 1]), (3, 1), "binary", [0, 1]),
        (np.array([0.5, 2.5]), (2, 1), "real", []),
        (np.array([0, 2, 1, 2]), (4, 3), "ids", [0, 1, 2]),
        (np.eye(3)[[0, 2]], (2, 3), "one-hot", [0, 2]),
        (np.array([[1, 1, 0], [0, 0, 1]]), (2, 3), "multi-hot", [0, 2]),
        (np.array([[0.5, 0.5], [0.1, 0.9]]), (2, 2), "soft", [0, 1]),
        (np.array([[3.0, -1.0]]), (1, 2), "real", []),
        (np.array([[0, 255], [1, 0]]), (2, 2, 1), "binary", [0, 1]),
        (np.array([[0, 1], [-1, -1], [1, 0]]), (3, 2), "one-hot", [0, 1]),
    ],
)
def test_the_form_of_targets(targets, shape, form, classes):
    read = read_targets(targets, shape, ignored=(255,))
    assert (read.form, read.classes) == (form, classes)
