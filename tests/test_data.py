import importlib.util

import keras
import numpy as np
import pytest

from keras_trainfix.data import (
    example_batches,
    input_batches,
    label_batches,
    labels,
    number_of_batches,
)

X = np.arange(20.0).reshape(10, 2)
Y = np.arange(10)


class Batches(keras.utils.PyDataset):
    def __init__(self, length=3):
        super().__init__()
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        part = slice(4 * index, 4 * index + 4)
        return X[part], Y[part]


class Endless(Batches):
    @property
    def num_batches(self):
        return None


def sources():
    yield "array", lambda: X
    yield "pair", lambda: (X, Y)
    yield "triple", lambda: (X, Y, Y)
    yield "PyDataset", Batches
    yield "list of pairs", lambda: [Batches()[i] for i in range(3)]
    yield "generator", lambda: (Batches()[i] for i in range(3))
    yield "tensor", lambda: keras.ops.convert_to_tensor(X)
    if importlib.util.find_spec("tensorflow"):
        yield "tf.data", tf_dataset
    if importlib.util.find_spec("torch"):
        yield "DataLoader", torch_loader


def tf_dataset():
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(4)


def torch_loader():
    import torch

    dataset = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
    return torch.utils.data.DataLoader(dataset, batch_size=4)


SOURCES = list(sources())


@pytest.mark.parametrize(("name", "make"), SOURCES)
def test_every_form_gives_the_same_batches(name, make):
    batches = [np.asarray(batch) for batch in input_batches(make(), batch_size=4)]
    assert [len(batch) for batch in batches] == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate(batches), X)
    expected = None if name == "generator" else 3
    assert number_of_batches(make(), batch_size=4) == expected


WITH_LABELS = [source for source in SOURCES if source[0] not in ("array", "tensor")]


@pytest.mark.parametrize(("name", "make"), WITH_LABELS)
def test_every_form_gives_the_same_labels(name, make):
    batches = [np.asarray(batch) for batch in label_batches(make(), batch_size=4)]
    assert [len(batch) for batch in batches] == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate(batches), Y)
    expected = None if name == "generator" else 3
    assert number_of_batches(make(), batch_size=4, part=labels) == expected


@pytest.mark.parametrize(("name", "make"), WITH_LABELS)
def test_every_form_gives_the_same_examples(name, make):
    batches = list(example_batches(make(), batch_size=4))
    assert [len(batch) for batch in batches] == [3 if name == "triple" else 2] * 3
    for i, expected in enumerate((X, Y, Y)[: len(batches[0])]):
        parts = [np.asarray(batch[i]) for batch in batches]
        assert [len(part) for part in parts] == [4, 4, 2]
        np.testing.assert_array_equal(np.concatenate(parts), expected)


def test_examples_without_labels_and_with_several_inputs():
    assert [len(batch) for batch in example_batches(X, batch_size=4)] == [1, 1, 1]
    (batch,) = example_batches(([X, X], Y, None))
    assert len(batch) == 2
    np.testing.assert_array_equal(batch[0][1], X)


def label_sources():
    yield "array", lambda: Y, [4, 4, 2]
    yield "1-tuple", lambda: (Y,), [4, 4, 2]
    yield "several inputs", lambda: (([X, X], Y)), [4, 4, 2]
    yield "list of different sizes", lambda: [Y[:3], Y[3:]], [3, 7]
    yield "generator", lambda: (Y[i : i + 5] for i in (0, 5)), [5, 5]
    if importlib.util.find_spec("tensorflow"):
        yield "tf.data", lambda: tf_dataset().map(lambda x, y: y), [4, 4, 2]
    if importlib.util.find_spec("torch"):
        import torch

        dataset = torch.utils.data.TensorDataset(torch.tensor(Y))
        loader = torch.utils.data.DataLoader(dataset, batch_size=4)
        yield "DataLoader", lambda: loader, [4, 4, 2]


@pytest.mark.parametrize(("name", "make", "sizes"), list(label_sources()))
def test_labels_may_come_alone(name, make, sizes):
    batches = [np.asarray(batch) for batch in label_batches(make(), batch_size=4)]
    assert [len(batch) for batch in batches] == sizes
    np.testing.assert_array_equal(np.concatenate(batches), Y)
    expected = None if name == "generator" else len(sizes)
    assert number_of_batches(make(), batch_size=4, part=labels) == expected


@pytest.mark.parametrize(
    ("data", "structure"),
    [
        ([X, Y], list),
        (([X, Y], Y), list),
        ({"a": X, "b": Y}, dict),
        (({"a": X, "b": Y}, Y), dict),
    ],
)
def test_several_inputs_are_cut_together(data, structure):
    batches = list(input_batches(data, batch_size=6))
    assert [type(batch) for batch in batches] == [structure] * 2
    for batch in batches:
        first, second = keras.tree.flatten(batch)
        np.testing.assert_array_equal(first[:, 0], second * 2)


def test_steps_ends_the_reading():
    assert len(list(input_batches(X, 4, steps=2))) == 2
    assert len(list(input_batches(X, 4, steps=9))) == 3
    assert len(list(input_batches(Endless(), steps=2))) == 2
    assert number_of_batches(X, 4, steps=2) == 2
    assert number_of_batches(Endless(), steps=2) == 2
    assert len(list(label_batches(Endless(), steps=2))) == 2


def test_a_generator_is_not_read_past_steps():
    generator = (X for _ in range(5))
    list(input_batches(generator, steps=2))
    assert len(list(generator)) == 3


@pytest.mark.parametrize("make", [Endless, lambda: tf_dataset().repeat()])
@pytest.mark.parametrize("read", [input_batches, label_batches])
def test_endless_data_need_steps(make, read):
    pytest.importorskip("tensorflow")
    with pytest.raises(ValueError, match="never ends: pass `steps`.*Received: data="):
        read(make())


@pytest.mark.parametrize(("name", "value"), [("steps", 0), ("batch_size", -1)])
def test_sizes_must_be_positive(name, value):
    with pytest.raises(
        ValueError, match=f"`{name}` must be a positive.*{name}={value}"
    ):
        input_batches(X, **{name: value})


def test_inputs_of_different_length():
    with pytest.raises(ValueError, match=r"same number of samples.*\(10, 2\).*\(3,\)"):
        list(input_batches([X, Y[:3]]))


@pytest.mark.parametrize("data", [3, None])
def test_what_is_no_data(data):
    with pytest.raises(TypeError, match=f"`data` must be arrays.*data={data}"):
        list(input_batches(data))
    with pytest.raises(TypeError, match=f"`data` must be arrays.*data={data}"):
        list(label_batches(data))
