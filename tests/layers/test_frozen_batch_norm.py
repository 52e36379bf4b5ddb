import inspect

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops
from keras.layers import BatchNormalization

from keras_trainfix import FrozenBatchNorm
from keras_trainfix.backend import to_numpy

HAS_RENORM = "renorm" in inspect.signature(BatchNormalization).parameters


def reference(x, weights, axis, epsilon):
    """The formula of the docstring, in float64."""
    shape = [1] * x.ndim
    shape[axis] = -1
    x, *rest = (np.asarray(array, "float64") for array in (x, *weights))
    gamma, beta, mean, variance = (array.reshape(shape) for array in rest)
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta


def with_weights(layer, input_shape, seed=0):
    """Builds `layer` with random gamma, beta, moving mean and moving variance."""
    if not layer.built:
        layer.build(input_shape)
    rng = np.random.default_rng(seed)
    channels = input_shape[layer.axis]
    weights = [
        rng.normal(1, 0.5, channels),
        rng.normal(0, 2, channels),
        rng.normal(0, 3, channels),
        rng.uniform(0.01, 4, channels),
    ]
    layer.set_weights(weights)
    return weights


@st.composite
def cases(draw):
    rank = draw(st.integers(2, 5))
    shape = [draw(st.integers(1, 4)) for _ in range(rank)]
    axis = draw(st.integers(1, rank - 1))
    return (
        tuple(shape),
        axis - draw(st.sampled_from([0, rank])),
        draw(st.sampled_from([1e-7, 1e-3, 0.1])),
        draw(st.integers(0, 10_000)),
        draw(st.booleans()),
    )


@given(cases())
def test_equals_the_formula_for_any_rank_axis_and_mode(case):
    shape, axis, epsilon, seed, training = case
    layer = FrozenBatchNorm(axis=axis, epsilon=epsilon)
    weights = with_weights(layer, shape, seed)
    x = np.random.default_rng(seed).normal(1, 3, shape).astype("float32")
    y = to_numpy(layer(x, training=training))
    expected = reference(x, weights, axis, epsilon)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4 * np.abs(x).max() * 10)


@given(cases())
def test_equals_keras_in_inference_bit_for_bit(case):
    shape, axis, epsilon, seed, training = case
    ours = FrozenBatchNorm(axis=axis, epsilon=epsilon)
    theirs = BatchNormalization(axis=axis, epsilon=epsilon)
    with_weights(ours, shape, seed)
    with_weights(theirs, shape, seed)
    x = np.random.default_rng(seed).normal(1, 3, shape).astype("float32")
    np.testing.assert_array_equal(
        to_numpy(ours(x, training=training)), to_numpy(theirs(x, training=False))
    )


class Shift(keras.layers.Layer):
    """Adds a trainable number to each input: its gradient is that of the inputs."""

    def build(self, input_shape):
        self.shift = self.add_weight(shape=input_shape[1:], initializer="zeros")

    def call(self, inputs):
        return inputs + self.shift


