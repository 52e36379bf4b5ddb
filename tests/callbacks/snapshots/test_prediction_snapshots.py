"""PredictionSnapshots: which epochs are drawn, and that training is not changed."""

import sys

import keras
import numpy as np
import pytest
from keras import layers

import keras_trainfix as kt
from keras_trainfix.callbacks.snapshots import grid, pictures, tiles
from keras_trainfix.callbacks.snapshots import prediction_snapshots as module
from tests.callbacks.snapshots.nets import (
    COLORS,
    IDS,
    ROWS,
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


# --- samples ---


def test_eight_of_many_images_are_shown():
    ids = np.tile(IDS, (5, 1, 1))
    x = np.eye(3, dtype="float32")[ids]
    model = amplifier(3, "softmax", "categorical_crossentropy")
    snapshots = fitted(model, x, x, kt.PredictionSnapshots(x, ids))
    columns = columns_of(snapshots)
    assert [len(cells) for cells in columns.values()] == [8, 8, 8]
    pairs = zip(columns["label"], columns["epoch 1"], strict=True)
    assert all(np.array_equal(a.tile, b.tile) for a, b in pairs)


def test_batches():
    batches = [(ROWS[:2], IDS[:2]), (ROWS[2:], IDS[2:])]
    model = amplifier(3, "softmax", kt.MaskedCrossentropy())
    snapshots = fitted(model, ROWS, IDS, kt.PredictionSnapshots(batches))
    columns = columns_of(snapshots)
    assert np.array_equal(colors_of(columns["label"][3]), COLORS[IDS[3]])


# --- epochs ---


def kept_of(epochs):
    snapshots = kt.PredictionSnapshots(X, Y)
    for number in range(epochs):
        snapshots._keep(pictures.Column(number, number + 1, None))
    return [column.epoch for column in snapshots._columns]


def test_epochs_are_thinned_evenly_and_the_last_is_kept():
    assert kept_of(12) == list(range(1, 13))
    assert kept_of(13) == [1, 3, 5, 7, 9, 11, 13]
    assert kept_of(14) == [1, 3, 5, 7, 9, 11, 13, 14]
    assert kept_of(46) == [1, 9, 17, 25, 33, 41, 46]
    assert max(len(kept_of(number)) for number in range(200)) == 12


def test_every_third_epoch():
    snapshots = kt.PredictionSnapshots(X, Y, every=3)
    fitted(linear(), X, Y, snapshots, epochs=7)
    assert [column.epoch for column in snapshots._columns] == [3, 6]


def test_the_file_grows_and_starts_again(tmp_path):
    from matplotlib.image import imread

    path = tmp_path / "new" / "snapshots.png"
    snapshots = kt.PredictionSnapshots(ROWS, IDS, folder=path.parent)
    model = amplifier(3, "softmax", kt.MaskedCrossentropy())
    widths = []
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: widths.append(imread(path).shape[1])
    )
    for _ in range(2):
        model.fit(ROWS, IDS, epochs=2, verbose=0, callbacks=[snapshots, note])
    step = tiles.TILE + grid.GAP
    assert np.diff(widths).tolist() == [step, -step, step]
    assert [file.name for file in path.parent.iterdir()] == ["snapshots.png"]


def test_nothing_is_rendered_that_nobody_sees(monkeypatch):
    monkeypatch.setattr(module, "png_of", pytest.fail)
    fitted(linear(), X, Y, kt.PredictionSnapshots(X, Y))


