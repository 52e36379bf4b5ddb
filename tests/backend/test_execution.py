"""Functions run compiled or not with the same result; sums over one replica."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_trainfix import backend
from keras_trainfix.backend import to_numpy
from keras_trainfix.backend.execution import MANY_LAYERS


@pytest.mark.parametrize("size", [1, 2**20])
def test_compiled(size):
    calls = []

    def function(x):
        calls.append(backend.is_concrete(x))
        return x * 2 + 1

    run = backend.compiled(function, size)
    for value in (3.0, 4.0):
        assert float(to_numpy(run(ops.convert_to_tensor(value)))) == 2 * value + 1
    is_compiled = keras.backend.backend() == "jax" or (
        keras.backend.backend() == "tensorflow" and size > 1
    )
    # A compiled function is traced once, without values.
    assert calls == ([False] if is_compiled else [True, True])


@pytest.mark.parametrize("size", [2, 2**19])
def test_run_compiled_traces_once_for_each_shape(size):
    calls = []

    def scaled(x, nothing, factor):
        calls.append(backend.is_concrete(x))
        assert nothing is None
        return x * factor

    is_compiled = keras.backend.backend() == "jax" or (
        keras.backend.backend() == "tensorflow" and size > 2
    )
    for shape in ((size,), (size,), (1, size)):
        x = ops.ones(shape)
        for factor in (2, 3):
            result = backend.run_compiled(scaled, (x, None), factor)
            assert (to_numpy(result) == factor).all()
    assert calls == ([False] * 4 if is_compiled else [True] * 6)


def test_only_jax_is_faster_in_one_piece():
    is_jax = keras.backend.backend() == "jax"
    assert backend.is_faster_in_one_piece(MANY_LAYERS + 1) == is_jax
    assert not backend.is_faster_in_one_piece(MANY_LAYERS)


@pytest.mark.backend_only("jax", reason="the others run it operation by operation")
def test_call_in_one_piece(rng):
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dense(4), layers.BatchNormalization()]
    )
    x = rng.normal(size=(8, 3)).astype("float32")
    before = model.get_weights()

    def training(x):
        return model(x, training=True)

    result = to_numpy(backend.call_in_one_piece(training, model.variables, x))
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(result, to_numpy(training(x)), rtol=1e-4, atol=1e-5)
    assert not np.array_equal(before[-1], model.get_weights()[-1])  # a plain call does


@pytest.mark.parametrize("add", [backend.sum_over_replicas, backend.sum_over_processes])
def test_sums_of_a_single_replica_and_process(add):
    """Those of several are in `tests/metrics/test_distributed.py`."""
    assert to_numpy(add(ops.convert_to_tensor([1.0, 2.0]))).tolist() == [1, 2]


@pytest.mark.backend_only("tensorflow", reason="it writes with tf.summary")
def test_write_summary(tmp_path, rng):
    import tensorflow as tf

    image = rng.integers(0, 256, (4, 6, 3)).astype("uint8")
    writer = tf.summary.create_file_writer(str(tmp_path))
    backend.write_summary(writer, "own", image, 7)
    (path,) = tmp_path.iterdir()
    # The event of a file after the first, which is its version.
    record = list(tf.data.TFRecordDataset(str(path)))[1].numpy()
    event = tf.compat.v1.Event.FromString(record)
    (value,) = event.summary.value
    assert (event.step, value.tag) == (7, "own")
    assert value.metadata.plugin_data.plugin_name == "images"
    width, height, encoded = value.tensor.string_val
    assert (width, height) == (b"6", b"4")
    np.testing.assert_array_equal(tf.io.decode_png(encoded).numpy(), image)


def test_softmaxes_are_seen_once_and_only_while_watched():
    seen = []
    x = keras.ops.ones((2, 3, 4))
    with backend.watched_softmax(lambda shape, axis: seen.append((shape, axis))):
        keras.ops.softmax(x, axis=1)
        keras.layers.Softmax()(x)
    keras.ops.softmax(x)
    assert seen == [((2, 3, 4), 1), ((2, 3, 4), -1)]


def test_the_backend_that_compiles_each_shape():
    assert backend.compiles_each_shape() == (keras.backend.backend() == "jax")
