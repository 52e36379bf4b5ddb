"""The test suggests a rate that trains well, and leaves no trace on the model."""

import random

import keras
import numpy as np
import pytest
from keras import layers

import keras_trainfix as kt
from keras_trainfix.backend import to_numpy
from keras_trainfix.diagnosis import learning_rate_range_test as module
from tests.diagnosis.experiments.benches import compiled, mlp, table

X, Y = table()


@pytest.fixture
def few_steps(monkeypatch):
    """For tests whose subject is not how well a rate trains."""
    monkeypatch.setattr(module, "STEPS", 12)
    monkeypatch.setattr(module, "RATES", np.array([1e-3, 1e-2, 1e-1]))


def found(model, x=X, y=Y, **kwargs):
    return kt.learning_rate_range_test(model, x, y, verbose=0, **kwargs)


@pytest.mark.parametrize(
    ("optimizer", "low", "high"),
    [
        (lambda: keras.optimizers.SGD(1e-6), 0.03, 0.3),
        (lambda: keras.optimizers.Adam(0.0), 0.01, 0.1),
    ],
)
def test_a_rate_that_trains_whatever_is_compiled(optimizer, low, high):
    model = mlp()
    model.compile(optimizer(), "mse")
    result = found(model)
    assert low <= result.suggestion <= high
    assert len(result.rates) == len(result.losses) == len(result.skills) == 19
    assert (result.rates[0], result.rates[-1]) == (pytest.approx(1e-7), 100.0)
    assert result.losses[0] == pytest.approx(result.start, rel=0.01)
    best = np.nanmin(result.losses)
    assert best < 0.1 * result.start
    model.optimizer.learning_rate = result.suggestion
    model.fit(X, Y, epochs=8, verbose=0)
    assert model.evaluate(X, Y, verbose=0) < 2 * best


def test_a_linear_model_diverges_where_theory_says():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).normal(size=(512, 4))
    result = found(model, x, x.sum(axis=1))
    # Gradient descent diverges above 2 / (the largest eigenvalue of 2 xx'): near 1,
    # and a little lower for batches.
    assert result.edge in (pytest.approx(0.3), pytest.approx(1.0))
    assert result.suggestion <= result.edge / 10
    assert result.skills[result.rates == result.suggestion] > 0.9


def random_states():
    numpy_state = np.random.get_state()
    return random.getstate(), numpy_state[1].tolist(), numpy_state[2]


@pytest.mark.every_backend
def test_everything_stays_to_the_bit(few_steps):
    rate = keras.optimizers.schedules.ExponentialDecay(0.01, 100, 0.5)

    def trained(ask):
        keras.utils.clear_session(free_memory=False)  # and the generator of Keras
        model = mlp(layers.BatchNormalization(), layers.Dropout(0.5))
        model.compile(keras.optimizers.Adam(rate), "mse", metrics=["mae"])
        model.fit(X, Y, epochs=1, verbose=0)
        variables = [
            *model.variables,
            *model.optimizer.variables,
            *model.metrics_variables,
        ]
        before = [to_numpy(v) for v in variables]
        function, states = model.train_function, random_states()
        if ask:
            found(model)
            for variable, value in zip(variables, before, strict=True):
                np.testing.assert_array_equal(to_numpy(variable), value)
            assert model.train_function is function
            assert random_states() == states
            assert model.optimizer._learning_rate is rate
        history = model.fit(X, Y, epochs=2, verbose=0).history
        drawn = keras.ops.convert_to_numpy(keras.random.normal((3,)))
        return history, model.get_weights(), drawn

    trained(ask=False)  # imports what draws random numbers on import
    history, weights, drawn = trained(ask=False)
    others, other_weights, other = trained(ask=True)
    assert history == others
    np.testing.assert_array_equal(drawn, other)
    for one, two in zip(weights, other_weights, strict=True):
        np.testing.assert_array_equal(one, two)


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        rows = slice(64 * index, 64 * index + 64)
        return X[rows], Y[rows]


def generator():
    for index in range(8):
        yield Batches()[index]


