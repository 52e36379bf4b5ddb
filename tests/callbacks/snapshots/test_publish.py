"""Where pictures go: to writers, functions and notebooks."""

import sys
import types

import numpy as np
import pytest

import keras_trainfix as kt
from tests.callbacks.snapshots.nets import X, Y, fitted, linear

pytest.importorskip("matplotlib")


class Writer:
    def __init__(self):
        self.calls = []

    def add_image(self, tag, image, step):
        self.calls.append((tag, image, step))


def test_a_writer_of_tensorflow(tmp_path):
    tf = pytest.importorskip("tensorflow")
    writer = tf.summary.create_file_writer(str(tmp_path))
    snapshots = kt.PredictionSnapshots(X, Y, writer=writer, every=2)
    fitted(linear(), X, Y, snapshots, epochs=4)
    (path,) = tmp_path.iterdir()
    events = [
        tf.compat.v1.Event.FromString(record.numpy())
        for record in tf.data.TFRecordDataset(str(path))
    ]
    steps = [event.step for event in events if event.summary.value]
    assert steps == [2, 4]
    tag = events[-1].summary.value[0].tag
    png = events[-1].summary.value[0].tensor.string_val[-1]
    assert tag == "predictions"
    assert png.startswith(b"\x89PNG")


def test_a_summary_writer_gets_channels_first():
    writer = Writer()
    snapshots = kt.PredictionSnapshots(X, Y, writer=writer, every=2)
    fitted(linear(), X, Y, snapshots, epochs=4)
    assert [(tag, step) for tag, _, step in writer.calls] == [
        ("predictions", 2),
        ("predictions", 4),
    ]
    image = writer.calls[-1][1]
    assert image.dtype == np.uint8
    assert image.shape[0] == 3
    assert np.ptp(image) > 100


def test_a_function_gets_pixels():
    calls = []
    snapshots = kt.PredictionSnapshots(X, Y, writer=lambda *a: calls.append(a))
    fitted(linear(), X, Y, snapshots)
    ((tag, image, step),) = calls
    assert (tag, step) == ("predictions", 1)
    assert image.shape[-1] == 3
    assert len(image) > 100


def test_a_notebook_shows_one_picture(monkeypatch):
    shown, updates = [], []
    handle = types.SimpleNamespace(update=updates.append)

    def display(picture, display_id):
        shown.append(picture)
        return handle

    fake = types.ModuleType("IPython")
    fake.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    fake.display = types.ModuleType("IPython.display")
    fake.display.display, fake.display.Image = display, lambda data, format: data
    monkeypatch.setitem(sys.modules, "IPython", fake)
    monkeypatch.setitem(sys.modules, "IPython.display", fake.display)
    fitted(linear(), X, Y, kt.PredictionSnapshots(X, Y), epochs=3)
    assert (len(shown), len(updates)) == (1, 2)
    assert shown[0].startswith(b"\x89PNG")
    assert len(updates[1]) > len(shown[0])
    fake.get_ipython = lambda: types.SimpleNamespace()  # a terminal
    fitted(linear(), X, Y, kt.PredictionSnapshots(X, Y))
    assert len(shown) == 1
