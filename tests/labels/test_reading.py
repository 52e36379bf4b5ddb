"""Labels of every form are read as a loop over the pixels reads them."""

import keras
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from keras import ops

from keras_trainfix.labels import (
    Labels,
    class_ids,
    class_rows,
    count_invalid,
    ignored_ids,
    mask_predictions,
    read_labels,
)
from tests.labels.reference import (
    BACKEND,
    EXACT,
    FLOATS,
    INTEGERS,
    array,
    compiled,
    reference,
    tensor,
)

# --- random label maps ---


@st.composite
def cases(draw):
    """`y_true` as it arrives, the shape of `y_pred`, the arguments, the reference."""
    rank = draw(st.integers(0, 3))
    sizes = st.sampled_from([1, 2, 5])
    pixels = (draw(st.integers(1, 4)), *draw(st.tuples(*[sizes] * rank)))
    channels = draw(st.one_of(st.integers(1, 4), st.integers(1, 150)))
    form = draw(st.sampled_from(["sparse", "channel", "one-hot", "soft"]))
    dtype = draw(st.sampled_from(INTEGERS + FLOATS))
    axis = draw(st.sampled_from([-1, 1]))
    multi_label = draw(st.booleans())
    ids = st.sampled_from([255, -1, 0, 1, channels - 1, channels // 2, channels, 999])
    ignore_class = draw(st.one_of(st.none(), ids, st.lists(ids, max_size=3).map(tuple)))
    ignored = ignored_ids(ignore_class)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    rows = form in ("one-hot", "soft") and channels > 1
    if dtype in EXACT:
        largest = max([0 if rows else channels - 1, *map(abs, ignored)])
        assume(largest <= EXACT[dtype])
        low, high = -EXACT[dtype], EXACT[dtype]
    else:
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    fitting = [index for index in ignored if low <= index <= high] or [0]
    strange = [v for v in (-1, -3, 77, 151, 255) if low <= v <= high]
    shares = st.sampled_from([0.0, 0.1, 0.5, 1.0])
    is_void = rng.random(pixels) < draw(shares)
    is_strange = rng.random(pixels) < draw(st.sampled_from([0.0, 0.0, 0.2]))

    y = rng.integers(0, min(max(channels, 2), high + 1), pixels)
    if rows:
        y = np.eye(channels)[y]
        if form == "soft" and dtype in EXACT:
            y = rng.dirichlet(np.ones(channels), pixels)
        y[is_void] = 0
        mark = is_void & (rng.random(pixels) < 0.5)
        y[mark, rng.integers(channels)] = rng.choice(fitting)
        y[is_strange, rng.integers(channels)] = rng.choice(strange)
    else:
        y = np.where(is_void, rng.choice(fitting, pixels), y)
        if form == "soft" and channels == 1 and dtype in EXACT:
            y = np.where(is_void, y, rng.random(pixels))
        y = np.where(is_strange, rng.choice(strange, pixels), y)
    kind = "rows" if rows else "labels"
    if channels == 1 and dtype in EXACT:
        kind = "probability"

    if dtype == "bfloat16":
        arrived = tensor(y, "bfloat16")
        y = array(ops.cast(arrived, "float32"))
    else:
        y = arrived = y.astype(dtype)
        # torch has no tensors of some unsigned types
        if BACKEND != "torch" or dtype not in ("uint32", "uint64"):
            y = y if dtype != "float64" else array(tensor(y))
            arrived = tensor(y) if draw(st.booleans()) else y
    shape = (*pixels, channels)
    if axis == 1:
        shape = (pixels[0], channels, *pixels[1:])
    if rows:
        library = np if isinstance(arrived, np.ndarray) else ops
        arrived = library.moveaxis(arrived, -1, axis)
    elif form == "channel":
        library = np if isinstance(arrived, np.ndarray) else ops
        arrived = library.expand_dims(arrived, draw(st.sampled_from([-1, axis])))
    expected = reference(y, kind, channels, ignored, multi_label)
    arguments = {"ignore_class": ignore_class, "axis": axis}
    arguments["multi_label"] = multi_label
    return arrived, shape, arguments, kind, expected


@given(cases())
def test_agrees_with_a_loop_over_the_pixels(case):
    check_reading(case, run=lambda read: read)


@pytest.mark.backend_only("tensorflow", "jax", reason="torch runs it unchanged")
@settings(max_examples=max(1, settings().max_examples // 3))  # each is a trace
@given(cases())
def test_compiled_code_agrees_with_a_loop_over_the_pixels(case):
    check_reading(case, run=compiled)


def check_reading(case, run):
    y_true, shape, arguments, kind, (values, valid, invalid) = case
    axis, channels = arguments["axis"], shape[arguments["axis"]]

    def read(y):
        labels = read_labels(y, shape, **arguments, check=False)
        ids, rows = class_ids(labels, axis), class_rows(labels, channels, axis)
        return labels.values, labels.valid, labels.invalid, ids, rows

    got = run(read)(y_true)
    dtypes = [keras.backend.standardize_dtype(part.dtype) for part in got]
    assert dtypes[1:4] == ["bool", "bool", "int32"]
    assert dtypes[0] in (["int32"] if kind == "labels" else FLOATS[2:])
    assert dtypes[4] in FLOATS[2:]
    found, found_valid, found_invalid, ids, rows = map(array, got)
    np.testing.assert_array_equal(found_valid, valid)
    np.testing.assert_array_equal(found_invalid, invalid)
    if kind != "labels":
        assert found.shape == shape
        found = np.moveaxis(found, axis, -1).reshape(values.shape)
    np.testing.assert_array_equal(found, values)
    assert rows.shape == shape
    rows = np.moveaxis(rows, axis, -1)
    for at in np.ndindex(*valid.shape):
        check_one_pixel(values[at], kind, valid[at], ids[at], rows[at].tolist())

    if invalid.any():
        with pytest.raises(ValueError, match=f"Received: {invalid.sum()} other label"):
            read_labels(y_true, shape, **arguments)
    else:
        read_labels(y_true, shape, **arguments)


def check_one_pixel(value, kind, valid, index, row):
    if not valid:
        assert index == 0
        assert not any(row)
    elif len(row) == 1:
        assert row == [value]
        assert index == (value > 0.5)
    elif kind == "labels":
        assert index == value
        assert row == [float(channel == value) for channel in range(len(row))]
    else:
        assert row == list(value)
        assert index == row.index(max(row))


def test_compiled_code_counts_labels_that_eager_code_refuses():
    def read(y, rows):
        labels = read_labels(y, (4, 3), ignore_class=(255, 1))
        soft = read_labels(rows, (4, 3), ignore_class=(255, 1))
        found = (labels.values, labels.valid, count_invalid(labels))
        return (*found, soft.valid, count_invalid(soft))

    if BACKEND == "torch":
        import torch

        if tuple(map(int, keras.__version__.split(".")[:2])) < (3, 15):
            pytest.skip("torch.compile stops at the tree functions of older Keras")
        run = torch.compile(read, backend="eager", fullgraph=True)
    elif BACKEND == "tensorflow":
        import tensorflow as tf

        run = tf.function(read, jit_compile=True)
    else:
        run = compiled(read)
    rows = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0], [np.nan, 0, 0]], "float32")
    found = [
        array(part).tolist() for part in run(tensor([2, 7, 255, -1]), tensor(rows))
    ]
    assert found[:3] == [[2, 0, 0, 0], [True, False, False, False], 2]
    assert found[3:] == [[True, False, False, False], 1]


# --- void and invalid rows ---


def test_an_invalid_value_does_not_hide_behind_the_arg_max():
    labels = read_labels(np.array([[7.0, 0.0]]), (1, 2), ignore_class=0, check=False)
    assert bool(array(labels.invalid)[0])


@pytest.mark.parametrize(
    ("row", "ignore_class", "multi_label", "valid"),
    [
        ([0, 0, 0], None, False, False),
        ([0, 0, 0], None, True, True),
        ([0, 0, 0], 0, True, True),  # it has no arg-max
        ([1, 0, 0], 0, True, False),
        ([0, 1, 0], 0, False, True),
        ([0, 1, 0], (5, 1), False, False),
        ([0.2, 0.3, 0.5], 2, False, False),
        ([0, 255, 0], 255, True, False),
        ([255, 255, 255], (0, 255), False, False),
        ([0.0], 0, True, False),
        ([0.5], 0, False, False),
        ([0.5], 1, False, True),
        ([0.75], 1, False, False),
        ([255.0], 255, False, False),
    ],
)
def test_rows_that_are_void_or_not(row, ignore_class, multi_label, valid):
    def read(y):
        shape = (1, len(row))
        return read_labels(
            y, shape, ignore_class=ignore_class, multi_label=multi_label
        ).valid

    for run in (read, compiled(read)):
        assert array(run(tensor([row]))).tolist() == [valid]


@pytest.mark.parametrize("name", ["nan", "inf"])
def test_rows_with_nan_or_inf_are_void_only_next_to_an_ignored_id(name):
    rows = np.array([[float(name), 0.0], [float(name), 255.0]])
    labels = read_labels(rows, (2, 2), check=False)
    assert array(labels.invalid).tolist() == [True, False]
    assert np.isfinite(array(labels.values)).all()


# --- masking ---


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("axis", [-1, 1])
def test_values_under_void_are_0(rng, dtype, axis):
    y_pred = rng.normal(size=(2, 4, 4, 4)).astype("float32")
    valid = rng.random((2, 4, 4)) < 0.5
    mask = np.expand_dims(valid, axis) & np.ones_like(y_pred, bool)
    y_pred[~mask] = rng.choice([np.nan, np.inf, -np.inf], (~mask).sum())
    y_pred = tensor(y_pred, dtype)

    def mask_on_axis(y_pred, valid):
        return mask_predictions(y_pred, valid, axis)

    for run in (mask_on_axis, compiled(mask_on_axis)):
        masked = run(y_pred, tensor(valid))
        assert keras.backend.standardize_dtype(masked.dtype) == dtype
        masked = array(ops.cast(masked, "float32"))
        assert (masked[~mask] == 0).all()
        expected = array(ops.cast(y_pred, "float32"))[mask]
        np.testing.assert_array_equal(masked[mask], expected)


def gradient(function, x):
    if BACKEND == "jax":
        import jax

        return jax.grad(function)(x)
    if BACKEND == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(x)
            value = function(x)
        return tape.gradient(value, x)
    x = x.clone().requires_grad_()
    function(x).backward()
    return x.grad


def test_the_gradient_under_void_is_exactly_zero(rng):
    y_pred = rng.normal(size=(3, 5)).astype("float32")
    valid = np.array([True, False, False])
    clean = array(
        gradient(lambda x: ops.sum(ops.log_softmax(x)[:1, 2]), tensor(y_pred))
    )
    y_pred[1], y_pred[2] = np.nan, np.inf

    def loss(x):
        log = ops.log_softmax(mask_predictions(x, valid))
        return ops.sum(ops.where(tensor(valid), -log[:, 2], 0)) * -1.0

    found = array(gradient(loss, tensor(y_pred)))
    np.testing.assert_array_equal(found[1:], 0)
    np.testing.assert_allclose(found[0], clean[0], rtol=1e-6)


def test_predictions_without_a_class_axis():
    masked = mask_predictions(tensor([1.0, np.nan]), tensor([True, False]))
    assert array(masked).tolist() == [1.0, 0.0]


# --- ids ---


@pytest.mark.parametrize(
    ("ignore_class", "ids"),
    [
        (None, ()),
        (255, (255,)),
        (np.uint8(255), (255,)),
        ((0, -1, 0), (0, -1)),
        ([255, 0], (255, 0)),
        ((), ()),
    ],
)
def test_ignored_ids(ignore_class, ids):
    assert ignored_ids(ignore_class) == ids
    assert all(type(index) is int for index in ignored_ids(ignore_class))


@pytest.mark.parametrize("value", [1.5, "255", True, (0, None), 2**31 - 1, -(2**31)])
def test_invalid_ids(value):
    with pytest.raises(ValueError, match="must be a 32-bit integer") as error:
        read_labels(np.zeros(2), (2, 3), ignore_class=value)
    assert f"Received: ignore_class={value!r}." in str(error.value)


def test_the_ranks_decide_whether_labels_are_sparse():
    assert Labels(np.zeros((2, 3)), np.zeros((2, 3)), None).sparse
    assert not Labels(np.zeros((2, 3, 4)), np.zeros((2, 3)), None).sparse
