"""PredictionSnapshots: what is drawn, and that training does not notice."""

import sys
import types

import keras
import numpy as np
import pytest
from keras import layers

import keras_trainfix as kt
from keras_trainfix.callbacks.snapshots import grid, pictures, tiles
from keras_trainfix.callbacks.snapshots import prediction_snapshots as module

pytest.importorskip("matplotlib")

SIZE = 8  # pixels of an image, each a square of STEP pixels of a tile
STEP = tiles.TILE // SIZE
COLORS = tiles.class_colors(3)
IDS = np.random.default_rng(1).integers(0, 3, (4, SIZE, SIZE))
ROWS = np.eye(3, dtype="float32")[IDS]
X = np.random.default_rng(2).normal(size=(40, 4)).astype("float32")
Y = X[:, :1] * 2 + 1


def fitted(model, x, y, snapshots, epochs=1, **kwargs):
    """Trains at a rate of 0, so that predictions are known."""
    model.fit(x, y, epochs=epochs, verbose=0, callbacks=[snapshots], **kwargs)
    return snapshots


def amplifier(channels, activation, loss, scale=20.0):
    """A model of images whose output is `scale * (x - 0.5)`, and an activation."""
    layer = layers.Conv2D(channels, 1, activation=activation)
    model = keras.Sequential([keras.Input((SIZE, SIZE, channels)), layer])
    model.set_weights(
        [scale * np.eye(channels)[None, None], np.full(channels, -scale / 2)]
    )
    model.compile(keras.optimizers.SGD(0.0), loss)
    return model


def linear(outputs=1, activation=None, loss="mse", rate=0.0):
    keras.utils.set_random_seed(1)
    layer = layers.Dense(outputs, activation)
    model = keras.Sequential([keras.Input((4,)), layer])
    model.compile(keras.optimizers.SGD(rate), loss)
    return model


def columns_of(snapshots):
    """Dict of each heading to its cells."""
    picture = snapshots._reader.picture
    return dict(picture.first + pictures.with_headings(snapshots._columns))


