"""A look at a model tells the facts, and leaves the model as it was."""

import importlib.util

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix import backend, diagnose
from keras_trainfix.backend import to_numpy
from keras_trainfix.diagnosis.examine import examine
from keras_trainfix.diagnosis.observe.layer_outputs import layer_outputs
from keras_trainfix.diagnosis.observe.sample import take
from keras_trainfix.diagnosis.snapshot import CallError, Snapshot
from tests.diagnosis.nets import inputs, net

X = inputs()
Y = (X[:, :1] > 0).astype("int32")
ROWS = np.eye(3)[Y[:, 0] * 2]


def message(call, error=ValueError):
    with pytest.raises(error, match="Received: ") as raised:
        call()
    return str(raised.value)


# --- samples ---


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        part = slice(8 * index, 8 * index + 8)
        return X[part], Y[part]


def sources():
    yield "arrays", (X, Y)
    yield "tuple", ((X, Y), None)
    yield "PyDataset", (Batches(), None)
    yield "generator", (((X[i : i + 8], Y[i : i + 8]) for i in range(0, 64, 8)), None)
    yield "tensors", (keras.ops.convert_to_tensor(X), keras.ops.convert_to_tensor(Y))
    if importlib.util.find_spec("tensorflow"):
        import tensorflow as tf

        yield "tf.data", (tf.data.Dataset.from_tensor_slices((X, Y)).batch(8), None)


@pytest.mark.parametrize(
    ("x", "y"), [s[1] for s in sources()], ids=[s[0] for s in sources()]
)
def test_samples_come_from_anything_that_fit_takes(x, y):
    sample = take(x, y, most=20)
    assert len(sample.x) == len(sample.y) == 20
    assert isinstance(sample.x, np.ndarray)
    assert all(row in X for row in sample.x)


