"""Class weights agree with loops over images and pixels, whatever holds the labels."""

import importlib.util

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_trainfix import MaskedCrossentropy, class_weights_from_labels

METHODS = ["inverse_frequency", "median_frequency", "effective_number"]


def reference(images, num_classes, ignored=(), method=METHODS[0], beta=0.9999):
    """The weights, from one label map per row, in Python numbers."""
    maps = [[int(v) for v in np.ravel(image) if v not in ignored] for image in images]
    n = [sum(m.count(c) for m in maps) for c in range(num_classes)]
    present = [c for c in range(num_classes) if n[c]]
    if method == "inverse_frequency":
        weights = {c: sum(n) / (len(present) * n[c]) for c in present}
    elif method == "median_frequency":
        f = {c: n[c] / sum(len(m) for m in maps if c in m) for c in present}
        weights = {c: np.median(list(f.values())) / f[c] for c in present}
    else:
        weights = {c: (1 - beta) / (1 - beta ** n[c]) for c in present}
        mean = sum(weights.values()) / len(present)
        weights = {c: weight / mean for c, weight in weights.items()}
    return np.array([weights.get(c, 0.0) for c in range(num_classes)])


def as_form(y, form, num_classes, dtype, rng):
    """A label map in another form; void, which is 255, as a row of zeros."""
    if form == "sparse":
        return y.astype(dtype)
    if form == "channel":
        return y.astype(dtype)[..., None]
    rows = (y[..., None] == np.arange(num_classes)).astype("float64")
    if form == "one-hot":
        return rows.astype(dtype)
    noise = rng.dirichlet(np.ones(num_classes), y.shape)
    return np.where(rows.any(-1, keepdims=True), 0.6 * rows + 0.4 * noise, 0)


@st.composite
def cases(draw):
    num_classes = draw(st.sampled_from([2, 3, 7, 150]))
    images = draw(st.integers(1, 5))
    sizes = st.sampled_from([1, 4, 11])
    more = draw(st.tuples(*[sizes] * draw(st.integers(0, 2))))
    shape = (images, draw(st.sampled_from([4, 11])), *more)
    form = draw(st.sampled_from(["sparse", "channel", "one-hot", "soft"]))
    dtypes = ["uint8", "int32", "int64", "uint64", "float16", "float32", "float64"]
    dtype = draw(st.sampled_from(dtypes))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weights = rng.dirichlet(np.full(num_classes, 0.3))
    y = rng.choice(num_classes, shape, p=weights).astype("int64")
    y[rng.random(shape) < draw(st.sampled_from([0.0, 0.3]))] = 255
    y.flat[0] = 1  # neither void nor ignored
    ignored = draw(st.sampled_from([(255,), (255, 0), (-1, 255, 0)]))
    return y, as_form(y, form, num_classes, dtype, rng), num_classes, ignored


@pytest.mark.filterwarnings("ignore:No label in `data`:UserWarning")
@pytest.mark.parametrize("method", METHODS)
@given(case=cases())
def test_agrees_with_a_loop_over_pixels(method, case):
    maps, y, num_classes, ignored = case
    got = class_weights_from_labels(y, num_classes, ignored, method, beta=0.99)
    assert got.dtype == "float32"
    expected = reference(maps, num_classes, ignored, method, 0.99)
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_bfloat16_labels():
    y = ops.cast(np.array([[0, 1, 1, 2]]), "bfloat16")
    expected = reference([[0, 1, 1, 2]], 3)
    np.testing.assert_allclose(class_weights_from_labels(y, 3), expected, rtol=1e-6)
    with pytest.raises(ValueError, match="rounds whole numbers above 256"):
        class_weights_from_labels(y, 300)


def test_inverse_frequency_is_balanced_of_scikit_learn(rng):
    utils = pytest.importorskip("sklearn.utils.class_weight")
    y = rng.choice(5, (6, 8, 8), p=[0.7, 0.2, 0.06, 0.03, 0.01])
    expected = utils.compute_class_weight("balanced", classes=np.arange(5), y=y.ravel())
    np.testing.assert_allclose(class_weights_from_labels(y, 5), expected, rtol=1e-6)


def test_median_frequency_counts_the_images_that_have_the_class():
    y = np.array([[[0, 0, 0, 1]], [[0, 0, 0, 0]], [[2, 2, 255, 2]]])
    # f = 7/8, 1/4 and 3/3
    got = class_weights_from_labels(y, 3, method="median_frequency")
    np.testing.assert_allclose(got, [1, 0.875 / 0.25, 0.875], rtol=1e-6)


