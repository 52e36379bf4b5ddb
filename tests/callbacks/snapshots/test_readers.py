"""Readers: which class or number of each pixel or sample is drawn."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_trainfix as kt
from keras_trainfix.callbacks.snapshots import pictures
from keras_trainfix.callbacks.snapshots.prediction_snapshots import SnapshotWarning
from tests.callbacks.snapshots.nets import (
    COLORS,
    IDS,
    ROWS,
    SIZE,
    STEP,
    X,
    Y,
    amplifier,
    colors_of,
    columns_of,
    fitted,
    linear,
    texts_of,
)

pytest.importorskip("matplotlib")


# --- segmentation ---

LABELS = {
    "sparse": IDS.astype("uint8"),
    "sparse-with-axis": IDS[..., None].astype("float32"),
    "one-hot": ROWS,
}


@pytest.mark.parametrize("form", LABELS)
@pytest.mark.parametrize("activation", ["softmax", None])
def test_predicted_classes_have_the_colors_of_the_labels(form, activation):
    loss = kt.MaskedCrossentropy(from_logits=activation is None)
    model = amplifier(3, activation, loss)
    snapshots = kt.PredictionSnapshots(ROWS, LABELS[form])
    columns = columns_of(fitted(model, ROWS, IDS, snapshots))
    assert list(columns) == ["input", "label", "epoch 1"]
    for heading in ("label", "epoch 1"):
        for cell, ids in zip(columns[heading], IDS, strict=True):
            assert np.array_equal(colors_of(cell), COLORS[ids])


def test_a_wrong_prediction_has_another_color():
    model = amplifier(3, "softmax", "categorical_crossentropy", scale=-20.0)
    snapshots = fitted(model, ROWS, ROWS, kt.PredictionSnapshots(ROWS, IDS))
    columns = columns_of(snapshots)
    for cell, ids in zip(columns["epoch 1"], IDS, strict=True):
        assert (colors_of(cell) != COLORS[ids]).any(-1).all()


@pytest.mark.parametrize("activation", ["sigmoid", None])
@pytest.mark.parametrize("dtype", ["int32", "float32"])
@pytest.mark.parametrize("shape", ["with axis", "without"])
def test_one_unit_has_two_classes(activation, dtype, shape):
    x = (IDS > 0)[..., None].astype("float32")
    y = (x if shape == "with axis" else x[..., 0]).astype(dtype)
    loss = keras.losses.BinaryCrossentropy(from_logits=activation is None)
    # 0.3 is a logit of class 1, and a probability of class 0.
    model = amplifier(1, activation, loss, scale=0.6)
    snapshots = fitted(model, x, x, kt.PredictionSnapshots(x, y))
    for cell, ids in zip(columns_of(snapshots)["epoch 1"], IDS, strict=True):
        assert np.array_equal(colors_of(cell), COLORS[np.minimum(ids, 1)])


@pytest.mark.parametrize("form", ["sparse", "one-hot"])
def test_void_is_striped_in_labels_and_predictions(form):
    is_void = np.zeros(IDS.shape, bool)
    is_void[:, 2:5, 2:5] = True
    y = np.where(is_void, 255, IDS)
    if form == "one-hot":
        y = np.where(is_void[..., None], 255, ROWS)
    model = amplifier(3, "softmax", kt.MaskedCrossentropy())
    snapshots = kt.PredictionSnapshots(ROWS, y, class_names=["a", "b", "c"])
    fitted(model, ROWS, y, snapshots)
    columns = columns_of(snapshots)
    for heading in ("label", "epoch 1"):
        tile = columns[heading][0].tile
        inside = tile[2 * STEP : 5 * STEP, 2 * STEP : 5 * STEP].reshape(-1, 3)
        assert {tuple(color) for color in inside.tolist()} == set(pictures.VOID)
        outside = colors_of(columns[heading][0])[~is_void[0]]
        assert np.array_equal(outside, COLORS[IDS[0]][~is_void[0]])
    (legend,) = snapshots.plot().legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b", "c", "void"]


def test_classes_first():
    x, rows = np.moveaxis(ROWS, -1, 1), np.moveaxis(ROWS, -1, 1)
    model = keras.Sequential(
        [
            keras.Input((3, SIZE, SIZE)),
            layers.BatchNormalization(axis=1),
            layers.Softmax(1),
        ]
    )
    model.compile(keras.optimizers.SGD(0.0), kt.MaskedCrossentropy(axis=1))
    snapshots = fitted(model, x, rows, kt.PredictionSnapshots(x, IDS, axis=1))
    columns = columns_of(snapshots)
    assert np.array_equal(colors_of(columns["epoch 1"][0]), COLORS[IDS[0]])
    assert np.array_equal(colors_of(columns["input"][0]), 255 * ROWS[0])


def test_masks_with_predictions_that_are_not_a_number():
    model = amplifier(3, "softmax", "categorical_crossentropy", scale=np.nan)
    snapshots = fitted(model, ROWS, ROWS, kt.PredictionSnapshots(ROWS))
    columns = columns_of(snapshots)
    assert list(columns) == ["input", "epoch 1"]
    colors = {tuple(c) for c in columns["epoch 1"][0].tile.reshape(-1, 3).tolist()}
    assert colors == set(pictures.NO_CLASS)


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        (IDS + 5, "7"),
        (IDS[:, :4], "shape"),
    ],
    ids=["no class", "shape"],
)
def test_masks_that_do_not_fit_are_a_warning(labels, match):
    snapshots = kt.PredictionSnapshots(ROWS, labels)
    model = amplifier(3, "softmax", "categorical_crossentropy")
    with pytest.warns(SnapshotWarning, match=match):
        history = model.fit(ROWS, ROWS, verbose=0, callbacks=[snapshots])
    assert len(history.history["loss"]) == 1


def test_names_that_do_not_fit_are_an_error_at_once():
    snapshots = kt.PredictionSnapshots(ROWS, IDS, class_names=["a", "b"])
    model = amplifier(3, "softmax", "categorical_crossentropy")
    with pytest.raises(ValueError, match="must have 3 names. Received: 2"):
        model.fit(ROWS, ROWS, verbose=0, callbacks=[snapshots])


# --- images ---


def test_images_as_targets_are_shown_as_images():
    x = np.random.default_rng(1).uniform(0, 1, (3, SIZE, SIZE, 3)).astype("float32")
    model = amplifier(3, None, "mse", scale=1.0)
    snapshots = fitted(model, x, x - 0.5, kt.PredictionSnapshots(x, x - 0.5))
    columns = columns_of(snapshots)
    assert list(columns) == ["input", "target", "epoch 1"]
    pairs = zip(columns["target"], columns["epoch 1"], strict=True)
    assert all(np.abs(a.tile - b.tile.astype(int)).max() <= 1 for a, b in pairs)


# --- classification ---


def test_classes_with_their_names_and_probabilities():
    y = X[:, :3].argmax(1)
    model = linear(3, "softmax", "sparse_categorical_crossentropy")
    model.set_weights([9 * np.eye(4, 3), np.zeros(3)])
    labels = np.where(np.arange(40) < 20, y, (y + 1) % 3)
    snapshots = kt.PredictionSnapshots(X, labels, class_names=["cat", "dog", "$x$"])
    fitted(model, X, y, snapshots)
    columns = columns_of(snapshots)
    assert list(columns) == ["label", "epoch 1"]
    names = [cell.text for cell in columns["label"]]
    predicted = [cell.text.split() for cell in columns["epoch 1"]]
    assert [name == word for name, (word, _) in zip(names, predicted, strict=True)] == (
        [True] * 4 + [False] * 4
    )
    assert all(1 / 3 < float(number) <= 1 for _, number in predicted)
    colors = [tuple(cell.tile[0, 0].tolist()) for cell in columns["epoch 1"]]
    assert colors == [pictures.CORRECT] * 4 + [pictures.INCORRECT] * 4
    snapshots.plot()


def test_a_void_label_is_neither_correct_nor_incorrect():
    y = np.where(X[:8, 0] > 0, 1, 255)
    model = linear(2, "softmax", kt.MaskedCrossentropy())
    snapshots = fitted(model, X[:8], y, kt.PredictionSnapshots(X[:8], y))
    columns = columns_of(snapshots)
    is_void = [text == "void" for text in texts_of(snapshots, "label")]
    assert is_void == (y == 255).tolist()
    colors = [tuple(cell.tile[0, 0].tolist()) for cell in columns["epoch 1"]]
    assert [color == pictures.UNJUDGED for color in colors] == is_void


@pytest.mark.parametrize("activation", ["sigmoid", None])
def test_one_unit_and_samples(activation):
    y = (X[:8, 0] > 0).astype("float32")
    loss = keras.losses.BinaryCrossentropy(from_logits=activation is None)
    model = linear(1, activation, loss)
    model.set_weights([9 * np.eye(4, 1), np.zeros(1)])
    snapshots = fitted(model, X[:8], y, kt.PredictionSnapshots(X[:8], y))
    predicted = [text.split()[0] for text in texts_of(snapshots, "epoch 1")]
    assert predicted == texts_of(snapshots, "label")
    assert set(predicted) == {"0", "1"}


def test_classes_that_do_not_exclude_each_other():
    y = (X[:8, :3] > 0).astype("int32")
    model = linear(3, "sigmoid", "binary_crossentropy")
    model.set_weights([9 * np.eye(4, 3), np.zeros(3)])
    names = ["a", "b", "c"]
    snapshots = kt.PredictionSnapshots(X[:8], y, class_names=names)
    texts = texts_of(fitted(model, X[:8], y, snapshots), "epoch 1")
    pairs = zip("abc", y[0], strict=True)
    assert texts[0] == ", ".join(name for name, on in pairs if on)
    assert texts == texts_of(snapshots, "label")


def test_classes_without_labels():
    model = linear(3, "softmax", "sparse_categorical_crossentropy")
    snapshots = fitted(model, X, np.arange(40) % 3, kt.PredictionSnapshots(X))
    assert len(texts_of(snapshots, "epoch 1")) == 8
    tile = columns_of(snapshots)["epoch 1"][0].tile
    assert tuple(tile[0, 0].tolist()) == pictures.UNJUDGED


def test_classes_of_sequences_cannot_be_drawn():
    x = np.zeros((8, 5, 4), "float32")
    model = keras.Sequential(
        [keras.Input((5, 4)), layers.Dense(3, activation="softmax")]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    y = np.arange(40).reshape(8, 5) % 3
    with pytest.warns(SnapshotWarning, match="shape \\(8, 5, 3\\)"):
        model.fit(x, y, verbose=0, callbacks=[kt.PredictionSnapshots(x, y)])


# --- regression ---


@pytest.mark.parametrize("y", [Y, Y[:, 0]], ids=["column", "vector"])
def test_predictions_against_true_values(y):
    model = linear()
    snapshots = fitted(model, X, y, kt.PredictionSnapshots(X, y), epochs=3)
    figure = snapshots.plot()
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert [panel.get_title() for panel in panels] == ["epoch 1", "epoch 2", "epoch 3"]
    true, predicted = panels[-1].lines[0].get_data()
    assert np.allclose(true, Y[:, 0])  # all samples, and not eight
    low, high = panels[-1].get_ylim()
    expected = model.predict(X, verbose=0)[:, 0]
    assert np.allclose(
        predicted, np.clip(expected, predicted.min(), predicted.max()), atol=1e-6
    )
    assert low < predicted.min() < predicted.max() < high


def test_predictions_that_are_not_a_number_without_labels():
    model = linear()
    model.set_weights([np.full((4, 1), np.nan), np.zeros(1)])
    snapshots = fitted(model, X, Y, kt.PredictionSnapshots(X))
    (panel,) = snapshots.plot().axes
    assert np.isnan(panel.lines[0].get_ydata()).all()
