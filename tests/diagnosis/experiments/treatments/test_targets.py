"""Targets in another order, exchanged, or on another scale."""

import keras
import numpy as np

from tests.diagnosis.experiments.benches import compiled, gains, mlp, pair, table

X, Y = table()


def two_branches():
    """An output for each of two inputs."""
    keras.utils.set_random_seed(1)
    inputs = [keras.Input((4,), name=name) for name in ("left", "right")]
    outputs = [
        keras.layers.Dense(1, name=name)(keras.layers.Dense(16, "relu")(x))
        for name, x in zip(("a", "b"), inputs, strict=True)
    ]
    return compiled(keras.Model(inputs, outputs), ["mse", "mse"])


@pair("outputs-swapped", cured=True, sound=False)
def test_outputs_swapped(is_swapped):
    x2, y2 = table(1)
    return two_branches(), [X, x2], [y2, Y] if is_swapped else [Y, y2]


def test_the_order_of_the_outputs_is_named():
    x2, y2 = table(1)
    (words,) = gains("outputs-swapped", two_branches(), [X, x2], [y2, Y], steps=2)
    assert words == "the targets in the order b, a"


def similar_is_zero(y_true, y_pred):
    """A contrastive loss: 0 pulls together, 1 pushes apart."""
    far = keras.ops.square(keras.ops.relu(1.0 - y_pred))
    return keras.ops.mean((1 - y_true) * keras.ops.square(y_pred) + y_true * far)


@pair("targets-exchanged", cured=True, sound=False)
def test_targets_exchanged(is_exchanged):
    rng = np.random.default_rng(0)
    left = rng.normal(size=(512, 4)).astype("float32")
    differs = rng.integers(0, 2, 512).astype("float32")
    right = np.where(differs[:, None], rng.normal(size=(512, 4)), left)
    keras.utils.set_random_seed(1)
    inputs = [keras.Input((4,)), keras.Input((4,))]
    body = keras.layers.Dense(8)
    difference = keras.layers.Subtract()([body(part) for part in inputs])
    distance = keras.layers.Lambda(
        lambda d: keras.ops.sqrt(
            keras.ops.sum(keras.ops.square(d), -1, keepdims=True) + 1e-6
        ),
        output_shape=(1,),
    )(difference)
    model = compiled(keras.Model(inputs, distance), similar_is_zero)
    y = 1 - differs if is_exchanged else differs
    return model, [left, right.astype("float32")], y[:, None]


@pair("targets-standardized", cured=1000.0, sound=1.0)
def test_targets_standardized(scale):
    return compiled(mlp()), X, Y * scale


def test_classes_have_no_scale_and_one_output_no_order():
    model = compiled(mlp(keras.layers.Dense(1)), "binary_crossentropy")
    y = (Y > 0).astype("float32")
    for name in ("outputs-swapped", "targets-exchanged", "targets-standardized"):
        assert gains(name, model, X, y) == {}


@pair("targets-turned", cured=True, sound=False)
def test_the_steps_of_a_sequence_the_other_way_round(is_reversed):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 6, 3)).astype("float32")
    y = x[..., :1] - x[..., 1:2]
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((6, 3)),
            keras.layers.Dense(8, "relu"),
            keras.layers.Dense(1),
        ]
    )
    return compiled(model), x, y[:, ::-1] if is_reversed else y


def test_columns_are_not_turned():
    model = compiled(mlp(units=4))
    assert gains("targets-turned", model, X, np.tile(Y, 4), steps=2) == {}