def colors_of(cell):
    """The colour of each pixel of the image that a cell shows."""
    return cell.tile[STEP // 2 :: STEP, STEP // 2 :: STEP]


def texts_of(snapshots, heading):
    return [cell.text for cell in columns_of(snapshots)[heading]]


# --- segmentation ---

LABELS = {
    "sparse": IDS.astype("uint8"),
    "sparse-with-axis": IDS[..., None].astype("float32"),
    "one-hot": ROWS,
}


@pytest.mark.parametrize("form", LABELS)
@pytest.mark.parametrize("activation", ["softmax", None])
def test_predicted_classes_have_the_colours_of_the_labels(form, activation):
    loss = kt.MaskedCrossentropy(from_logits=activation is None)
    model = amplifier(3, activation, loss)
    snapshots = kt.PredictionSnapshots(ROWS, LABELS[form])
    columns = columns_of(fitted(model, ROWS, IDS, snapshots))
    assert list(columns) == ["input", "label", "epoch 1"]
    for heading in ("label", "epoch 1"):
        for cell, ids in zip(columns[heading], IDS, strict=True):
            assert np.array_equal(colors_of(cell), COLORS[ids])


def test_a_wrong_prediction_has_another_colour():
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


def test_from_logits_can_be_said():
    x = (IDS > 0)[..., None].astype("float32")
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model = amplifier(1, None, loss, scale=0.6)
    snapshots = kt.PredictionSnapshots(x, x, from_logits=False)
    cells = columns_of(fitted(model, x, x, snapshots))["epoch 1"]
    assert all((colors_of(cell) == COLORS[0]).all() for cell in cells)


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


def test_predictions_that_are_not_a_number_are_marked():
    model = amplifier(3, "softmax", "categorical_crossentropy", scale=np.nan)
    snapshots = fitted(model, ROWS, ROWS, kt.PredictionSnapshots(ROWS))
    columns = columns_of(snapshots)
    assert list(columns) == ["input", "epoch 1"]
    found = {tuple(c) for c in columns["epoch 1"][0].tile.reshape(-1, 3).tolist()}
    assert found == set(pictures.NO_CLASS)
    (legend,) = snapshots.plot().legends
    assert legend.get_texts()[-1].get_text() == "not a number"


def test_images_as_targets_are_shown_as_images():
    x = np.random.default_rng(1).uniform(0, 1, (3, SIZE, SIZE, 3)).astype("float32")
    model = amplifier(3, None, "mse", scale=1.0)
    snapshots = fitted(model, x, x - 0.5, kt.PredictionSnapshots(x, x - 0.5))
    columns = columns_of(snapshots)
    assert list(columns) == ["input", "target", "epoch 1"]
    pairs = zip(columns["target"], columns["epoch 1"], strict=True)
    assert all(np.abs(a.tile - b.tile.astype(int)).max() <= 1 for a, b in pairs)


# --- inputs ---

BYTES = np.random.default_rng(1).integers(0, 256, (2, SIZE, SIZE, 3))
BYTES[0, 0, 0], BYTES[0, 0, 1] = 0, 255


@pytest.mark.parametrize(
    "images",
    [
        BYTES.astype("uint8"),
        BYTES.astype("float32"),
        BYTES / 255,
        BYTES / 127.5 - 1,
        (BYTES / 127.5 - 1).astype("float16"),
        3 * BYTES - 90.0,
    ],
    ids=["bytes", "255", "0 to 1", "-1 to 1", "half", "others"],
)
def test_the_range_of_images_is_told(images):
    for tile, right in zip(tiles.image_tiles(images), BYTES, strict=True):
        assert np.abs(colors_of(grid.Cell(tile)) - right).max() <= 1


@pytest.mark.parametrize("value", [0, 1])
def test_images_of_one_value(value):
    images = np.full((1, SIZE, SIZE, 1), value, "float32")
    assert (tiles.image_tiles(images)[0] == 255 * value).all()


@pytest.mark.parametrize(
    ("shape", "size"), [((300, 500), (77, 128)), ((40, 10), (128, 32)), ((1, 900), 0)]
)
def test_large_and_narrow_images(shape, size):
    images = np.linspace(0, 1, 2 * np.prod(shape)).reshape(2, *shape, 1)
    tile = tiles.image_tiles(images)[0]
    assert tile.shape[:2] == (size or (1, 128))
    assert tile.dtype == np.uint8


def test_of_many_images_eight_are_shown():
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


# --- classification ---


def test_classes_with_their_names_and_probabilities():
    y = X[:, :3].argmax(1)
    model = linear(3, "softmax", "sparse_categorical_crossentropy")
    model.set_weights([9 * np.eye(4, 3), np.zeros(3)])
    wrong = np.where(np.arange(40) < 20, y, (y + 1) % 3)
    snapshots = kt.PredictionSnapshots(X, wrong, class_names=["cat", "dog", "$x$"])
    fitted(model, X, y, snapshots)
    columns = columns_of(snapshots)
    assert list(columns) == ["label", "epoch 1"]
    names = [cell.text for cell in columns["label"]]
    said = [cell.text.split() for cell in columns["epoch 1"]]
    assert [name == word for name, (word, _) in zip(names, said, strict=True)] == (
        [True] * 4 + [False] * 4
    )
    assert all(1 / 3 < float(share) <= 1 for _, share in said)
    colors = [tuple(cell.tile[0, 0].tolist()) for cell in columns["epoch 1"]]
    assert colors == [pictures.CORRECT] * 4 + [pictures.INCORRECT] * 4
    snapshots.plot()


def test_a_void_label_is_neither_right_nor_wrong():
    y = np.where(X[:8, 0] > 0, 1, 255)
    model = linear(2, "softmax", kt.MaskedCrossentropy())
    snapshots = fitted(model, X[:8], y, kt.PredictionSnapshots(X[:8], y))
    columns = columns_of(snapshots)
    is_void = [text == "void" for text in texts_of(snapshots, "label")]
    assert is_void == (y == 255).tolist()
    colors = [tuple(cell.tile[0, 0].tolist()) for cell in columns["epoch 1"]]
    assert [color == pictures.UNJUDGED for color in colors] == is_void


@pytest.mark.parametrize("activation", ["sigmoid", None])
def test_one_unit(activation):
    y = (X[:8, 0] > 0).astype("float32")
    loss = keras.losses.BinaryCrossentropy(from_logits=activation is None)
    model = linear(1, activation, loss)
    model.set_weights([9 * np.eye(4, 1), np.zeros(1)])
    snapshots = fitted(model, X[:8], y, kt.PredictionSnapshots(X[:8], y))
    said = [text.split()[0] for text in texts_of(snapshots, "epoch 1")]
    assert said == texts_of(snapshots, "label")
    assert set(said) == {"0", "1"}


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


# --- regression ---


@pytest.mark.parametrize("y", [Y, Y[:, 0]], ids=["column", "vector"])
def test_predictions_over_true_values(y):
    model = linear()
    snapshots = fitted(model, X, y, kt.PredictionSnapshots(X, y), epochs=3)
    figure = snapshots.plot()
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert [panel.get_title() for panel in panels] == ["epoch 1", "epoch 2", "epoch 3"]
    over, said = panels[-1].lines[0].get_data()
    assert np.allclose(over, Y[:, 0])  # all samples, and not eight
    low, high = panels[-1].get_ylim()
    right = model.predict(X, verbose=0)[:, 0]
    assert np.allclose(said, np.clip(right, said.min(), said.max()), atol=1e-6)
    assert low < said.min() < said.max() < high
    diagonal = panels[-1].lines[-1].get_data()
    assert np.allclose(diagonal[0], diagonal[1])


def test_what_is_far_off_is_drawn_on_the_edge():
    model = linear()
    model.set_weights([1000 * np.eye(4, 1), np.zeros(1)])
    snapshots = fitted(model, X, Y, kt.PredictionSnapshots(X, Y))
    (panel,) = snapshots.plot().axes
    low, high = panel.get_ylim()
    assert high - low < 3 * np.ptp(Y)
    assert (panel.lines[0].get_ydata() >= low).all()


def test_predictions_that_are_no_number_and_no_labels():
    model = linear()
    model.set_weights([np.full((4, 1), np.nan), np.zeros(1)])
    snapshots = fitted(model, X, Y, kt.PredictionSnapshots(X))
    assert snapshots.plot().axes


def test_the_task_can_be_said():
    y = (X[:, :1] > 0).astype("float32")
    model = linear(1, "sigmoid", "mse")
    snapshots = kt.PredictionSnapshots(X, y, task="regression")
    assert fitted(model, X, y, snapshots).plot().axes[0].get_title() == "epoch 1"
    fitted(model, X, y, kt.PredictionSnapshots(X, y, task="classification"))
    with pytest.raises(ValueError, match="task='segmentation'"):
        fitted(model, X, y, kt.PredictionSnapshots(X, y, task="segmentation"))


# --- the run ---


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


def test_the_file_grows_and_begins_anew(tmp_path):
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


def test_of_several_outputs_one_is_drawn(tmp_path):
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
    one = kt.PredictionSnapshots({"x": X}, y["place"], output="place")
    assert fitted(model, {"x": X}, y, one).plot().axes[0].get_title() == "epoch 1"
    with pytest.raises(ValueError, match="must be one of .*'kind'.*output='no'"):
        fitted(model, {"x": X}, y, kt.PredictionSnapshots({"x": X}, y, output="no"))
    some = kt.PredictionSnapshots({"x": X}, {"place": X[:, :2]}, output="kind")
    with pytest.warns(module.SnapshotWarning, match="those of the output 'kind'"):
        fitted(model, {"x": X}, y, some)


def test_lists_of_outputs():
    inputs = keras.Input((4,))
    outputs = [layers.Dense(2, name="a")(inputs), layers.Dense(1, name="b")(inputs)]
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(0.0), ["mse", "mse"])
    y = [X[:, :2], Y]
    snapshots = kt.PredictionSnapshots(X, y, output=model.output_names[1])
    panel = fitted(model, X, y, snapshots).plot().axes[0]
    assert np.allclose(panel.lines[0].get_xdata(), Y[:, 0])
    with pytest.warns(module.SnapshotWarning, match="2 outputs. Received: 3 arrays"):
        fitted(model, X, y, kt.PredictionSnapshots(X, [*y, Y]))


