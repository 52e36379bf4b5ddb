"""Layers off, thawed, or with another axis or activation."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix.diagnosis.thresholds import EFFECT
from tests.diagnosis.experiments.benches import compiled, gains, mlp, table

X, Y = table()


@pytest.mark.parametrize(("rate", "cures"), [(0.95, True), (0.05, False)])
def test_dropout_off(rate, cures):
    model = compiled(mlp(layers.Dropout(rate)))
    (value,) = gains("dropout-off", model, X, Y).values()
    assert (value > EFFECT) == cures
    assert "call" not in vars(model.layers[1])


def images():
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 0.3, (256, 8, 8, 1))
    y = rng.integers(0, 2, 256).astype("int32")
    x[y == 1, 2:6, 2:6] += 0.5
    return x.astype("float32"), y


@pytest.mark.parametrize(("value_range", "cures"), [((0, 255), True), ((0, 1), False)])
def test_augmentation_off(value_range, cures):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.RandomBrightness(0.2, value_range=value_range, name="brightness"),
            layers.Flatten(),
            layers.Dense(8, "relu"),
            layers.Dense(2),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    ((words, value),) = gains(
        "augmentation-off", compiled(model, loss), *images(), steps=64
    ).items()
    assert words == "the layer 'brightness' (RandomBrightness) off"
    assert (value > EFFECT) == cures


def attention(axis):
    """Pools steps with weights of a softmax."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((6, 4))
    scores = layers.Dense(1)(layers.Dense(8, "tanh")(inputs))
    weights = layers.Softmax(axis=axis, name="weights")(scores)
    pooled = layers.Flatten()(layers.Dot(axes=1)([weights, inputs]))
    return keras.Model(inputs, layers.Dense(1)(pooled))


@pytest.mark.parametrize(("axis", "cures"), [(-1, True), (1, False)])
def test_softmax_over_another_axis(axis, cures):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(512, 6, 4)).astype("float32")
    marked = rng.integers(0, 6, 512)
    x[..., 0] = 0
    x[np.arange(512), marked, 0] = 3
    y = x[np.arange(512), marked, 1:2]
    found = gains("softmax-axis", compiled(attention(axis), rate=0.03), x, y)
    assert (max(found.values()) > EFFECT) == cures


def masked_attention(is_inverted):
    """Attention over the steps that are not padding."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((8, 4))
    mask = inputs[:, None, :, 0] > 0.5
    if is_inverted:
        mask = keras.ops.logical_not(mask)
    y = layers.MultiHeadAttention(2, 8)(inputs, inputs, attention_mask=mask)
    return keras.Model(inputs, layers.Dense(1)(layers.GlobalAveragePooling1D()(y)))


@pytest.mark.parametrize("is_inverted", [True, False])
def test_the_attention_mask_inverted(is_inverted):
    rng = np.random.default_rng(0)
    x = 3 * rng.normal(size=(512, 8, 4)).astype("float32")
    x[..., 0] = 0
    x[:, :2, 0] = 1
    y = x[:, :2, 1].mean(1, keepdims=True)
    model = compiled(masked_attention(is_inverted))
    (value,) = gains("attention-mask-inverted", model, x, y).values()
    assert (value > EFFECT) == is_inverted


@pytest.mark.parametrize("counts_order", [True, False])
def test_positions_added(counts_order):
    rng = np.random.default_rng(0)
    x = rng.integers(1, 6, (512, 6)).astype("int32")
    y = x[:, 0] > x[:, -1] if counts_order else x.mean(1) > 3
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((6,), dtype="int32"),
            layers.Embedding(6, 16, name="tokens"),
            layers.Dense(32, "relu"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(32, "relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model = compiled(model, "binary_crossentropy")
    ((words, value),) = gains("positions-added", model, x, y.astype("float32")).items()
    assert words == "positions added behind 'tokens'"
    assert (value > EFFECT) == counts_order


@pytest.mark.parametrize("is_frozen", [True, False])
def test_all_trainable(is_frozen):
    model = mlp(layers.Dense(16, "relu", kernel_initializer="zeros"))
    model.layers[1].trainable = not is_frozen
    if not is_frozen:
        assert gains("all-trainable", compiled(model), X, Y) == {}
        return
    (value,) = gains("all-trainable", compiled(mlp_with_frozen()), X, Y).values()
    assert value > EFFECT


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


def test_statistics_frozen_only_after_training():
    model = compiled(mlp(layers.BatchNormalization()))
    assert gains("statistics-frozen", model, X, Y, steps=4) == {}
    model.fit(X, Y, epochs=1, verbose=0)
    assert len(gains("statistics-frozen", model, X, Y, steps=4)) == 1
