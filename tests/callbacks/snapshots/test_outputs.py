"""The output to draw, and how its predictions are interpreted."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_trainfix as kt
from keras_trainfix.callbacks.snapshots.outputs import first_images
from keras_trainfix.callbacks.snapshots.prediction_snapshots import SnapshotWarning
from tests.callbacks.snapshots.nets import (
    COLORS,
    IDS,
    ROWS,
    SIZE,
    X,
    Y,
    amplifier,
    colors_of,
    columns_of,
    fitted,
    linear,
    texts_of,
)
from tests.diagnosis.nets import needs_class_axis

pytest.importorskip("matplotlib")


# --- which output ---


def test_one_of_several_outputs_is_drawn(tmp_path):
    inputs = keras.Input((4,), name="x")
    outputs = {
        "place": layers.Dense(2, name="place")(inputs),
        "kind": layers.Dense(3, activation="softmax", name="kind")(inputs),
    }
    model = keras.Model({"x": inputs}, outputs)
    losses = {"place": "mse", "kind": "sparse_categorical_crossentropy"}
    model.compile(keras.optimizers.SGD(0.0), losses)
    y = {"place": X[:, :2], "kind": np.arange(40) % 3}
    snapshots = kt.PredictionSnapshots({"x": X}, y, output="kind", folder=tmp_path)
    texts = texts_of(fitted(model, {"x": X}, y, snapshots), "label")
    assert set(texts) == {"0", "1", "2"}
    assert (tmp_path / "snapshots-kind.png").exists()
    place = kt.PredictionSnapshots({"x": X}, y["place"], output="place")
    assert fitted(model, {"x": X}, y, place).plot().axes[0].get_title() == "epoch 1"
    with pytest.raises(ValueError, match="must be one of .*'kind'.*output='no'"):
        fitted(model, {"x": X}, y, kt.PredictionSnapshots({"x": X}, y, output="no"))
    missing = kt.PredictionSnapshots({"x": X}, {"place": X[:, :2]}, output="kind")
    with pytest.warns(SnapshotWarning, match="those of the output 'kind'"):
        fitted(model, {"x": X}, y, missing)


def test_lists_of_outputs():
    inputs = keras.Input((4,))
    outputs = [layers.Dense(2, name="a")(inputs), layers.Dense(1, name="b")(inputs)]
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(0.0), ["mse", "mse"])
    y = [X[:, :2], Y]
    snapshots = kt.PredictionSnapshots(X, y, output=model.output_names[1])
    panel = fitted(model, X, y, snapshots).plot().axes[0]
    assert np.allclose(panel.lines[0].get_xdata(), Y[:, 0])
    with pytest.warns(SnapshotWarning, match="2 outputs. Received: 3 arrays"):
        fitted(model, X, y, kt.PredictionSnapshots(X, [*y, Y]))


# --- which inputs ---


@pytest.mark.one_backend
@pytest.mark.parametrize(
    ("shape", "shown"),
    [
        ((2, 16, 16, 3), (2, 16, 16, 3)),
        ((2, 3, 16, 16), (2, 16, 16, 3)),  # channels first
        ((2, 16, 16), (2, 16, 16)),
        ((2, 4, 4, 4), (2, 4, 4, 4)),
        ((2, 16, 7), None),  # a sequence
        ((2, 16), None),
    ],
)
def test_inputs_that_are_images(shape, shown):
    images = first_images({"a": np.zeros(4), "b": np.zeros(shape), "c": X})
    assert (None if images is None else images.shape) == shown
    assert first_images(np.full(shape, "text")) is None


# --- which task ---


@needs_class_axis
def test_the_class_axis_is_that_of_the_loss():
    x = np.moveaxis(ROWS, -1, 1)
    model = keras.Sequential([keras.Input((3, SIZE, SIZE)), layers.Softmax(1)])
    loss = keras.losses.SparseCategoricalCrossentropy(axis=1)
    model.compile(keras.optimizers.SGD(0.0), loss)
    snapshots = kt.PredictionSnapshots(x, IDS)
    snapshots.set_model(model)
    snapshots.on_train_begin()
    snapshots.on_epoch_end(0)
    columns = columns_of(snapshots)
    assert np.array_equal(colors_of(columns["epoch 1"][0]), COLORS[IDS[0]])


def test_from_logits_overrides_the_loss():
    x = (IDS > 0)[..., None].astype("float32")
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model = amplifier(1, None, loss, scale=0.6)
    inferred = columns_of(fitted(model, x, x, kt.PredictionSnapshots(x, x)))["epoch 1"]
    assert any((colors_of(cell) == COLORS[1]).all(-1).any() for cell in inferred)
    snapshots = kt.PredictionSnapshots(x, x, from_logits=False)
    cells = columns_of(fitted(model, x, x, snapshots))["epoch 1"]
    assert all((colors_of(cell) == COLORS[0]).all() for cell in cells)


def test_the_task_overrides_the_loss():
    y = (X[:, :1] > 0).astype("float32")
    model = linear(1, "sigmoid", "mse")
    snapshots = kt.PredictionSnapshots(X, y, task="regression")
    assert fitted(model, X, y, snapshots).plot().axes[0].get_title() == "epoch 1"
    classes = kt.PredictionSnapshots(X, y, task="classification")
    assert set(texts_of(fitted(model, X, y, classes), "label")) == {"0", "1"}
    with pytest.raises(ValueError, match="task='segmentation'"):
        fitted(model, X, y, kt.PredictionSnapshots(X, y, task="segmentation"))
