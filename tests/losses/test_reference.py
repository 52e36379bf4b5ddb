"""Value and gradient of each loss agree with a reference in float64 NumPy.

Every form of labels, dtype, setting and shape is tried eagerly. Each compiled example
is a trace of its own, so that compiled code gets a small share of them.
"""

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_trainfix
from keras_trainfix import WeightedSum
from tests.losses import reference
from tests.losses.reference import (
    BACKEND,
    COMPILED,
    TOLERANCE,
    Batch,
    cotangent,
    tensor,
    value_and_gradient,
)

LOSSES = {
    "masked_crossentropy": "MaskedCrossentropy",
    "masked_soft_dice": "MaskedSoftDice",
    "masked_tversky": "MaskedTversky",
    "masked_lovasz": "MaskedLovasz",
    "masked_cl_dice": "MaskedClDice",
    "masked_boundary": "MaskedBoundary",
    "masked_hausdorff": "MaskedHausdorff",
}
OF_DISTANCES = ["masked_boundary", "masked_hausdorff"]
OF_SHAPES = ["masked_cl_dice", *OF_DISTANCES]
ALL = [*LOSSES, "weighted_sum"]

PIXELS = [(3,), (2, 3), (1, 4, 3), (2, 4, 3), (3, 2, 2, 2)]
IMAGES = [(1, 4, 3), (2, 4, 3), (1, 6, 7), (3, 2, 2, 2), (1, 3, 4, 2)]
CHANNELS = [1, 2, 2, 5, 150]
# JAX compiles every operation for every shape, which takes most of its time.
EAGER = {"pixels": (2, 4, 3), "channels": 5} if BACKEND == "jax" else {}
INTEGERS = ["uint8", "int8", "uint16", "int16", "int32", "int64"]
FLOATS = ["float16", "float32", "float64"]
JUNK = [np.nan, np.inf, -np.inf, 1e30, -1e30, 3e38, 7.0]

MOST_SLOPES = 24
EXAMPLES = settings().max_examples
EAGER_SHARE = {"torch": 1.0, "tensorflow": 0.6, "jax": 0.4}[BACKEND]
WIDE_SHARE = {"torch": 1.0, "tensorflow": 0.4, "jax": 0.0}[BACKEND]  # in float64
SHARES = {"jit": 0.2, "graph": 0.12, "xla": 0.12}


class Case(NamedTuple):
    y_true: Any
    y_pred: np.ndarray
    sample_weight: Any
    arguments: dict  # of the loss: how to read the labels
    batch: Batch
    is_void: np.ndarray  # of the shape of y_pred
    pixels: tuple


def steps(low, high):
    """Weights that float32 represents exactly."""
    return st.integers(4 * low, 4 * high).map(lambda quarter: quarter / 4)


@st.composite
def cases(draw, name, pixels=None, channels=None, dtypes=("float32",)):
    if pixels is None:
        pixels = draw(st.sampled_from(IMAGES if name in OF_SHAPES else PIXELS))
    channels = draw(st.sampled_from(CHANNELS)) if channels is None else channels
    multi_label = draw(st.sampled_from([False, False, True]))
    exclusive = channels > 1 and not multi_label
    from_logits = draw(st.booleans())
    dtype = draw(st.sampled_from(dtypes))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    y_true, targets, is_void, ignore_class = draw(
        label_maps(pixels, channels, multi_label, rng)
    )
    sample_weight, weights = draw(weight_maps(pixels, is_void, rng))
    is_void = is_void | (weights == 0)

    logits = rng.normal(size=(*pixels, channels)) * draw(st.sampled_from([0.5, 2.0]))
    scores = logits.astype("float32")
    if not from_logits:
        scores = np.exp(logits) / (1 + np.exp(logits))
        if exclusive:
            scores = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
        # Central differences of a logarithm need room.
        scores = 0.9 * scores + 0.1 / max(channels if exclusive else 2, 2)
        scores = scores.astype("float32")
    y_pred = scores.astype(dtype)
    if draw(st.booleans()):
        junk = rng.choice(JUNK, y_pred.shape)
        y_pred = np.where(is_void[..., None], junk, y_pred).astype(dtype)

    axis = draw(st.sampled_from([-1, 1]))
    is_row = y_true.shape == y_pred.shape and channels > 1
    y_pred = np.moveaxis(y_pred, -1, axis)
    if is_row:
        y_true = np.moveaxis(y_true, -1, axis)
    elif draw(st.booleans()):
        y_true = np.expand_dims(y_true, draw(st.sampled_from([-1, axis])))
    shape = y_pred.shape
    if shape == (pixels[0], 1) and draw(st.booleans()):
        y_pred = y_pred[:, 0]
    under = np.broadcast_to(np.expand_dims(is_void, axis), shape)

    n = pixels[0]
    batch = Batch(
        targets.reshape(n, -1, channels).astype("float64"),
        scores.reshape(n, -1, channels).astype("float64"),
        ~is_void.reshape(n, -1),
        weights.reshape(n, -1),
        per_sample=sample_weight is not None and sample_weight.size == n,
        exclusive=exclusive,
        from_logits=from_logits,
        pixels=pixels,
    )
    arguments = {
        "ignore_class": ignore_class,
        "from_logits": from_logits,
        "multi_label": multi_label,
        "axis": axis,
    }
    under = under.reshape(y_pred.shape)
    return Case(y_true, y_pred, sample_weight, arguments, batch, under, pixels)


