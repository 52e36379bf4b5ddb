"""Samples are read alike, in whatever form `fit` takes them."""

import importlib.util
import itertools

import keras
import numpy as np
import pytest

from keras_trainfix import CollapseDetector
from keras_trainfix.diagnosis.diagnose import diagnose
from keras_trainfix.diagnosis.observe.sample import take
from tests.diagnosis.nets import inputs, net

pd = pytest.importorskip("pandas")

X = inputs(64, 4)
Y = (X[:, :1] > 0).astype("float32")
HAS = {name: importlib.util.find_spec(name) for name in ("torch", "tensorflow", "jax")}


def torch_tensor(array):
    import torch

    return torch.tensor(array, requires_grad=array.dtype.kind == "f")


def tf_tensor(array):
    import tensorflow as tf

    return tf.constant(array)


def jax_array(array):
    import jax.numpy

    return jax.numpy.asarray(array)


def frame(array):
    return pd.DataFrame(array, index=np.arange(len(array))[::-1] * 3)


def series(array):
    return pd.Series(array[:, 0], index=np.arange(len(array))[::-1] * 3)


def mixed_frame(array):
    """Columns of several dtypes, which NumPy holds as objects."""
    columns = {"a": array[:, 0], "flag": pd.array([True] * len(array), "boolean")}
    rest = {f"c{i}": array[:, i] for i in range(2, array.shape[1])}
    return pd.DataFrame({**columns, **rest})


def own_tensor(array):
    return keras.ops.convert_to_tensor(array)


ONE = {"array": lambda a: a, "frame": frame, "own tensor": own_tensor}
ONE |= {"torch": torch_tensor} if HAS["torch"] else {}
ONE |= {"tf": tf_tensor} if HAS["tensorflow"] else {}
ONE |= {"jax": jax_array} if HAS["jax"] else {}
TARGETS = {**ONE, "series": series, "flat": lambda a: a[:, 0]}


def model_of_one():
    return net(1, "sigmoid", "binary_crossentropy", shape=(4,))


def model_of_two(names=("a", "b")):
    keras.utils.set_random_seed(1)
    entries = [keras.Input((4,), name=name) for name in names]
    hidden = keras.layers.Dense(8, "relu")(keras.layers.concatenate(entries))
    outputs = [keras.layers.Dense(1, "sigmoid", name=name)(hidden) for name in "pq"]
    if isinstance(names, dict):
        entries = dict(zip(names, entries, strict=True))
        outputs = dict(zip("pq", outputs, strict=True))
    model = keras.Model(entries, outputs)
    losses = ["binary_crossentropy"] * 2
    is_dict = isinstance(outputs, dict)
    model.compile("adam", dict(zip("pq", losses, strict=True)) if is_dict else losses)
    return model


def seen(model, *data):
    """What a diagnosis says, and what it says it of."""
    diagnosis = diagnose(model, *data, fit=False)
    evidence = [(f.code, f.severity, f.message) for f in diagnosis.findings]
    return evidence, diagnosis.tasks, diagnosis.skipped


def watched(model, data):
    """What the callback has seen before the first step and after it."""
    detector = CollapseDetector(data)
    x, y = take(data, model=model)[:2]
    model.fit(x, y, epochs=1, steps_per_epoch=1, verbose=0, callbacks=[detector])
    return detector.history


def assert_same(sample, other):
    for part, expected in zip(sample[:3], other[:3], strict=True):
        found = keras.tree.flatten(part)
        for array, right in zip(found, keras.tree.flatten(expected), strict=True):
            np.testing.assert_array_equal(array, right)


@pytest.mark.parametrize(
    ("x", "y"), list(itertools.product(ONE, TARGETS)), ids=lambda form: form
)
def test_all_forms_of_a_pair_are_one_sample(x, y):
    expected = take(X, Y[:, 0] if y == "flat" else Y)
    x, y = ONE[x](X), TARGETS[y](Y)
    for data in ((x, y), ((x, y),), ([x, y],)):
        assert_same(take(*data, model=model_of_one()), expected)
    for data in ([(x, y)], iter([(x, y)]), iter([[x, y]])):
        assert_same(take(data, model=model_of_one()), expected)


@pytest.mark.parametrize("form", TARGETS)
def test_diagnosis_and_callback_read_all_forms(form):
    x, y = ONE.get(form, frame)(X), TARGETS[form](Y)
    expected = seen(model_of_one(), X, Y)
    for data in ((x, y), ((x, y),), ([x, y],)):
        assert seen(model_of_one(), *data) == expected
    history = watched(model_of_one(), (x, y))
    assert np.isfinite(history["skill"]).all()
    assert history["skill"] == watched(model_of_one(), (X, Y))["skill"]


