"""Layers off, thawed, or with another axis or activation."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.diagnosis.experiments.benches import compiled, gains, mlp, pair, table

X, Y = table()


@pair("dropout-off", cured=0.95, sound=0.05)
def test_dropout_off(rate):
    return compiled(mlp(layers.Dropout(rate))), X, Y


def test_dropout_is_put_back():
    model = compiled(mlp(layers.Dropout(0.5)))
    assert len(gains("dropout-off", model, X, Y, steps=2)) == 1
    assert "call" not in vars(model.layers[1])


def images():
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 0.3, (256, 8, 8, 1))
    y = rng.integers(0, 2, 256).astype("int32")
    x[y == 1, 2:6, 2:6] += 0.5
    return x.astype("float32"), y


def brightened(value_range, factor=0.2):
    keras.utils.set_random_seed(1)
    brightness = layers.RandomBrightness(
        factor, value_range=value_range, name="brightness"
    )
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            brightness,
            layers.Flatten(),
            layers.Dense(8, "relu"),
            layers.Dense(2),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return compiled(model, loss)


@pair("augmentation-off", cured=(0, 255), sound=(0, 1))
def test_augmentation_off(value_range):
    return brightened(value_range), *images(), {"steps": 64}


@pair("augmentation-range", cured=(0, 255), sound=(0, 1))
def test_augmentation_range(value_range):
    return brightened(value_range), *images(), {"steps": 64}


def test_the_augmentation_is_named_and_put_back():
    model = brightened((0, 255))
    (words,) = gains("augmentation-off", model, *images(), steps=2)
    assert words == "the layer 'brightness' (RandomBrightness) off"
    (words,) = gains("augmentation-range", model, *images(), steps=2)
    assert words == "value_range=(0, 1) for the layer 'brightness'"
    assert list(model.layers[0].value_range) == [0, 255]


@pytest.mark.parametrize("scale", [1.0, 255.0])
def test_a_value_range_that_fits_the_images_stays(scale):
    x, y = images()
    model = brightened((0, scale))
    assert gains("augmentation-range", model, x * scale, y, steps=2) == {}


def attention(axis):
    """Pools steps with weights of a softmax."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((6, 4))
    scores = layers.Dense(1)(layers.Dense(8, "tanh")(inputs))
    weights = layers.Softmax(axis=axis, name="weights")(scores)
    pooled = layers.Flatten()(layers.Dot(axes=1)([weights, inputs]))
    return keras.Model(inputs, layers.Dense(1)(pooled))


@pair("softmax-axis", cured=-1, sound=1)
def test_softmax_over_another_axis(axis):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(512, 6, 4)).astype("float32")
    marked = rng.integers(0, 6, 512)
    x[..., 0] = 0
    x[np.arange(512), marked, 0] = 3
    y = x[np.arange(512), marked, 1:2]
    return compiled(attention(axis), rate=0.03), x, y


def masked_attention(is_inverted):
    """Attention over the steps that are not padding."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((8, 4))
    mask = inputs[:, None, :, 0] > 0.5
    if is_inverted:
        mask = keras.ops.logical_not(mask)
    y = layers.MultiHeadAttention(2, 8)(inputs, inputs, attention_mask=mask)
    return keras.Model(inputs, layers.Dense(1)(layers.GlobalAveragePooling1D()(y)))


@pair("attention-mask-inverted", cured=True, sound=False)
def test_the_attention_mask_inverted(is_inverted):
    rng = np.random.default_rng(0)
    x = 3 * rng.normal(size=(512, 8, 4)).astype("float32")
    x[..., 0] = 0
    x[:, :2, 0] = 1
    y = x[:, :2, 1].mean(1, keepdims=True)
    return compiled(masked_attention(is_inverted)), x, y


def bag(name):
    """A mean over tokens, which has no order."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((6,), dtype="int32"),
            layers.Embedding(6, 16, name=name),
            layers.Dense(32, "relu"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(32, "relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    return compiled(model, "binary_crossentropy")


@pair("positions-added", cured=True, sound=False)
def test_positions_added(counts_order):
    rng = np.random.default_rng(0)
    x = rng.integers(1, 6, (512, 6)).astype("int32")
    y = x[:, 0] > x[:, -1] if counts_order else x.mean(1) > 3
    return bag("tokens"), x, y.astype("float32")


def test_the_embedding_behind_which_positions_are_added_is_named():
    x = np.random.default_rng(0).integers(1, 6, (64, 6)).astype("int32")
    (words,) = gains("positions-added", bag("words"), x, x[:, 0] > 3, steps=2)
    assert words == "positions added behind 'words'"


@pair("all-trainable", cured=True, sound=False)
def test_all_trainable(is_frozen):
    model = mlp_with_frozen()
    model.layers[1].trainable = not is_frozen
    return compiled(model), X, Y


def mlp_with_frozen():
    """A frozen layer that lets nothing through."""
    narrow = layers.Dense(
        1, "relu", kernel_initializer=keras.initializers.Constant(0.001)
    )
    model = mlp(narrow, layers.Dense(16, "relu"))
    narrow.trainable = False
    return model


def test_frozen_layers_stay_frozen_afterwards():
    model = compiled(mlp_with_frozen())
    gains("all-trainable", model, X, Y, steps=4)
    assert [layer.trainable for layer in model.layers] == [True, False, True, True]
