"""The shapes of labels and predictions decide the form of labels, or do not fit."""

import numpy as np
import pytest

from keras_trainfix.labels import read_labels
from tests.labels.reference import array, compiled, tensor


@pytest.mark.parametrize(
    ("labels", "predictions", "axis", "sparse"),
    [
        ((4,), (4, 3), -1, True),
        ((4, 1), (4, 3), -1, True),
        ((4, 3), (4, 3), -1, False),
        ((4,), (4,), -1, True),  # binary, y_pred without a class axis
        ((4, 1), (4,), -1, True),
        ((4,), (4, 1), -1, True),
        ((4, 1), (4, 1), -1, True),
        ((4,), (4,), 1, True),
        ((2, 5, 6), (2, 5, 6, 1), -1, True),
        ((2, 3, 3), (2, 3, 3), -1, False),  # (N, W, C) where W == C
        ((2, 3), (2, 3, 3), -1, True),
        ((2, 3, 3), (2, 3, 3, 3), -1, True),
        ((2, 5, 6, 1), (2, 3, 5, 6), 1, True),
        ((2, 1, 5, 6), (2, 3, 5, 6), 1, True),
        ((2, 3, 5, 6), (2, 3, 5, 6), 1, False),
        ((2, 1, 1, 1), (2, 3, 1, 1), 1, True),
        ((2, 3, 1), (2, 3, 1), 1, False),
    ],
)
def test_the_shapes_decide_the_form(labels, predictions, axis, sparse):
    def read(y):
        found = read_labels(y, predictions, axis=axis, multi_label=True)
        assert found.sparse == sparse
        return found.values, found.valid

    for run in (read, compiled(read)):
        values, valid = run(tensor(np.ones(labels, "int32")))
        assert array(values).sum() == array(values).size == np.prod(labels)
        assert array(valid).all()


@pytest.mark.parametrize(
    ("labels", "predictions", "axis", "expected"),
    [
        ((4, 5), (4, 3), -1, r"shape \(4,\) or \(4, 1\) \(sparse\) or \(4, 3\) \(one"),
        ((5,), (4, 3), -1, r"shape \(4,\)"),
        ((5,), (4,), -1, r"shape \(4,\) or \(4, 1\) \(sparse\) for this"),
        ((4, 2), (4,), -1, r"shape \(4,\) or \(4, 1\) \(sparse\) for this"),
        ((2, 5, 6, 1), (2, 5, 6), -1, "Keep the last axis of `y_pred`, of"),
        ((), (), -1, "not its first axis"),
        ((2, 5, 6), (2, 6, 6), -1, r"\(2, 6, 6\) \(one-hot\)"),
        ((2, 5, 6, 3), (2, 5, 6, 1), -1, r"\(2, 5, 6, 1\) \(sparse\) for this"),
        ((2, 5, 6, 3), (2, 3, 5, 6), 1, "keras.ops.moveaxis"),
        ((2, 6, 5), (2, 5, 6, 3), -1, "as many outputs"),
        ((2, 3), (2, 3), 0, "not its first axis"),
        ((2, 3), (2, 3), 2, "not its first axis"),
        ((2, 3), (2, 3), -3, "not its first axis"),
    ],
)
def test_shapes_that_do_not_fit(labels, predictions, axis, expected):
    received = f"Received: y_true.shape={labels}, y_pred.shape={predictions}, "
    with pytest.raises(ValueError, match=expected) as error:
        read_labels(np.zeros(labels), predictions, axis=axis)
    assert received + f"axis={axis}." in str(error.value)


@pytest.mark.backend_only("tensorflow", reason="only it compiles for unknown sizes")
@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_unknown_sizes_are_read_where_the_class_axis_is_known(dtype):
    import tensorflow as tf

    def read(shape, predictions, **arguments):
        @tf.function(input_signature=[tf.TensorSpec(shape, dtype)])
        def function(y):
            return tuple(read_labels(y, predictions, **arguments))

        return function

    y = np.array([[[1, 255], [2, 0]]], dtype)
    for shape in ((None, None, None), (1, 2, None)):
        values, valid, _ = read(shape, (None, None, None, 3))(y)
        np.testing.assert_array_equal(values, [[[1, 0], [2, 0]]])
        np.testing.assert_array_equal(valid, [[[True, False], [True, True]]])
    values, _, _ = read((None, None, None, 1), (None, None, None, 3))(y[..., None])
    np.testing.assert_array_equal(values, [[[1, 0], [2, 0]]])
    values, _, _ = read((None, 1, None), (None, 3, None), axis=1)(y[:, :1])
    np.testing.assert_array_equal(values, [[1, 0]])
    with pytest.raises(ValueError, match=r"sizes of the class axis.*shape=\(None, No"):
        read((None, None, None), (None, None, 3))(y)
    with pytest.raises(ValueError, match=r"must be known when.*y_pred.shape=\(None, N"):
        read((None, None), (None, None, None))(y[0])
    with pytest.raises(ValueError, match=r"number of axes of `y_true`.*Received: sha"):
        read(None, (None, None, 3))(y)