@pytest.mark.parametrize(
    ("counts", "beta", "expected"),
    [
        ([3, 40], 0.0, [1, 1]),
        ([10**12, 10**15], 0.9, [1, 1]),  # beta ** n underflows
        ([1, 3], 1 - 2**-50, [1.5, 0.5]),  # beta ** n rounds to 1: inverse frequency
    ],
)
def test_effective_number_of_any_size(monkeypatch, counts, beta, expected):
    module = "keras_trainfix.losses.class_weights"
    both = np.array(counts), np.array(counts)
    monkeypatch.setattr(f"{module}.count_classes", lambda *_: both)
    got = class_weights_from_labels(None, 2, method="effective_number", beta=beta)
    np.testing.assert_allclose(got, expected, rtol=1e-6)


# --- containers of labels ---

MAPS = np.random.default_rng(4).choice(
    [0, 1, 2, 255], (10, 6, 5), p=[0.6, 0.2, 0.1, 0.1]
)
X = np.zeros((10, 6, 5, 3), "float32")


class Batches(keras.utils.PyDataset):
    endless = False

    def __len__(self):
        return 3

    @property
    def num_batches(self):
        return None if self.endless else 3

    def __getitem__(self, index):
        part = slice(4 * index % 12, 4 * index % 12 + 4)
        return X[part], MAPS[part]


def sources():
    yield "array", lambda: MAPS
    yield "tensor", lambda: ops.convert_to_tensor(MAPS)
    yield "pair", lambda: (X, MAPS)
    yield "triple", lambda: (X, MAPS, np.ones(10))
    yield "several inputs", lambda: ({"a": X, "b": X}, MAPS)
    yield "PyDataset", Batches
    yield "generator", lambda: (Batches()[i] for i in range(3))
    yield "generator of labels", lambda: (Batches()[i][1] for i in range(3))
    yield "list of label maps", lambda: list(MAPS)
    yield "list of label maps with a channel", lambda: list(MAPS[..., None])
    yield "list of one-hot maps", lambda: list(np.eye(4)[MAPS % 252][..., :3])
    if importlib.util.find_spec("tensorflow"):
        yield "tf.data", lambda: tf_dataset().batch(4)
        yield "tf.data of labels", lambda: tf_dataset().batch(4).map(lambda x, y: y)
        yield "tf.data, unbatched", tf_dataset
    if importlib.util.find_spec("torch"):
        yield "DataLoader", torch_loader


def tf_dataset():
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((X, MAPS))


def torch_loader():
    import torch

    dataset = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(MAPS))
    return torch.utils.data.DataLoader(dataset, batch_size=4)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("source", list(sources()), ids=lambda source: source[0])