@pytest.mark.parametrize("form", TARGETS)
@pytest.mark.parametrize("kind", [list, tuple, dict])
def test_lists_and_dicts_of_all_forms_are_one_sample(kind, form):
    def several(names, parts):
        if kind is dict:
            return dict(zip(names, parts, strict=True))
        return kind(parts)

    model = model_of_two({"a": 0, "b": 1} if kind is dict else ("a", "b"))
    x = several("ab", [ONE.get(form, frame)(X), X])
    y = several("pq", [TARGETS[form](Y), Y])
    first = Y[:, 0] if form == "flat" else Y
    expected = take([X, X], [first, Y])
    for data in ((x, y), ((x, y),), (iter([(x, y)]),)):
        assert_same(take(*data, model=model), expected)
    if form == "frame":
        assert np.isfinite(watched(model, (x, y))["skill"]).all()


def test_columns_of_several_dtypes_are_numbers():
    sample = take(mixed_frame(X), series(Y))
    assert sample.x.dtype == "float32"
    assert sample.x.shape == (64, 4)
    assert sample.y.shape == (64, 1)  # as `fit` has it


def test_sparse_matrices_are_read_as_fit_reads_them():
    sparse = pytest.importorskip("scipy.sparse").csr_matrix(X)
    np.testing.assert_array_equal(take(sparse, Y).x, X)


def test_sample_weights_come_with_their_samples():
    weight = np.arange(64.0)
    for data in ((X, Y, weight), ([X, Y, weight],), ((X, Y, weight),)):
        sample = take(*data, model=model_of_one())
        np.testing.assert_array_equal(sample.sample_weight, weight)


# --- how many inputs a model has decides what a list or a tuple is ---


def test_a_list_for_one_input_is_x_and_y():
    sample = take([X, Y], model=model_of_one())
    np.testing.assert_array_equal(sample.y, Y)
    sample = take([X], Y, model=model_of_one())
    np.testing.assert_array_equal(keras.tree.flatten(sample.x)[0], X)


def test_a_list_or_tuple_for_as_many_inputs_is_x():
    for data in ([X, X], (X, X)):
        sample = take(data, model=model_of_two())
        assert sample.y is None
        assert len(sample.x) == 2
    assert take((X, X)).y is not None  # without a model the first is x


def test_batches_of_several_inputs_without_targets():
    data = iter([(X[:32], X[:32]), (X[32:], X[32:])])
    sample = take(data, model=model_of_two())
    assert sample.y is None
    assert [len(x) for x in sample.x] == [64, 64]


@pytest.mark.parametrize("data", [([X, X, X, X],), ([X, X, X], Y), ((X, X), Y)])
def test_more_arrays_than_inputs_are_refused(data):
    with pytest.raises(ValueError, match=r"takes 1 input.*Received: x of \d arrays"):
        take(*data, model=model_of_one())


# --- what cannot be read ---


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ((X.tolist(), Y), "`x` must hold arrays.*list of numbers.*`np.array"),
        ((X, Y[:, 0].tolist()), "`y` must hold arrays.*list of numbers"),
        ((X, ["cat", "dog"] * 32), "`y` must hold arrays.*list of text"),
        (([(X[0], Y[0]), (X[1], Y[1])],), r"batched.*\.batch\(32\)"),
        (([(X[0], Y[0, 0])],), r"batched.*\.batch\(32\)"),
        ((iter([(X, Y)]), Y), "`y` must be None"),
        (((X, Y, Y, Y),), "a tuple of 4"),
        ((iter([(X, Y, X, Y)]),), r"pass several inputs.*Received: a tuple of 4"),
        ((iter([{"a": X, "b": [(X[:4], Y[:4])]}]),), r"own `train_step`.*\(64, 4\)"),
        (([np.float32(i) for i in range(9000)], Y), "same number of samples"),
        (([X[0]] * 9000, Y[:1]), "same number of samples"),
    ],
)
def test_what_cannot_be_read_is_refused_in_few_words(data, words):
    with pytest.raises(ValueError, match=words) as raised:
        take(*data)
    assert len(str(raised.value)) < 400


def test_a_list_of_very_many_arrays_is_refused_in_few_words():
    with pytest.raises(ValueError, match=r"x of 5000 arrays.*and 4994 more") as raised:
        take([X] * 5000, Y, model=model_of_one())
    assert len(str(raised.value)) < 400


def test_batches_of_several_widths_give_those_of_the_commonest():
    batches = [(np.ones((8, width)), Y[:8]) for width in (3, 5, 5, 4)]
    sample = take(iter(batches))
    assert sample.x.shape == (16, 5)
    assert sample.y.shape == (16, 1)


def test_an_output_without_targets():
    model = model_of_two()
    model.compile("adam", ["binary_crossentropy", None])
    assert seen(model, [X, X], [Y, None])[1].keys() == {"p", "q"}
    assert diagnose(model, [X, X], [Y, None]).skipped == {}
