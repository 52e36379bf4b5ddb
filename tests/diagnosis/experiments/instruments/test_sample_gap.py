"""Two samples of one structure are compared, input by input, output by output."""

import numpy as np
import pytest

from keras_trainfix.diagnosis.experiments.instruments.sample_gap import (
    sample_gap,
    validation_gap,
)
from keras_trainfix.diagnosis.observe.sample import Sample
from tests.diagnosis.nets import inputs, net, view

X = inputs(120)
IDS = np.arange(120) % 3


def test_inputs_by_name():
    first, second = {"a": X, "b": X}, {"b": 5 * X, "a": X}
    gap = sample_gap(Sample(first), Sample(second))
    assert gap.inputs["a"].scale == pytest.approx(1)
    assert gap.inputs["b"].scale == pytest.approx(5)
    assert (gap.labels, gap.numbers) == ({}, {})


def test_several_outputs():
    y = [IDS, X[:, :1]]
    gap = sample_gap(Sample(X, y), Sample(X, [np.eye(3)[IDS], 9 * X[:, :1]]))
    assert gap.labels["output"].codings == ("class ids", "one-hot rows")
    assert gap.numbers["output_1"].scale == pytest.approx(9)


def test_the_task_decides_what_whole_numbers_are():
    first, second = Sample(X, 1.0 * IDS), Sample(X, 10.0 * IDS)
    assert sample_gap(first, second).labels
    gap = sample_gap(first, second, ["regression"])
    assert gap.labels == {}
    assert gap.numbers["output"].scale == pytest.approx(10)


def test_what_one_lacks_is_left_out():
    assert sample_gap(Sample(X, IDS), Sample(X)).labels == {}
    words = np.array(["a"] * 120)
    assert sample_gap(Sample(words, IDS), Sample(words, IDS)).inputs == {}
    assert sample_gap(Sample(X, [IDS, None]), Sample(X, [IDS, IDS])).labels


def test_the_validation_data_of_fit():
    model = net(3, "softmax", "sparse_categorical_crossentropy")
    one = view(model, X, IDS, validation_data=(2 * X, IDS))
    assert validation_gap(one.snapshot).inputs["input"].scale == pytest.approx(2)
    assert validation_gap(view(model, X, IDS).snapshot) is None
    once = ((X, IDS) for _ in range(2))
    assert validation_gap(view(model, X, IDS, validation_data=once).snapshot) is None
    assert len(list(once)) == 2
