"""No dtype turns a label into another."""

import keras
import numpy as np
import pytest

from keras_trainfix.labels import class_ids, read_labels
from tests.labels.reference import BACKEND, array, compiled, tensor


@pytest.mark.parametrize("dtype", ["uint32", "int64", "uint64"])
def test_no_label_wraps_around_to_another(dtype):
    wrapping = [2**32 + 1, 2**33, 2**32 - 1, 2**31 - 1]
    if dtype == "uint64":
        wrapping += [2**64 - 1, 2**63 + 2]
    if dtype == "uint32":
        wrapping = wrapping[2:]
    y = np.array([0, 1, 2, *wrapping], dtype)

    def read(y):
        labels = read_labels(y, (len(y), 3), ignore_class=-1, check=False)
        return labels.valid, labels.invalid

    runs = [lambda: read(y)]
    if BACKEND == "tensorflow" or (BACKEND == "torch" and dtype == "int64"):
        runs += [lambda: read(tensor(y)), lambda: compiled(read)(tensor(y))]
    if BACKEND == "jax" and dtype == "uint32":
        runs += [lambda: compiled(read)(y)]
    for run in runs:
        valid, invalid = map(array, run())
        assert valid.tolist() == [True] * 3 + [False] * len(wrapping)
        assert invalid.tolist() == [False] * 3 + [True] * len(wrapping)
    with pytest.raises(ValueError, match=f"{len(wrapping)} other lab.*4294967295 "):
        read_labels(y, (len(y), 3), ignore_class=-1)


@pytest.mark.backend_only("torch", reason="the others convert such arrays themselves")
@pytest.mark.parametrize("dtype", ["uint16", "uint32", "uint64"])
def test_unsigned_torch_tensors(dtype):
    import torch

    y = torch.tensor([2, 0, 255], dtype=torch.int32).to(getattr(torch, dtype))
    assert array(read_labels(y, (3, 3)).values).tolist() == [2, 0, 0]


def test_255_is_not_minus_1():
    labels = read_labels(np.array([0, 255], "uint8"), (2, 256), ignore_class=-1)
    assert array(labels.valid).all()
    rows = np.array([[0, 1], [255, 0]], "uint8")
    labels = read_labels(rows, (2, 2), ignore_class=-1, check=False)
    assert array(labels.invalid).tolist() == [False, True]


def test_int64_rows_do_not_wrap():
    rows = np.array([[0, 1], [2**32 + 1, 0]])
    labels = read_labels(rows, (2, 2), check=False)
    assert array(labels.invalid).tolist() == [False, True]


@pytest.mark.parametrize(
    ("dtype", "classes", "ignore_class", "limit"),
    [
        ("bfloat16", 258, 255, 256),
        ("bfloat16", 10, (255, 999), 256),
        ("bfloat16", 10, -257, 256),
        ("float16", 2050, None, 2048),
        ("float16", 10, 65535, 2048),
        ("float32", 10, 2**24 + 1, 2**24),
    ],
)
def test_dtypes_that_round_labels_are_refused(dtype, classes, ignore_class, limit):
    y = tensor(np.zeros(2), dtype)
    expected = (
        f"{dtype} rounds whole numbers above {limit}. Received: y_true.dtype={dtype}, "
        f"num_classes={classes}, ignore_class="
    )

    def read(y):
        return read_labels(y, (2, classes), ignore_class=ignore_class).values

    for run in (read, compiled(read)):
        with pytest.raises(ValueError, match="holds every class and ign") as error:
            run(y)
        assert expected in str(error.value)
        assert "Keep labels as integers, or as float32." in str(error.value)


def test_the_limits_themselves_are_held():
    y = tensor(np.array([256, 255]), "bfloat16")
    labels = read_labels(y, (2, 257), ignore_class=255)
    assert array(labels.values).tolist() == [256, 0]
    y = tensor(np.array([2048, 2047]), "float16")
    assert array(read_labels(y, (2, 2049)).values).tolist() == [2048, 2047]


def test_narrow_rows_may_have_many_classes():
    rows = tensor(np.eye(999)[[998, 997]], "bfloat16")
    labels = read_labels(rows, (2, 999))
    assert keras.backend.standardize_dtype(labels.values.dtype) == "float32"
    assert array(class_ids(labels)).tolist() == [998, 997]
