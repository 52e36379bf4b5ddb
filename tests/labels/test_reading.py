"""Labels of every form mean what a loop over the pixels says they mean."""

import keras
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from keras import ops

from keras_trainfix import backend
from keras_trainfix.labels import (
    Labels,
    class_ids,
    class_rows,
    count_invalid,
    ignored_ids,
    mask_predictions,
    read_labels,
)
from keras_trainfix.labels.weights import class_weight_vector, pixel_weights

BACKEND = keras.backend.backend()
INTEGERS = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]
FLOATS = ["bfloat16", "float16", "float32", "float64"]
EXACT = {"bfloat16": 256, "float16": 2048, "float32": 2**24, "float64": 2**53}


def compiled(function):
    """`function` as the backend compiles it; torch runs as it is."""
    if BACKEND == "jax":
        import jax

        return jax.jit(function)
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.function(function)
    return function


def array(tensor):
    return backend.to_numpy(ops.stop_gradient(tensor))


def tensor(y, dtype=None):
    return ops.convert_to_tensor(y, dtype)


# --- the reference: one pixel after the other, in Python numbers ---


def reference(y, form, channels, ignored, multi_label):
    """Values, valid and invalid, for `y` with its classes, if any, on the last axis."""
    pixels = y.shape[:-1] if form == "rows" else y.shape
    valid, invalid = np.zeros(pixels, bool), np.zeros(pixels, bool)
    values = np.zeros(y.shape, "int32" if form == "labels" else "float64")
    for at in np.ndindex(*pixels):
        if form == "rows":
            row = [float(v) for v in y[at]]
            void, known = row_is_void(row, ignored, multi_label), is_probability(row)
            known = known and (multi_label or abs(sum(row) - 1) <= 0.01)
            value = row
        elif form == "probability":
            value = float(y[at])
            known = is_probability([value])
            void = value in ignored and value not in (0, 1)
            if known and (1 if value > 0.5 else 0) in ignored:
                void = True
        else:
            value = float(y[at]) if y.dtype.kind not in "biu" else int(y[at])
            known = value in range(max(channels, 2))
            void = value in ignored
        valid[at] = known and not void
        invalid[at] = not known and not void
        if valid[at]:
            values[at] = value
    return values, valid, invalid


def is_probability(row):
    return all(0 <= v <= 1 for v in row)


def row_is_void(row, ignored, multi_label):
    if any(v in ignored and v not in (0, 1) for v in row):
        return True
    if all(v == 0 for v in row):
        return not multi_label
    known = is_probability(row) and (multi_label or abs(sum(row) - 1) <= 0.01)
    return known and row.index(max(row)) in ignored


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
def test_agrees_with_a_loop_over_the_pixels_eager_and_compiled(case):
    y_true, shape, arguments, kind, (values, valid, invalid) = case
    axis, channels = arguments["axis"], shape[arguments["axis"]]

    def read(y):
        labels = read_labels(y, shape, **arguments, check=False)
        ids, rows = class_ids(labels, axis), class_rows(labels, channels, axis)
        return labels.values, labels.valid, labels.invalid, ids, rows

    for run in (read, compiled(read)):
        got = run(y_true)
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
        with pytest.raises(ValueError, match=f"Received: {invalid.sum()} other labels"):
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


def test_compiled_code_counts_what_eager_code_refuses():
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


# --- forms ---


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
def test_the_shapes_tell_the_form(labels, predictions, axis, sparse):
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
        ((2, 5, 6, 1), (2, 5, 6), -1, "that `y_pred` lacks with `keras.ops.expand"),
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


# --- dtypes ---


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


# --- invalid values ---