@st.composite
def label_maps(draw, pixels, channels, multi_label, rng):
    """Labels as they arrive, as rows, where they are void, and the ignored ids."""
    number = max(channels, 2)
    form = draw(st.sampled_from(["sparse", "sparse", "one-hot", "soft"]))
    ids = st.sampled_from([255, -1, 0, 1, channels - 1, number])
    ignore_class = draw(
        st.one_of(
            st.sampled_from([255, 255, None]), ids, st.lists(ids, max_size=3).map(tuple)
        )
    )
    ignored = {None: ()}.get(ignore_class, ignore_class)
    ignored = ignored if isinstance(ignored, tuple) else (ignored,)
    void_share = draw(st.sampled_from([0.0, 0.3, 0.3, 0.7, 1.0]))
    is_void = rng.random(pixels) < void_share

    present = rng.permutation(number)[: draw(st.integers(1, number))]
    labels = rng.choice(present, pixels)
    if channels == 1:
        floats = ["float32"] if form == "soft" else INTEGERS + FLOATS
        dtype = draw(st.sampled_from(floats))
        targets = labels[..., None].astype("float64")
        if form == "soft":
            targets = rng.random((*pixels, 1)).astype("float32").astype("float64")
        y = targets[..., 0]
    elif form == "sparse":
        dtype = draw(st.sampled_from([d for d in INTEGERS + FLOATS if d != "int8"]))
        targets, y = np.eye(number)[labels], labels
    else:
        targets = np.eye(number)[labels]
        if multi_label:
            targets = (rng.random(targets.shape) < 0.4) * 1.0
        dtype = draw(st.sampled_from(INTEGERS + FLOATS))
        if form == "soft":
            dtype = "float32"
            targets = rng.dirichlet(np.ones(channels), pixels)
            if multi_label:
                targets = rng.random(targets.shape)
            targets = targets.astype("float32").astype("float64")
        y = targets

    limits = np.iinfo if np.dtype(dtype).kind in "iu" else np.finfo
    fitting = [i for i in ignored if limits(dtype).min <= i <= limits(dtype).max]
    y = y.copy()
    if y.ndim == len(pixels):
        is_void &= bool(fitting)
        y[is_void] = rng.choice(fitting, is_void.sum()) if fitting else 0
        hard = y > 0.5 if channels == 1 and form == "soft" else y
        is_void = is_void | np.isin(hard, ignored)
    else:
        marks = [i for i in fitting if i not in (0, 1)]
        is_void &= bool(marks) or not multi_label
        y[is_void] = 0
        marked = is_void & (rng.random(pixels) < 0.5)
        if marks:
            marked = is_void if multi_label else marked
            y[marked, rng.integers(channels)] = rng.choice(marks, marked.sum())
        in_range = np.isin(y.argmax(axis=-1), ignored) & y.any(axis=-1)
        is_void = is_void | in_range
    return y.astype(dtype), targets, is_void, ignore_class