def test_takes_what_fit_takes(source, method):
    got = class_weights_from_labels(source[1](), 3, method=method)
    np.testing.assert_allclose(got, reference(MAPS, 3, (255,), method), rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_label_maps_of_different_sizes(method, rng):
    maps = [rng.integers(0, 3, size) for size in [(5, 7), (4, 9), (1, 1), (20, 2)]]
    got = class_weights_from_labels(maps, 3, method=method)
    np.testing.assert_allclose(got, reference(maps, 3, (), method), rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_labels_of_samples_are_one_image(method, rng):
    y = rng.choice(4, 100, p=[0.6, 0.2, 0.1, 0.1])
    expected = reference([y], 4, (), method)
    kinds = [y, y[:, None], np.eye(4)[y], np.split(y, 5), iter(y), (y, y.tolist())]
    for data in kinds:
        got = class_weights_from_labels(data, 4, method=method)
        np.testing.assert_allclose(got, expected, rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_classes_on_another_axis(method):
    rows = np.moveaxis(np.eye(4)[MAPS % 252][..., :3], -1, 1)
    got = class_weights_from_labels(rows, 3, method=method, axis=1)
    np.testing.assert_allclose(got, reference(MAPS, 3, (255,), method), rtol=1e-6)


def test_labels_as_wide_as_there_are_classes(rng):
    y = rng.integers(0, 5, (4, 6, 5))
    got = class_weights_from_labels(y[..., None], 5)
    np.testing.assert_allclose(got, reference(y, 5), rtol=1e-6)
    with pytest.raises(ValueError, match=r"Received.*add an axis: `y\[..., None\]`"):
        class_weights_from_labels(y, 5)


def test_endless_data_need_steps():
    data = Batches()
    data.endless = True
    with pytest.raises(ValueError, match="never ends: pass `steps`"):
        class_weights_from_labels(data, 3)
    got = class_weights_from_labels(data, 3, steps=2)
    np.testing.assert_allclose(got, reference(MAPS[:8], 3, (255,)), rtol=1e-6)


@pytest.mark.parametrize("num_classes", [2, 3])
def test_the_losses_take_the_result(num_classes, rng):
    y = rng.integers(0, num_classes, (2, 4, 4))
    weights = class_weights_from_labels(y, num_classes)
    channels = 1 if num_classes == 2 else num_classes
    loss = MaskedCrossentropy(from_logits=True, class_weight=weights)
    value = float(loss(y, np.zeros((2, 4, 4, channels), "float32")))
    np.testing.assert_allclose(value, np.log(num_classes), rtol=1e-5)


# --- warnings and errors ---


def test_absent_classes_weigh_0_and_are_named():
    y = np.array([[1, 1, 3, 0]])
    with pytest.warns(UserWarning, match="has class 2, 4: weight 0.*num_classes=5"):
        weights = class_weights_from_labels(y, 5, ignore_class=0)
    np.testing.assert_allclose(weights, [0, 0.75, 0, 1.5, 0])


ONE_HOT = np.eye(4)[MAPS % 252]

REFUSED = {
    "num_classes": ({"num_classes": 1}, "`num_classes` must be.*num_classes=1. One"),
    "no integer": ({"num_classes": 3.0}, "`num_classes` must be.*num_classes=3.0"),
    "boolean": ({"num_classes": True}, "`num_classes` must be.*num_classes=True"),
    "method": ({"method": "log"}, "`method` must be one of .*method='log'"),
    "beta": ({"beta": 1.0}, "`beta` must be.*beta=1.0"),
    "beta below 0": ({"beta": -0.1}, "`beta` must be.*beta=-0.1"),
    "beta NaN": ({"beta": float("nan")}, "`beta` must be.*beta=nan"),
    "ids": ({"ignore_class": "a"}, "`ignore_class` must be a 32-bit integer.*='a'"),
    "all ignored": (
        {"ignore_class": (0, 1, 2)},
        r"must leave at least one.*ignore_class=\(0, 1, 2\), num_classes=3",
    ),
    "steps": ({"steps": 2}, "`steps` is a number of batches.*steps=2 and an array"),
    "all void": ({"data": np.full((2, 3), 255)}, "one label that is not void.*none"),
    "empty": ({"data": np.zeros((0, 3))}, "one label that is not void.*none"),
    "used up": ({"data": iter(())}, "not void.*none.*used before, create it again"),
    "out of range": (
        {"data": np.array([[0, 1, 2, 3, 3, 9]])},
        r"a class, 0 to 2,.*3 other labels: 3 \(2 times\), 9 \(1 time\)",
    ),
    "fractions": ({"data": np.array([[0.5, 1]])}, "resize masks with interp"),
    "rescaled": (
        {"data": [np.array([[0, 255]])], "num_classes": 2, "ignore_class": None},
        "mask saved as 0 and 255",
    ),
    "more classes": (
        {"data": ONE_HOT},
        r"shape \(10, 6, 5, 4\), one-hot on axis 3, with num_classes=3.*num_classes=4",
    ),
    "channels first": (
        {"data": np.eye(3)[MAPS % 3].transpose(0, 3, 1, 2)},
        r"one-hot on axis 1, with num_classes=3, axis=-1.*np.moveaxis\(y, 1, -1\)",
    ),
    "several labels": (
        {"data": np.ones((2, 4, 3))},
        "must sum to 1.*8 rows.*Pixels with several classes cannot be counted",
    ),
    "several outputs": (
        {"data": [(X, {"mask": MAPS})]},
        "one array of numbers, the labels.*Received: labels=dict of several arrays",
    ),
    "several outputs at once": (
        {"data": (X, {"mask": MAPS})},
        "one array of numbers, the labels.*Received: labels=dict of several arrays",
    ),
    "several outputs in a list": (
        {"data": [(X, [MAPS, MAPS])]},
        "one array of numbers, the labels.*Received: labels=list of several arrays",
    ),
    "strings": ({"data": np.array(["a"])}, "array of numbers.*labels.dtype=<U1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_invalid_arguments_and_labels(case):
    arguments, message = REFUSED[case]
    with pytest.raises(ValueError, match=f"(?s){message}"):
        class_weights_from_labels(**{"data": MAPS, "num_classes": 3, **arguments})


def test_data_that_cannot_be_read():
    with pytest.raises(TypeError, match="`data` must be arrays.*data=3"):
        class_weights_from_labels(3, 3)
