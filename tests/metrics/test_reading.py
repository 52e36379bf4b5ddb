"""Labels of every form and dtype are the same labels."""

import keras
import numpy as np
from hypothesis import given

import keras_trainfix as kt
from tests.metrics.helpers import counted, evaluate, op_by_op
from tests.metrics.reference import cases, confusion


@given(case=cases())
def test_every_form_of_labels_gives_the_counts_of_a_loop_over_pixels(case):
    for labels in case.forms().values():
        with op_by_op():
            matrix = counted(labels, case.scores, 5, ignore_class=case.ignored)
        assert matrix.dtype == "int64"
        assert (matrix == case.matrix).all()


def test_pixels_hidden_by_a_keras_mask_are_void():
    model = keras.Sequential(
        [
            keras.Input((7,), dtype="int32"),
            keras.layers.Embedding(5, 4, mask_zero=True),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    words = np.array([[1, 2, 3, 0, 0, 0, 0], [4, 3, 2, 1, 1, 0, 0]])
    labels = np.array([[0, 1, 2, 0, 0, 0, 0], [2, 255, 0, 1, 1, 0, 0]])
    metric = kt.MeanIoU(3)
    model.compile(loss=kt.MaskedCrossentropy(), metrics=[metric], run_eagerly=True)
    evaluate(model, words, labels)
    hidden = np.where(words == 0, 255, labels)
    expected = confusion(hidden, model.predict(words, verbose=0).argmax(-1), 3)
    np.testing.assert_array_equal(metric.confusion_matrix(), expected)