@st.composite
def weight_maps(draw, pixels, is_void, rng):
    """Sample weights as they arrive, or None, and for each pixel."""
    own = draw(st.sampled_from(["none", "sample", "ones", "pixel", "channel", "rows"]))
    if own == "none":
        return None, np.ones(pixels)
    shape = {
        "sample": pixels[:1],
        "ones": pixels[:1] + (1,) * (len(pixels) - 1),
        "rows": pixels[:2],
    }.get(own, pixels)
    weights = rng.choice([0.25, 0.5, 1.0, 2.0, 3.0], shape)
    weights[rng.random(shape) < draw(st.sampled_from([0.0, 0.0, 0.3, 1.0]))] = 0
    by_pixel = weights.reshape(shape + (1,) * (len(pixels) - len(shape)))
    by_pixel = np.broadcast_to(by_pixel, pixels).astype("float64")
    if own == "channel":
        weights = weights[..., None]
    return weights.astype(draw(st.sampled_from(["float32", "float64"]))), by_pixel


# --- the arguments of the losses ---


@st.composite
def class_weights(draw, channels):
    number = max(channels, 2)
    kind = draw(st.sampled_from(["none", "list", "array", "dict"]))
    if kind == "none":
        return None
    if kind == "dict":
        return draw(
            st.dictionaries(st.integers(0, number - 1), steps(0, 3), max_size=4)
        )
    some = draw(st.lists(steps(0, 3), min_size=1, max_size=5))
    weights = (some * number)[:number]
    return weights if kind == "list" else np.array(weights)


@st.composite
def arguments_of(draw, name, case):
    """The arguments of a loss, without those that define how to read the labels."""
    found = {
        "class_weight": draw(class_weights(case.batch.targets.shape[-1])),
        "reduction": draw(st.sampled_from(["mean", "mean", "sum", "none"])),
    }
    if name == "masked_crossentropy":
        share = st.sampled_from([0.3, 0.5, 1.0])
        number = st.sampled_from([1, 3, 10_000])
        found["top_k"] = draw(st.one_of(st.none(), st.none(), share, number))
        found["label_smoothing"] = draw(st.sampled_from([0.0, 0.0, 0.25, 1.0]))
        found["focal_gamma"] = draw(st.sampled_from([0.0, 0.0, 0.5, 1.0, 2.0, 5.0]))
        return found
    if name in OF_DISTANCES:
        sizes = [1.0, 2.5, 0.5][: len(case.pixels) - 1]
        found["spacing"] = draw(st.sampled_from([None, 0.5, sizes, np.array(sizes)]))
        found["include_background"] = draw(st.booleans())
        if name == "masked_hausdorff":
            found["alpha"] = draw(st.sampled_from([0.5, 1.0, 2.0, 3]))
        return found
    found["scope"] = draw(st.sampled_from(["image", "batch"]))
    found["include_background"] = draw(st.sampled_from([True, True, False]))
    found["include_absent"] = draw(st.sampled_from([False, False, True]))
    smooth = draw(st.sampled_from([0.0, 0.0, 0.5, 1.0]))
    if name == "masked_cl_dice":
        found["iterations"] = draw(st.sampled_from([0, 1, 3]))
        found["smooth"] = smooth
    if name == "masked_lovasz":
        is_possible = case.batch.from_logits and not case.batch.exclusive
        found["hinge"] = is_possible and draw(st.booleans())
    if name == "masked_soft_dice":
        found["squared"] = draw(st.booleans())
        kinds = [None, None, "square", "simple", "uniform"]
        found["generalized"] = draw(st.sampled_from(kinds))
        found["log_cosh"] = draw(st.booleans())
        counts_all = found["include_background"] and found["class_weight"] is None
        found["smooth"] = smooth if counts_all or not found["generalized"] else 0.0
    if name == "masked_tversky":
        found["alpha"] = draw(st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0]))
        low = 0.0 if found["alpha"] else 0.25
        found["beta"] = draw(st.sampled_from([low, 0.25, 0.5, 1.0, 2.0]))
        found["gamma"] = draw(st.sampled_from([1.0, 1.0, 0.75, 2.0]))
        found["smooth"] = smooth
    return found