@pytest.mark.parametrize(
    ("data", "batch_size"),
    [
        (lambda: (X, Y), 32),
        (lambda: ((X, Y), None), 32),
        (lambda: (Batches(), None), 64),
        (lambda: (generator(), None), 64),
    ],
)
def test_all_that_fit_takes(data, batch_size, few_steps):
    result = found(compiled(mlp()), *data())
    assert result.batch_size == batch_size
    assert result.losses[1] < result.start


def test_the_batch_size_of_fit(few_steps):
    assert found(compiled(mlp()), batch_size=16).batch_size == 16


def test_weights_of_samples_and_classes_count(few_steps):
    rng = np.random.default_rng(0)
    labels = (X[:, 0] > 0).astype("float32")
    wrong = rng.random(len(X)) < 0.5
    given = np.where(wrong, rng.random(len(X)) < 0.5, labels)

    def of(**kwargs):
        model = mlp()
        model.compile(keras.optimizers.Adam(), keras.losses.BinaryCrossentropy(True))
        return found(model, X, given, **kwargs)

    plain = of()
    assert of(sample_weight=1.0 - wrong).losses[2] < 0.7 * plain.losses[2]
    half = of(class_weight={0: 0.5, 1: 0.5})
    assert half.start == pytest.approx(plain.start / 2, rel=1e-4)


def test_a_model_with_a_loss_of_its_own_layers_needs_no_targets(few_steps):
    inputs = keras.Input((4,))

    class Rebuilds(layers.Layer):
        def call(self, both):
            self.add_loss(keras.ops.mean((both[0] - both[1]) ** 2))
            return both[1]

    outputs = Rebuilds()([inputs, layers.Dense(4)(layers.Dense(4)(inputs))])
    model = keras.Model(inputs, outputs)
    model.compile("adam")
    result = found(model, X, None)
    assert result.losses[2] < result.start


def test_no_rate_learns():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1, activation="softmax")])
    model.compile("adam", "binary_crossentropy")
    result = found(model, X, Y > 0)
    assert result.suggestion is None
    assert "`diagnose(model, x, y)` looks for the cause." in str(result)


def test_labels_at_random_are_learned_at_no_rate():
    labels = np.random.default_rng(0).integers(0, 2, len(X))
    model = mlp(units=2)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(True))
    assert found(model, X, labels).suggestion is None


def test_a_large_model_gets_fewer_steps_and_its_own_batches(monkeypatch):
    monkeypatch.setattr(module, "BUDGET", 0.0)
    result = found(compiled(mlp()))
    assert (result.steps, result.batch_size) == (24, 32)
    np.testing.assert_allclose(result.rates, 10.0 ** np.arange(-7, 3))


def test_what_it_says(few_steps):
    lines = str(found(compiled(mlp()))).splitlines()
    assert lines[0].startswith("Use a learning rate of 0.")
    assert lines[0].endswith("The model is compiled with 0.01.")
    assert len(lines) == 8


class OwnStep(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1)

    def call(self, x):
        return self.dense(x)

    def train_step(self, *args):
        return super().train_step(*args)


def own_step():
    model = OwnStep()
    model(X[:2])
    model.compile("adam", "mse")
    return model


def frozen():
    model = compiled(mlp())
    model.trainable = False
    return model


@pytest.mark.parametrize(
    ("model", "x", "y", "message"),
    [
        (mlp, X, Y, "`model` must be compiled.*Received: model="),
        (own_step, X, Y, "own `train_step`.*Received: a model of class OwnStep"),
        (frozen, X, Y, "must have trainable weights"),
        (lambda: compiled(mlp()), X, None, "`y` must be given"),
        (lambda: compiled(mlp()), X[:4], Y[:4], "at least 8.*Received: 4 samples"),
        (lambda: compiled(mlp()), X, Y.astype(str), "must be numbers. Received: text"),
    ],
)
def test_what_cannot_be_tested(model, x, y, message):
    with pytest.raises(ValueError, match=message):
        found(model(), x, y)


def test_an_error_of_the_user_comes_through_and_leaves_no_trace(few_steps):
    def loss(y_true, y_pred):
        raise RuntimeError("of the user")

    model = mlp()
    model.compile("adam", loss)
    before = model.get_weights()
    with pytest.raises(RuntimeError, match="of the user"):
        found(model)
    for one, two in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