def test_gradients_are_those_of_an_affine_map(rng):
    x = rng.normal(2, 3, (6, 5, 4)).astype("float32")
    upstream = rng.normal(size=x.shape).astype("float32")
    layer = FrozenBatchNorm()
    shift = Shift()
    model = keras.Sequential([keras.Input((5, 4)), shift, layer])
    weights = with_weights(layer, (None, 5, 4))
    model.compile(
        keras.optimizers.SGD(1.0),
        loss=lambda y_true, y: ops.sum(y_true * y),
        run_eagerly=True,  # TensorFlow's graph of a loss so bare is wrong at times
    )
    model.train_on_batch(x, upstream)
    gamma, _, mean, variance = weights
    inverse = 1 / np.sqrt(variance + layer.epsilon)
    after = [to_numpy(w) for w in (layer.gamma, layer.beta, shift.shift)]
    expected = [
        gamma - (upstream * (x - mean) * inverse).sum((0, 1)),
        weights[1] - upstream.sum((0, 1)),
        -(upstream * gamma * inverse).sum(0),
    ]
    for got, want in zip(after, expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


def statistics(layer):
    return np.stack([to_numpy(layer.moving_mean), to_numpy(layer.moving_variance)])


def affine(layer):
    return np.stack([to_numpy(layer.gamma), to_numpy(layer.beta)])


@pytest.mark.parametrize("trainable", [True, False])
@pytest.mark.parametrize("recorded", [None, True, False])
def test_fit_moves_gamma_and_beta_only(rng, trainable, recorded):
    inputs = keras.Input((4,))
    layer = FrozenBatchNorm(trainable=trainable)
    outputs = keras.layers.Dense(1)(layer(inputs, training=recorded))
    model = keras.Model(inputs, outputs)
    with_weights(layer, (None, 4))
    model.compile("sgd", "mse")
    before, affine_before = statistics(layer), affine(layer)
    x = rng.normal(5, 2, (32, 4))
    model.fit(x, x[:, :1], epochs=2, verbose=0)
    model.train_on_batch(x, x[:, :1])
    np.testing.assert_array_equal(statistics(layer), before)
    moved = (affine(layer) != affine_before).all()
    assert moved == trainable


@pytest.mark.parametrize("policy", ["float16", "bfloat16", "mixed_float16"])
def test_computes_in_float32_or_wider(policy):
    layer = FrozenBatchNorm(dtype=policy)
    layer.build((None, 1))
    layer.moving_mean.assign([60000.0])
    x = ops.cast([[60000.0], [60128.0], [59904.0]], layer.compute_dtype)
    y = to_numpy(ops.cast(layer(x, training=True), "float32"))
    mean = float(to_numpy(ops.cast(layer.moving_mean, "float32"))[0])
    expected = (to_numpy(ops.cast(x, "float32")) - mean) / np.sqrt(1 + 1e-3)
    np.testing.assert_allclose(y, expected, rtol=1e-2, atol=0.1)


def test_computes_in_float64_under_that_policy():
    layer = FrozenBatchNorm(dtype="float64", epsilon=0.0)
    if keras.backend.backend() == "jax":
        pytest.skip("JAX has float64 in its 64-bit mode only")
    if keras.backend.result_type("float64", "float32") != "float64":
        pytest.skip("Keras promotes float64 to float32 on this backend")
    layer.build((None, 1))
    layer.moving_mean.assign([1e8])
    y = to_numpy(layer(ops.convert_to_tensor(np.array([[1e8 + 1e-3]]), "float64")))
    np.testing.assert_allclose(y, [[1e-3]], rtol=1e-4)


def test_a_dead_channel_stays_finite(rng):
    """A pretrained model in use has a channel with these statistics."""
    layer = FrozenBatchNorm()
    model = keras.Sequential([keras.Input((1,)), layer])
    layer.moving_mean.assign([-2e-35])
    layer.moving_variance.assign([1e-36])
    model.compile("sgd", "mse")
    x = np.concatenate([np.zeros((4, 1)), rng.normal(size=(4, 1)) * 1e-30])
    assert np.isfinite(model.train_on_batch(x, np.ones((8, 1))))
    assert np.isfinite(model.predict_on_batch(x)).all()
    assert np.isfinite(affine(layer)).all()


def test_large_means_do_not_harm_training(rng):
    """torch's batch variance goes negative here; no batch variance is computed."""
    layer = FrozenBatchNorm()
    model = keras.Sequential([keras.Input((4,)), layer])
    layer.moving_mean.assign([1e5] * 4)
    model.compile("sgd", "mse")
    x = (1e5 + rng.normal(size=(64, 4))).astype("float32")
    assert np.isfinite(model.train_on_batch(x, x * 0))
    assert np.isfinite(layer.get_weights()).all()


def test_masks_pass_through_and_change_nothing(rng):
    x = rng.normal(size=(2, 5, 1)).astype("float32")
    x[:, 3:] = 0.0
    layer = FrozenBatchNorm()
    masked = keras.layers.Masking()(x)
    y = layer(masked, training=True)
    assert (
        to_numpy(keras.src.backend.get_keras_mask(y)).tolist()
        == [[True] * 3 + [False] * 2] * 2
    )
    np.testing.assert_array_equal(to_numpy(y), to_numpy(layer(x)))


@pytest.mark.parametrize("axis", [4, -5])
def test_axis_out_of_range(axis):
    with pytest.raises(
        ValueError, match=rf"must be an axis of the inputs, from -4 to 3. .*{axis}"
    ):
        FrozenBatchNorm(axis=axis).build((None, 8, 8, 3))


def test_unknown_number_of_channels():
    with pytest.raises(ValueError, match="known number of channels.*axis=-1"):
        FrozenBatchNorm().build((None, 8, None))


def model_of(kinds):
    """A model with one normalization layer of each class in `kinds`."""
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(3) for _ in kinds]
    both = [layer for pair in zip(layers, kinds, strict=True) for layer in pair]
    return keras.Sequential([keras.Input((3,)), *both])


@pytest.mark.parametrize("suffix", ["weights.h5", "keras"])
@pytest.mark.parametrize(
    ("saved", "loaded"),
    [
        ("BBB", "FFF"),
        ("FFF", "BBB"),
        ("BBB", "BFB"),
        ("FBB", "BBB"),
        ("FBF", "BFB"),
    ],
)
def test_weights_files_load_both_ways(saved, loaded, suffix, tmp_path):
    """Also after a partial freeze, where every layer must get its own weights."""
    kinds = {"B": BatchNormalization, "F": FrozenBatchNorm}
    source = model_of([kinds[letter]() for letter in saved])
    source.set_weights([w + i for i, w in enumerate(source.get_weights())])
    target = model_of([kinds[letter]() for letter in loaded])
    path = tmp_path / f"model.{suffix}"
    if suffix == "keras":
        source.save(path)
    else:
        source.save_weights(path)
    target.load_weights(path)
    for a, b in zip(source.get_weights(), target.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_keeps_its_own_name_in_files_and_summaries(capsys):
    layer = FrozenBatchNorm()
    assert type(layer).__name__ == "FrozenBatchNorm"
    assert layer.name.startswith("frozen_batch_norm")
    config = keras.saving.serialize_keras_object(layer)
    assert config["class_name"] == "FrozenBatchNorm"
    assert config["registered_name"] == "keras_trainfix>FrozenBatchNorm"
    keras.Sequential([keras.Input((2,)), layer]).summary()
    assert "FrozenBatchNorm" in capsys.readouterr().out


def test_has_the_config_of_keras():
    ours, theirs = FrozenBatchNorm().get_config(), BatchNormalization().get_config()
    del ours["name"], theirs["name"]
    assert ours == theirs


@pytest.mark.skipif(not HAS_RENORM, reason="this Keras has no batch renormalization")
def test_renorm_keeps_all_its_statistics(rng):
    layer = FrozenBatchNorm(renorm=True)
    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile("sgd", "mse")
    before = [to_numpy(w) for w in layer.non_trainable_weights]
    assert len(before) == 5
    model.train_on_batch(rng.normal(4, 2, (16, 3)), np.zeros((16, 3)))
    for weight, old in zip(layer.non_trainable_weights, before, strict=True):
        np.testing.assert_array_equal(to_numpy(weight), old)