@st.composite
def losses(draw, name, case):
    """The loss of the package, and the same function of a `Batch`."""
    if name == "weighted_sum":
        fitting = [n for n in LOSSES if n not in OF_SHAPES or len(case.pixels) > 2]
        names = draw(st.lists(st.sampled_from(fitting), min_size=1, max_size=3))
        parts = [draw(arguments_of(part, case)) for part in names]
        for part in parts:
            part["reduction"] = "mean" if part["reduction"] == "none" else "sum"
        weights = draw(st.lists(steps(0, 2), min_size=len(names), max_size=len(names)))
        loss = WeightedSum(
            [
                getattr(keras_trainfix, LOSSES[part])(**case.arguments, **arguments)
                for part, arguments in zip(names, parts, strict=True)
            ],
            weights,
        )
        functions = [getattr(reference, part) for part in names]
        pairs = list(zip(functions, parts, strict=True))
        return loss, lambda batch: reference.weighted_sum(batch, pairs, weights)

    arguments = draw(arguments_of(name, case))

    def expected(batch):
        return getattr(reference, name)(batch, **arguments)

    if draw(st.booleans()):
        loss = getattr(keras_trainfix, LOSSES[name])(
            **case.arguments, **arguments, dtype=str(case.y_pred.dtype)
        )
        return loss, expected
    function = getattr(keras_trainfix, name)

    def of_function(y_true, y_pred, sample_weight=None):
        return function(
            y_true,
            y_pred,
            **case.arguments,
            **arguments,
            sample_weight=sample_weight,
        )

    return of_function, expected


# --- the comparison ---


def check(case, loss, expected, mode="eager"):
    value, gradient = value_and_gradient(
        loss, case.y_true, case.y_pred, case.sample_weight, mode
    )
    dtype = str(case.y_pred.dtype)
    assert str(value.dtype) == dtype or isinstance(loss, WeightedSum)
    assert gradient.shape == case.y_pred.shape
    close = {"rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype]}

    batch = case.batch
    np.testing.assert_array_equal(gradient[case.is_void], 0)
    if not batch.valid.any():
        np.testing.assert_array_equal(value, 0)
        np.testing.assert_array_equal(gradient, 0)

    wanted = np.asarray(expected(batch))
    if wanted.ndim == 2:
        wanted = wanted.reshape(case.pixels)
    assert value.shape == wanted.shape
    np.testing.assert_allclose(value, wanted, **close)

    if gradient.ndim > 1:
        gradient = np.moveaxis(gradient, case.arguments["axis"], -1)
    gradient = gradient.reshape(batch.scores.shape)
    at = np.argwhere(np.broadcast_to(batch.valid[..., None], gradient.shape))
    if len(at) > MOST_SLOPES:
        at = np.random.default_rng(0).choice(at, MOST_SLOPES, replace=False)
    at = [tuple(index) for index in at]
    if at:
        factor = cotangent(wanted.shape).ravel()
        slopes = reference.slopes(lambda b: factor @ np.ravel(expected(b)), batch, at)
        found = [gradient[index] for index in at]
        np.testing.assert_allclose(found, slopes, **close)


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=int(EAGER_SHARE * EXAMPLES))
@given(data=st.data())
def test_value_and_gradient(name, data):
    case = data.draw(cases(name, **EAGER))
    check(case, *data.draw(losses(name, case)))


@pytest.mark.backend_only("tensorflow", "torch", reason="JAX has float32 by default")
@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=max(1, int(WIDE_SHARE * EXAMPLES)))
@given(data=st.data())
def test_value_and_gradient_in_float64(name, data):
    case = data.draw(cases(name, dtypes=["float64"]))
    check(case, *data.draw(losses(name, case)))


@pytest.mark.backend_only("tensorflow", "jax", reason="the others compile")
@pytest.mark.parametrize("mode", COMPILED)
@pytest.mark.parametrize("name", ALL)
def test_value_and_gradient_compiled(name, mode):
    @settings(max_examples=max(1, int(SHARES[mode] * EXAMPLES)))
    @given(data=st.data())
    def compare(data):
        case = data.draw(cases(name))
        case = case._replace(y_true=tensor(case.y_true))
        check(case, *data.draw(losses(name, case)), mode=mode)

    compare()
