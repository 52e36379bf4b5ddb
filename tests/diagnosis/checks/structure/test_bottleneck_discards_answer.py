"""Places where the answer is lost are found, and sound ones are not."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from tests.diagnosis.nets import inputs
from tests.diagnosis.single import answers, only, run, sequential

X = inputs()
Y = X[:, :1]
IDS = np.digitize(X[:, 0], [-0.5, 0.5])


@pytest.mark.parametrize("kind", ["dense", "conv", "layer"])
def test_a_relu_bottleneck(kind):
    parts = {
        "dense": [layers.Dense(1, "relu", bias_initializer="ones")],
        "conv": [layers.Conv1D(1, 1, activation="relu"), layers.Flatten()],
        "layer": [layers.Dense(1, bias_initializer="ones"), layers.ReLU()],
    }[kind]
    model = sequential(*parts, layers.Dense(3), shape=(6, 4))
    x = inputs(64, 24).reshape(64, 6, 4)
    finding = only("KTF411", model, x, x[:, :, :3])
    assert finding.severity == "warning"
    assert finding.evidence["units"] == 1


def test_what_is_no_bottleneck():
    image = keras.Input((6,))
    gate = layers.Dense(6, "sigmoid")(layers.Dense(1, "relu")(image))
    gated = keras.Model(image, layers.Dense(2)(layers.multiply([image, gate])))
    assert run("KTF411", gated, X, Y) is None
    assert run("KTF411", keras.Model(image, layers.Dense(2)(gate)), X, Y)
    head = layers.Dense(1, "relu")
    assert run("KTF411", sequential(head), X, Y) is None
    assert run("KTF411", sequential(head, layers.Dense(6)), X, Y)
    linear = sequential(layers.Dense(1), layers.Dense(6))
    assert run("KTF411", linear, X, Y) is None


def test_a_bottleneck_of_a_model_that_has_learned_is_a_note():
    narrow = layers.Dense(1, "relu", bias_initializer="ones")
    dropout = [layers.Dense(1), layers.Dropout(0.5)]
    for parts in ([narrow, layers.Dense(1)], dropout):
        model = sequential(*parts)
        assert run("KTF411", model, X, Y).severity == "warning"
        assert run("KTF411", model, X, answers(model, X)).severity == "note"


@pytest.mark.parametrize("last", [True, False])
def test_dropout_on_the_answers(last):
    parts = [layers.Dense(16, "relu"), layers.Dense(3), layers.Dropout(0.5)]
    parts += [] if last else [layers.Softmax()]
    model = sequential(*parts, loss="mse")
    finding = only("KTF411", model, X, np.eye(3)[IDS])
    assert finding.evidence == {"rate": 0.5}
    parts[1:3] = parts[2:0:-1]
    assert run("KTF411", sequential(*parts), X, np.eye(3)[IDS]) is None


def squares(samples=64, size=16, noise=0.0):
    """A bright square on each image, and its place, from -1 to 1."""
    rng = np.random.default_rng(1)
    x = rng.normal(0, noise, (samples, size, size, 1)).astype("float32")
    corners = rng.integers(0, size - 4, (samples, 2))
    for image, (row, column) in zip(x, corners, strict=True):
        image[row : row + 4, column : column + 4] += 1
    return x, ((corners + 2) / size * 2 - 1).astype("float32")


def pooled(
    *before, pooling=layers.GlobalAveragePooling2D, units=2, size=16, **settings
):
    before = before or [layers.Conv2D(8, 3, activation="relu") for _ in "123"]
    head = [layers.Dense(16, "relu"), layers.Dense(units)]
    return sequential(*before, pooling(), *head, shape=(size, size, 1), **settings)


@pytest.mark.parametrize("noise", [0.0, 0.1])
@pytest.mark.parametrize(
    "pooling", [layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D]
)
def test_global_pooling_before_positions(pooling, noise):
    x, y = squares(noise=noise)
    finding = run("KTF411", pooled(pooling=pooling), x, y)
    assert finding.severity == "warning"
    assert finding.evidence["explained"] > 0.9
    assert finding.evidence["positions"] == 2
    with_size = np.concatenate([y, np.random.default_rng(0).random(y.shape)], 1)
    finding = run("KTF411", pooled(pooling=pooling, units=4), x, with_size)
    assert (finding.evidence["positions"], finding.evidence["targets"]) == (2, 4)


def test_global_pooling_before_classes_that_are_places():
    x, y = squares()
    apart = (np.abs(y) > 0.25).all(1)
    x, quadrants = x[apart], (2 * (y[:, 0] > 0) + (y[:, 1] > 0))[apart]
    model = pooled(units=4, loss="sparse_categorical_crossentropy")
    finding = run("KTF411", model, x, quadrants)
    assert finding.severity == "warning"
    assert "the classes show where something is" in finding.message
    assert run("KTF411", model, x, np.arange(len(x)) % 4) is None


def test_global_pooling_behind_strides_that_has_not_helped():
    x, y = squares()
    strides = [layers.Conv2D(8, 3, 2, activation="relu") for _ in "12"]
    model = pooled(*strides)
    model.compile(keras.optimizers.Adam(0.0), "mse")
    model.fit(x, y, batch_size=1, epochs=4, verbose=0)
    assert run("KTF411", model, x, y).severity == "warning"


def test_global_pooling_that_is_fair():
    x, y = squares()
    brightness = np.random.default_rng(0).random((len(x), 1)).astype("float32")
    assert (
        run("KTF411", pooled(units=1), x * brightness[..., None, None], brightness)
        is None
    )
    strides = [layers.Conv2D(8, 3, 2, activation="relu") for _ in "12"]
    assert run("KTF411", pooled(*strides), x, y) is None  # it often works
    flat = pooled(*strides, pooling=layers.Flatten)
    assert run("KTF411", flat, x, y) is None
    wide = [layers.Conv2D(8, 7, padding="same") for _ in "12"]
    assert run("KTF411", pooled(*wide), x, y) is None  # sees the borders everywhere
    classes = pooled(units=3, loss="sparse_categorical_crossentropy")
    assert run("KTF411", classes, x, np.arange(len(x)) % 3) is None
    assert run("KTF411", pooled(), x[:8], y[:8]) is None
    assert run("KTF411", pooled(), x, y).severity == "warning"


def test_a_layer_that_adds_coordinates():
    class Coordinates(layers.Layer):
        def call(self, x):
            line = keras.ops.linspace(-1.0, 1.0, x.shape[1])
            column = keras.ops.reshape(line, (1, -1, 1, 1))
            row = keras.ops.reshape(line, (1, 1, -1, 1))
            ones = keras.ops.ones_like(x)
            return keras.ops.concatenate([x, ones * row, ones * column], -1)

    x, y = squares()
    assert run("KTF411", pooled(Coordinates(), layers.Conv2D(8, 1)), x, y) is None
    assert run("KTF411", pooled(layers.Conv2D(8, 1)), x, y).severity == "warning"


def test_a_branch_around_the_pooling():
    x, y = squares()
    image = keras.Input((16, 16, 1))
    features = layers.Conv2D(4, 3, activation="relu")(image)
    pooled_ones = layers.GlobalAveragePooling2D()(features)
    both = layers.concatenate([pooled_ones, layers.Flatten()(features)])
    for entry, is_found in ((both, False), (pooled_ones, True)):
        model = keras.Model(image, layers.Dense(2)(entry))
        model.compile("adam", "mse")
        assert bool(run("KTF411", model, x, y)) == is_found


@settings(max_examples=5, deadline=None)
@given(
    depth=st.integers(1, 3),
    width=st.integers(2, 16),
    padding=st.sampled_from(["same", "valid"]),
    seed=st.integers(0, 99),
)
def test_any_net_without_strides(depth, width, padding, seed):
    keras.utils.set_random_seed(seed)
    x, y = squares()
    convolutions = [layers.Conv2D(width, 3, padding=padding) for _ in range(depth)]
    assert run("KTF411", pooled(*convolutions), x, y).severity == "warning"


def test_images_of_which_nothing_moves():
    x = np.zeros((64, 12, 12, 1), "float32")
    x[:, :3, :3] = 1
    y = np.random.default_rng(0).integers(0, 3, 64)
    model = sequential(
        layers.Conv2D(4, 3, activation="relu"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(3, "softmax"),
        shape=(12, 12, 1),
        loss="sparse_categorical_crossentropy",
    )
    assert run("KTF411", model, x, y) is None