# --- where pictures go ---


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


def test_nothing_is_rendered_that_nobody_sees(monkeypatch):
    monkeypatch.setattr(module, "png_of", pytest.fail)
    fitted(linear(), X, Y, kt.PredictionSnapshots(X, Y))


def test_plot_saves(tmp_path):
    snapshots = kt.PredictionSnapshots(X, Y)
    with pytest.raises(ValueError, match="nothing to draw"):
        snapshots.plot()
    fitted(linear(), X, Y, snapshots).plot(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000


# --- training does not notice ---


def trained(callbacks, **kwargs):
    """The weights, and the numbers drawn, after a training with dropout and BN."""
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
    assert [one.category for one in caught].count(module.SnapshotWarning) == 1
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
    with pytest.warns(module.SnapshotWarning, match=match):
        history = model.fit(ROWS, ROWS, verbose=0, callbacks=[snapshots])
    assert len(history.history["loss"]) == 1


def test_names_that_do_not_fit_are_an_error_at_once():
    snapshots = kt.PredictionSnapshots(ROWS, IDS, class_names=["a", "b"])
    model = amplifier(3, "softmax", "categorical_crossentropy")
    with pytest.raises(ValueError, match="must have 3 names. Received: 2"):
        model.fit(ROWS, ROWS, verbose=0, callbacks=[snapshots])


def test_classes_of_sequences_are_no_picture():
    x = np.zeros((8, 5, 4), "float32")
    model = keras.Sequential(
        [keras.Input((5, 4)), layers.Dense(3, activation="softmax")]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    y = np.arange(40).reshape(8, 5) % 3
    with pytest.warns(module.SnapshotWarning, match="shape \\(8, 5, 3\\)"):
        model.fit(x, y, verbose=0, callbacks=[kt.PredictionSnapshots(x, y)])


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        kt.PredictionSnapshots(X, Y)