@pytest.mark.parametrize(
    ("y", "shape", "ignore_class", "expected"),
    [
        (
            [0, 1, 2, 255, 255, 2],
            (6, 3),
            None,
            "`y_true` must be a class, 0 to 2, or ignored, ignore_class=None. "
            "Received: 2 other labels: 255 (2 times). "
            "If they mark void, pass ignore_class=255.",
        ),
        (
            [0, -1, 255, -100, 255],
            (5, 3),
            255,
            "Received: 2 other labels: -100 (1 times), -1 (1 times). "
            "If they mark void, pass ignore_class=(255, -1, -100).",
        ),
        (
            [0, 255, 255],
            (3, 1),
            None,
            "must be a class, 0 to 1, or ignored, ignore_class=None. Received: 2 other "
            "labels: 255 (2 times). If it is a mask saved as 0 and 255, divide it by "
            "255; if 255 marks void, pass ignore_class=255.",
        ),
        ([0, 255], (2, 2), (7, 8), "void, pass ignore_class=(7, 8, 255)."),
        ([0, 1, 255], (3, 2), None, "If they mark void, pass ignore_class=255."),
        (
            [0, 3, 3, 9],
            (4, 3),
            255,
            "3 (2 times), 9 (1 times). If they are classes, the model needs 10 outputs "
            "(num_classes too small); if they mark void, add them to `ignore_class`.",
        ),
        ([1, 2, 3], (3, 3), 255, "If `y_true` counts classes from 1, subtract 1."),
        ([1, -2, 0], (3, 3), 255, "-2 (1 times). If they mark void, add them to"),
        (
            [5, 6, 7, 8, 9, 10, 11, 11],
            (8, 3),
            255,
            "Received: 8 other labels: 11 (2 times), 5 (1 times), 6 (1 times), "
            "7 (1 times), 8 (1 times) and 2 more values. If",
        ),
        (
            [0.5, 1.0, 0.25, 0.5],
            (4, 3),
            255,
            "3 other labels: 0.5 (2 times), 0.25 (1 times). Sparse labels are whole "
            "numbers: do not rescale them, and resize masks with "
            "interpolation='nearest'.",
        ),
        ([1.0, np.nan], (2, 3), 255, "nan (1 times). Sparse labels are whole"),
        ([1.0, np.inf], (2, 3), 255, "inf (1 times). Sparse labels are whole"),
        (
            [[0, 255], [255, 0]],
            (2, 2),
            None,
            "`y_true` must be between 0 and 1 or ignored, ignore_class=None. Received: "
            "2 other labels: 255 (2 times). If it is a mask saved as 0 and 255",
        ),
        (
            [[0.0, -0.5], [2.0, 0.0]],
            (2, 2),
            255,
            "-0.5 (1 times), 2 (1 times). One-hot and soft labels are probabilities: "
            "rescale `y_true`.",
        ),
        ([0.5, 1.5], (2, 1), 255, "1.5 (1 times). One-hot and soft labels are prob"),
        ([[0.0, np.nan]], (1, 2), 255, "1 other labels: nan (1 times). One-hot"),
        ([[0, 1, 0], [255, 0, 0]], (2, 3), -1, "pass ignore_class=(-1, 255)."),
    ],
)
def test_the_message_names_the_values_and_the_likely_cause(
    y, shape, ignore_class, expected
):
    for make in (np.array, list, lambda y: tensor(np.array(y))):
        with pytest.raises(ValueError, match="`y_true` must be") as error:
            read_labels(make(y), shape, ignore_class=ignore_class)
        assert expected in str(error.value)


def test_the_message_for_channels_first_rows_and_bfloat16():
    rows = np.zeros((2, 3, 4))
    rows[:, 1] = 1
    rows[1, 2, 3] = 5
    with pytest.raises(ValueError, match=r"1 other labels: 5 \(1 times\)"):
        read_labels(tensor(rows, "bfloat16"), rows.shape, axis=1)


def test_a_strange_value_does_not_hide_behind_the_arg_max():
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
def test_which_rows_are_void(row, ignore_class, multi_label, valid):
    def read(y):
        shape = (1, len(row))
        return read_labels(
            y, shape, ignore_class=ignore_class, multi_label=multi_label
        ).valid

    for run in (read, compiled(read)):
        assert array(run(tensor([row]))).tolist() == [valid]


@pytest.mark.parametrize("name", ["nan", "inf"])
def test_strange_floats_are_void_only_next_to_an_ignored_id(name):
    rows = np.array([[float(name), 0.0], [float(name), 255.0]])
    labels = read_labels(rows, (2, 2), check=False)
    assert array(labels.invalid).tolist() == [True, False]
    assert np.isfinite(array(labels.values)).all()


def test_is_concrete():
    seen = []

    def function(x):
        seen.append(backend.is_concrete(x))
        return x + 1

    x = tensor(np.ones(2))
    function(x)
    function(keras.KerasTensor((2,)))
    function(np.ones(2))
    seen.append(backend.is_concrete(keras.Variable(np.ones(2))))
    compiled(function)(x)
    assert seen == [True, False, True, True, BACKEND == "torch"]


@pytest.mark.backend_only("torch", reason="torch traces by other means")
def test_is_concrete_where_torch_traces():
    import torch

    assert not backend.is_concrete(torch.ones(2, device="meta"))

    def branch(x):
        return x + 1 if backend.is_concrete(x) else x + 2

    traced = torch.compile(branch, backend="eager", fullgraph=True)
    assert traced(torch.zeros(1)).item() == 2


# --- masking ---


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("axis", [-1, 1])
def test_what_is_under_void_is_gone(rng, dtype, axis):
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


# --- weights ---