def test_samples_of_arrays_are_spread_over_the_whole():
    x = np.arange(1000)
    sample = take(x, x // 500)
    assert len(sample.x) == 256
    assert (np.diff(sample.x) > 0).all()
    assert sample.x[0] < 4
    assert sample.x[-1] >= 996
    assert sample.y.mean() == 0.5
    assert sample.ordered


def test_samples_of_alternating_classes_have_both():
    assert 0.3 < take(np.arange(512), np.arange(512) % 2).y.mean() < 0.7


def test_structures_keep_their_form():
    sample = take({"a": X, "b": X[:, :2]}, [Y, Y], X[:, 0], most=5)
    assert sample.x["b"].shape == (5, 2)
    assert [len(y) for y in sample.y] == [5, 5]
    assert sample.sample_weight.shape == (5,)


def test_samples_that_cannot_be_read():
    assert "same number of samples" in message(lambda: take(X, Y[:3]))
    assert "1 or more" in message(lambda: take(X[:0], Y[:0]))
    assert "must hold at least one sample" in message(lambda: take(iter(())))
    assert "must be arrays, or batches" in message(lambda: take(7), TypeError)


# --- the model stays as it is ---


def test_a_look_changes_nothing():
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((6, 6)),
            layers.GaussianNoise(1.0),
            layers.LSTM(4, dropout=0.5),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(1, "sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    x = np.random.default_rng(1).normal(size=(16, 6, 6)).astype("float32")
    model.fit(x, Y[:16], verbose=0)

    def state():
        variables = [*model.variables, *model.optimizer.variables]
        variables += [v for m in model.metrics for v in m.variables]
        return [to_numpy(v) for v in variables]

    before, function = state(), model.train_function
    snapshot = Snapshot(model, x, Y[:16])
    for old, new in zip(before, state(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert model.train_function is function
    assert not any("call" in layer.__dict__ for layer in model.layers)
    np.testing.assert_allclose(
        snapshot.predictions[0], model.predict(x, verbose=0), rtol=1e-5, atol=1e-6
    )


def test_a_call_that_fails_leaves_no_trace():
    model = net()
    with pytest.raises(Exception):  # noqa: B017, PT011 - that of the backend
        layer_outputs(model, X[:, :3])
    assert not any("call" in layer.__dict__ for layer in model.layers)


def test_what_a_call_adds_as_loss_goes_again():
    class Adding(layers.Layer):
        def call(self, x):
            self.add_loss(keras.ops.sum(x))
            return x

    model = keras.Sequential([keras.Input((6,)), Adding()])
    Snapshot(model, X)
    assert model.losses == []
    model(X)
    before = [id(loss) for loss in model.losses]
    assert len(before) == 1
    Snapshot(model, X)
    assert [id(loss) for loss in model.losses] == before


@pytest.mark.backend_only("jax", reason="the others do not compile operations")
def test_a_call_in_one_piece_gives_what_single_operations_give(monkeypatch):
    entry = keras.Input((6, 6))
    y = layers.LSTM(4, dropout=0.5)(layers.GaussianNoise(1.0)(entry))
    shared = layers.Dense(4, "relu")
    y = layers.BatchNormalization()(shared(shared(y)))
    model = keras.Model(entry, {"a": layers.Dense(1)(y), "b": y})
    x = np.random.default_rng(1).normal(size=(16, 6, 6))
    for training in (False, True):
        found = []
        for most in (0, 99):
            monkeypatch.setattr(backend.execution, "MANY_LAYERS", most)
            found.append(layer_outputs(model, x, training))
        (whole, in_one_piece), (expected, seen) = found
        assert [o.layer for o in in_one_piece] == [o.layer for o in seen]
        assert whole.keys() == expected.keys()
        for a, b in zip(in_one_piece, seen, strict=True):
            assert a.values.dtype == b.values.dtype
            np.testing.assert_allclose(a.values, b.values, rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(whole["b"], in_one_piece[-2].values)


def test_a_call_that_depends_on_values(monkeypatch):
    class Switch(layers.Layer):
        def call(self, x):
            return x if to_numpy(x).max() > 0 else -x

    monkeypatch.setattr(backend.execution, "MANY_LAYERS", 0)
    model = keras.Sequential([keras.Input((6,)), layers.Dense(3)])
    model.build((None, 6))
    model = Wrapped(model, Switch())
    outputs, called = layer_outputs(model, X)
    assert len(called) == 2
    np.testing.assert_array_equal(outputs, called[-1].values)
    assert not any("call" in vars(layer) for layer in model._flatten_layers())


class Wrapped(keras.Model):
    def __init__(self, *parts):
        super().__init__()
        self.parts = list(parts)

    def call(self, x):
        for part in self.parts:
            x = part(x)
        return x


# --- outputs ---


def test_outputs_of_a_model_with_several():
    entry = keras.Input((6,))
    model = keras.Model(
        entry,
        {
            "a": layers.Dense(1, "sigmoid", name="a")(entry),
            "b": layers.Dense(2, name="b")(entry),
        },
    )
    model.compile("adam", {"a": "binary_crossentropy", "b": "mse"})
    views = Snapshot(model, X, {"a": Y, "b": X[:, :2]}).views()
    assert [p.name for p in views] == ["a", "b"]
    assert [p.task for p in views] == ["binary classification", "regression"]
    assert [p.head.activation for p in views] == ["sigmoid", "linear"]
    assert [p.loss.kind for p in views] == ["binary", "regression"]


def test_other_answers_are_of_the_same_task():
    def own(y_true, y_pred):
        return keras.losses.sparse_categorical_crossentropy(y_true, y_pred)

    model = keras.Sequential([keras.Input((6,)), layers.Dense(3, "softmax")])
    model.compile("adam", own)
    right = np.eye(3)[Y[:, 0]]
    assert Snapshot(model, X, Y).views()[0].skill_of(right).balanced_accuracy == 1


def recurrent(stateful):
    inputs = keras.Input((4, 1), batch_size=16)
    hidden = keras.layers.GRU(4, stateful=stateful)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1)(hidden))
    model.compile("adam", "mse")
    return model


@pytest.mark.parametrize(("stateful", "samples"), [(False, 64), (True, 16)])
def test_a_batch_of_the_size_that_a_model_is_built_for(stateful, samples):
    x = np.random.default_rng(0).normal(size=(64, 4, 1)).astype("float32")
    y = x.sum((1, 2))[:, None]
    model = recurrent(stateful)
    before = [to_numpy(v) for v in model.variables]
    snapshot = Snapshot(model, x, y)
    assert snapshot.samples == len(snapshot.targets[0]) == samples
    assert snapshot.inputs["input"].shape[0] == samples
    remarks = examine(snapshot).remarks
    assert any("takes batches of 16 alone" in line for line in remarks) == stateful
    assert diagnose(model, x, y).ok  # whatever cannot be tried
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(to_numpy(variable), value)
    if stateful:
        with pytest.raises(CallError):
            Snapshot(model, x[:10], y[:10])
