"""What cannot be measured of a layer is left out; the rest is seen."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix.diagnosis.diagnose import diagnose
from keras_trainfix.diagnosis.observe.layer_outputs import layer_outputs
from tests.diagnosis.nets import inputs

pytestmark = pytest.mark.every_backend  # each has tensors of its own
X = inputs()
WORDS = np.array(["a good film", "bad", "not a good one", "so bad"] * 8)
IS_GOOD = np.array([1, 0, 1, 0] * 8)


class Odd(layers.Layer):
    """Gives something beside its output."""

    def __init__(self, beside):
        super().__init__()
        self.beside = beside

    def call(self, x):
        return x, self.beside(x)


class WithOdd(keras.Model):
    def __init__(self, beside):
        super().__init__()
        self.odd, self.head = Odd(beside), layers.Dense(1)

    def call(self, x):
        return self.head(self.odd(x)[0])


def scalar(x):
    return keras.ops.mean(x)


def ragged(x):
    import tensorflow as tf

    return tf.RaggedTensor.from_row_lengths(tf.range(3), [1, 2])


def sparse(x):
    import tensorflow as tf

    return tf.sparse.from_dense([[1.0, 0.0]])


def text(x):
    import tensorflow as tf

    return tf.strings.as_string(x)


ON_TF = pytest.mark.backend_only("tensorflow", reason="others have no such tensors")
BESIDE = [scalar, *(pytest.param(one, marks=ON_TF) for one in (ragged, sparse, text))]


@pytest.mark.parametrize("beside", BESIDE)
def test_what_is_no_array_of_numbers_is_left_out(beside):
    model = WithOdd(beside)
    model(X[:2])
    y, seen = layer_outputs(model, X)
    assert y.shape == (64, 1)
    shapes = [output.values.shape for output in seen]
    assert (64, 6) in shapes
    assert (64, 1) in shapes
    assert all(output.values.dtype.kind in "biuf" for output in seen)
    assert all(len(output.values) == 64 for output in seen)
    model.compile("adam", "mse")
    assert not diagnose(model, X, X[:, :1], fit=False).skipped


@pytest.mark.backend_only("tensorflow", reason="others have no tensors of text")
@pytest.mark.parametrize("length", [None, 5])
def test_a_model_of_text(length):
    vectorize = layers.TextVectorization(
        output_mode="int", output_sequence_length=length
    )
    vectorize.adapt(WORDS)
    model = keras.Sequential(
        [
            keras.Input((1,), dtype="string"),
            vectorize,
            layers.Embedding(20, 4, mask_zero=True),
            layers.GlobalAveragePooling1D(),
            layers.Dense(1, "sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    diagnosis = diagnose(model, WORDS[:, None], IS_GOOD)
    assert diagnosis.tasks == {"output": "binary classification"}
    assert not diagnosis.skipped
    assert not [f for f in diagnosis.findings if f.severity == "error"]