def test_plot_saves(tmp_path):
    snapshots = kt.PredictionSnapshots(X, Y)
    with pytest.raises(ValueError, match="nothing to draw"):
        snapshots.plot()
    fitted(linear(), X, Y, snapshots).plot(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000


# --- answers that must be decoded ---


def best_path(probabilities):
    """What a CTC head reads: repeated letters count once, and class 0 is blank."""
    texts = []
    for path in probabilities.argmax(-1):
        changed = np.concatenate([[True], path[1:] != path[:-1]])
        texts.append("".join(" ab"[i] for i in path[changed] if i))
    return texts


def test_a_ctc_head_is_read_by_decode():
    steps = np.array([[1, 1, 0, 2], [0, 2, 2, 1]])
    x = np.eye(3, dtype="float32")[steps]
    model = keras.Sequential([keras.Input((4, 3)), layers.Dense(3, "softmax")])
    model.set_weights([9 * np.eye(3), np.zeros(3)])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    texts = np.array(["ab", "bb"])
    snapshots = fitted(model, x, x, kt.PredictionSnapshots(x, texts, decode=best_path))
    assert texts_of(snapshots, "label") == ["ab", "bb"]
    assert texts_of(snapshots, "epoch 1") == ["ab", "ba"]
    colors = [cell.tile[0, 0].tolist() for cell in columns_of(snapshots)["epoch 1"]]
    assert colors == [list(pictures.CORRECT), list(pictures.INCORRECT)]
    assert snapshots.plot().axes


def test_a_mixture_density_head_is_read_by_decode():
    def mean(predictions):
        weights = np.exp(predictions[:, :2])
        weights /= weights.sum(1, keepdims=True)
        return (weights * predictions[:, 2:4]).sum(1, keepdims=True)

    def likelihood(y_true, y_pred):
        return keras.ops.mean(keras.ops.square(y_true - y_pred[:, 2:4]), -1)

    model = linear(6, loss=likelihood)
    snapshots = fitted(model, X, Y, kt.PredictionSnapshots(X, Y, decode=mean))
    (column,) = snapshots._columns
    expected = mean(model.predict(X, verbose=0))
    assert np.allclose(column.content, expected, atol=1e-5)
    assert snapshots.plot().axes
    with pytest.warns(module.SnapshotWarning, match="draws no more"):
        fitted(model, X, Y, kt.PredictionSnapshots(X, Y))  # six numbers for one


@pytest.mark.parametrize(
    ("decode", "match"),
    [
        (lambda predictions: predictions[:3], "one answer per sample"),
        (lambda predictions: 1 / 0, "`decode` raised ZeroDivisionError"),
    ],
    ids=["number", "raises"],
)
def test_a_decode_that_fails_ends_the_pictures_alone(decode, match):
    with pytest.warns(module.SnapshotWarning, match=match):
        fitted(linear(), X, Y, kt.PredictionSnapshots(X, Y, decode=decode))


# --- training does not change ---


def trained(callbacks, **kwargs):
    """The weights, random numbers and history after a training with dropout."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(8, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"], **kwargs)
    history = model.fit(
        X, Y, epochs=3, batch_size=8, verbose=0, callbacks=callbacks, shuffle=True
    )
    drawn = [np.random.uniform(), keras.ops.convert_to_numpy(keras.random.uniform(()))]
    return model.get_weights(), drawn, history.history


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        pytest.param(
            {"steps_per_execution": 2},
            marks=pytest.mark.backend_only(
                "tensorflow", "jax", reason="torch makes one step at a time"
            ),
        ),
    ],
    ids=str,
)
def test_training_is_the_same_to_the_bit(kwargs, tmp_path):
    plain = trained([], **kwargs)
    snapshots = kt.PredictionSnapshots(X, Y, folder=tmp_path)
    watched = trained([snapshots], **kwargs)
    assert len(snapshots._columns) == 3
    for a, b in zip(plain[0], watched[0], strict=True):
        assert np.array_equal(a, b)
    assert plain[1:] == watched[1:]


def test_each_epoch_has_its_own_weights():
    model = linear(rate=0.1)
    snapshots = fitted(model, X, Y, kt.PredictionSnapshots(X, Y), epochs=3)
    first, _, last = (column.content for column in snapshots._columns)
    assert np.allclose(last, model.predict(X, verbose=0), atol=1e-5)
    assert np.abs(first - last).max() > 0.1


def test_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = linear()
    assert fitted(model, X, Y, kt.PredictionSnapshots(X, Y)).plot().axes


def test_a_subclassed_model():
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x):
            return self.dense(x)

    model = Net()
    model.compile("sgd", "mse")
    assert fitted(model, X, Y, kt.PredictionSnapshots(X, Y)).plot().axes


# --- errors ---


def test_an_error_of_its_own_ends_the_pictures_with_one_warning(tmp_path):
    snapshots = kt.PredictionSnapshots(X, Y, folder=tmp_path / "folder")
    (tmp_path / "folder").rmdir()
    model = linear(rate=0.1)
    with pytest.warns(module.SnapshotWarning, match="draws no more.*Error") as caught:
        history = model.fit(X, Y, epochs=3, verbose=0, callbacks=[snapshots])
    assert [warning.category for warning in caught].count(module.SnapshotWarning) == 1
    assert len(history.epoch) == 3
    (tmp_path / "folder").mkdir()
    fitted(model, X, Y, snapshots)  # a new training, a new try
    assert (tmp_path / "folder" / "snapshots.png").exists()


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"every": 0}, ValueError, "`every`.*every=0"),
        ({"every": True}, ValueError, "`every`"),
        ({"task": "detection"}, ValueError, "`task`.*'detection'"),
        ({"class_names": "cat"}, TypeError, "`class_names`"),
        ({"writer": "logs"}, TypeError, "`writer`.*type str"),
        ({"decode": "ctc"}, TypeError, "`decode`.*type str"),
        ({"ignore_class": 1.5}, ValueError, "`ignore_class`"),
        ({"labels": Y[:3]}, ValueError, "`images` and `labels`.*3, 40"),
        ({"images": 3}, TypeError, "`images` and `labels` cannot"),
        ({"images": X[:0], "labels": Y[:0]}, ValueError, "1 or more"),
        ({"folder": __file__}, OSError, "exists"),
    ],
    ids=str,
)
def test_bad_arguments(arguments, error, match):
    with pytest.raises(error, match=match):
        kt.PredictionSnapshots(**{"images": X, "labels": Y, **arguments})


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"images": X[:, :3]}, "`images` does not fit"),
        ({"labels": X}, "Received: labels of shape"),
    ],
    ids=["images", "labels"],
)
def test_samples_that_do_not_fit_are_a_warning(arguments, match):
    snapshots = kt.PredictionSnapshots(**{"images": X, "labels": Y, **arguments})
    with pytest.warns(module.SnapshotWarning, match=match):
        history = linear().fit(X, Y, verbose=0, callbacks=[snapshots])
    assert len(history.history["loss"]) == 1


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        kt.PredictionSnapshots(X, Y)