@st.composite
def weights_and_pixels(draw):
    rank = draw(st.integers(1, 4))
    pixels = draw(st.tuples(*[st.integers(1, 4)] * rank))
    own = draw(st.integers(0, rank))
    shape = tuple(draw(st.sampled_from([size, 1])) for size in pixels[:own])
    trailing = own == rank and draw(st.booleans())
    return (*shape, 1) if trailing else shape, pixels


@given(weights_and_pixels(), st.sampled_from([*FLOATS[1:], "int32", "bool"]))
def test_sample_weights_broadcast_from_the_left(shapes, dtype):
    shape, pixels = shapes
    rng = np.random.default_rng(len(shape))
    weights = (rng.random(shape) * 3).astype(dtype)
    valid = rng.random(pixels) < 0.7
    expected = np.zeros(pixels)
    for at in np.ndindex(*pixels):
        own = [0 if size == 1 else i for i, size in zip(at, shape, strict=False)]
        own += [0] * (len(shape) - len(own))
        if valid[at]:
            expected[at] = weights[tuple(own)]
    for run in (pixel_weights, compiled(pixel_weights)):
        found = run(tensor(weights), tensor(valid))
        assert keras.backend.standardize_dtype(found.dtype) in FLOATS[2:]
        np.testing.assert_allclose(array(found), expected, rtol=1e-6)


def test_weights_of_samples_are_never_weights_of_columns():
    found = array(pixel_weights([1, 2, 3], np.ones((3, 3, 3), bool)))
    assert found[:, 0, 0].tolist() == [1, 2, 3]
    assert (found == found[:, :1, :1]).all()


def test_no_sample_weight_weighs_what_is_valid():
    assert array(pixel_weights(None, tensor([True, False]))).tolist() == [1, 0]


def test_weights_under_void_do_not_count():
    found = pixel_weights([np.nan, 2.0], tensor([False, True]))
    assert array(found).tolist() == [0, 2]


@pytest.mark.parametrize(
    "shape", [(4,), (5, 5), (2, 5, 4), (3, 4, 5, 2), (3, 4, 5, 1, 1), (1, 5, 1)]
)
def test_sample_weights_that_do_not_fit(shape):
    expected = f"sample_weight.shape={shape}, labels of shape (3, 4, 5). To weigh other"
    for run in (pixel_weights, compiled(pixel_weights)):
        with pytest.raises(ValueError, match="`sample_weight` must have the fi") as e:
            run(tensor(np.ones(shape)), tensor(np.ones((3, 4, 5), bool)))
        assert expected in str(e.value)
        assert "`sample_weight[None, :, None]`" in str(e.value)


@pytest.mark.parametrize(
    "class_weight",
    [
        [1, 2.5, 0],
        (1, 2.5, 0),
        np.array([1, 2.5, 0]),
        {1: 2.5, 2: 0},
        {0: 1, np.int64(1): 2.5, 2.0: 0},
    ],
)
def test_class_weights(class_weight):
    vector = class_weight_vector(class_weight, 3)
    assert vector.dtype == "float32"
    assert vector.tolist() == [1, 2.5, 0]


def test_class_weights_may_be_a_tensor():
    assert class_weight_vector(tensor([1.0, 2.0]), 2).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("class_weight", "expected"),
    [
        (
            [1, 2],
            "one weight for each of the 3 classes. Received: class_weight=[1, 2] ",
        ),
        ([1, 2], "of shape (2,). A dict may leave classes out."),
        (2.0, "of shape ()"),
        ([[1, 2, 3]], "of shape (1, 3)"),
        ([1, -2, 3], "finite and not negative. Received: class_weight=[1, -2, 3]. A w"),
        ({1: np.nan}, "finite and not negative. Received: class_weight={1: nan}."),
        (
            {3: 1, "dog": 2, -1: 1},
            "must have classes 0 to 2 as its keys. Received: class_weight={3: 1, 'dog':"
            " 2, -1: 1}, with unknown classes [3, 'dog', -1]. Remove them, or give the",
        ),
    ],
)
def test_class_weights_that_are_none(class_weight, expected):
    with pytest.raises(ValueError, match="`class_weight` must") as error:
        class_weight_vector(class_weight, 3)
    assert expected in str(error.value)


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
def test_what_is_no_id(value):
    with pytest.raises(ValueError, match="must be a 32-bit integer") as error:
        read_labels(np.zeros(2), (2, 3), ignore_class=value)
    assert f"Received: ignore_class={value!r}." in str(error.value)


def test_sparse_is_told_by_the_ranks():
    assert Labels(np.zeros((2, 3)), np.zeros((2, 3)), None).sparse
    assert not Labels(np.zeros((2, 3, 4)), np.zeros((2, 3)), None).sparse
