"""What several test files of the metrics share: data, a model, and calls."""

import contextlib
import math

import keras
import numpy as np
import pytest
from keras import ops

import keras_trainfix as kt
from keras_trainfix.backend import to_numpy
from tests.metrics.reference import confusion, scores

BACKEND = keras.backend.backend()
METRICS = [kt.MeanIoU, kt.DiceScore, kt.PixelAccuracy, kt.ConfusionMatrix]
every_metric = pytest.mark.parametrize("metric_class", METRICS)

# "jit" means XLA, which takes seconds for each model: one test a family has it. On
# torch it would mean torch.compile, which needs a C++ compiler at run time and which
# Keras does not use by default.
MODES = {
    "eager": {"run_eagerly": True},
    "graph": {"jit_compile": False},
    "jit": {"jit_compile": "auto" if BACKEND == "torch" else True},
}
# The cheapest mode in which the backend compiles: XLA is the only one of JAX.
COMPILED = MODES["graph" if BACKEND == "tensorflow" else "jit"]
IS_COMPILED = BACKEND != "torch"
by_mode = pytest.mark.parametrize("mode", MODES)

# --- data ---

# Scores are small multiples of 1/4, which any dtype holds: no rounding decides which
# is the highest. The biases differ, so no two of a pixel are equal.
RNG = np.random.default_rng(0)
X = RNG.integers(-1, 2, (8, 6, 5, 3)).astype("float32")
KERNEL = np.array([[1, 0, -1], [-1, 1, 1], [0, -1, 1]], "float32")
BIAS = np.array([0.25, 0.5, 0.75], "float32")
LOGITS = X @ KERNEL + BIAS
LABELS = RNG.integers(0, 3, (8, 6, 5))
LABELS[RNG.random(LABELS.shape) < 0.2] = 255
MATRIX = confusion(LABELS, LOGITS.argmax(-1), 3)
NAMES = ["sky", "road", "car"]


def labels_of(num_classes):
    return np.where(LABELS == 255, 255, LABELS % num_classes)


def ramp(*shape):
    """Scores that all differ."""
    return np.linspace(-1, 1, math.prod(shape), dtype="float32").reshape(shape)


# --- models ---


def still(y_true, y_pred):
    """A loss that moves no weight: `fit` counts the answers of `predict`."""
    return 0 * ops.mean(ops.reshape(y_pred, (ops.shape(y_pred)[0], -1)), axis=-1)


def net(channels=3, activation=None, shape=(6, 5), after=None):
    inputs = keras.Input((*shape, 3))
    head = keras.layers.Dense(channels, activation=activation)
    outputs = head(inputs)
    head.set_weights([KERNEL[:, :channels], BIAS[:channels]])
    return keras.Model(inputs, outputs if after is None else after(outputs))


def compiled_net(model, *metrics, **settings):
    model.compile("sgd", still, metrics=list(metrics), **settings)
    return model


def evaluate(model, *args, **kwargs):
    return model.evaluate(*args, verbose=0, return_dict=True, **kwargs)


def check(values, matrix=MATRIX):
    """`values`, a dict from `evaluate` or `fit`, are those of `matrix`."""
    expected = {"confusion_matrix": matrix.astype("int64"), **scores(matrix)}
    names = values.keys() - {"loss"}
    assert names
    for name in names:
        np.testing.assert_allclose(to_numpy(values[name]), expected[name], rtol=1e-6)


# --- calls ---


def tensor(values):
    return ops.convert_to_tensor(values)


def compiled(function):
    """`function` compiled by XLA; as it is on torch."""
    if BACKEND == "jax":
        import jax

        return jax.jit(function)
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=True)
    return function


def op_by_op():
    """A context in which JAX compiles each operation once, not each form of input."""
    if BACKEND != "jax":
        return contextlib.nullcontext()
    import jax

    return jax.disable_jit()


def counted(y_true, y_pred, num_classes, **options):
    """The confusion matrix of one batch."""
    metric = kt.ConfusionMatrix(num_classes, **options)
    metric.update_state(y_true, y_pred)
    return metric.confusion_matrix()


def update(y_true, y_pred, num_classes=3, sample_weight=None, **options):
    """`MeanIoU` after one batch."""
    metric = kt.MeanIoU(num_classes, **options)
    metric.update_state(np.asarray(y_true), np.asarray(y_pred), sample_weight)
    return metric


def updated(metric):
    metric.update_state(LABELS, LOGITS)
    return metric


def value_of(metric):
    return {metric.name: metric.result()}


def message(call, error=ValueError):
    """The text of the error that a call raises."""
    with pytest.raises(error, match="Received: ") as raised:
        call()
    return str(raised.value)
