"""How samples pull at their answers, for losses that tell them apart or do not."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_trainfix.diagnosis.experiments.instruments.gradients_by_answer import (
    answer_gradients,
    answers_for,
    exchanged,
    share_of_largest,
    those_that_drive,
)
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.nets import inputs, net

X = inputs(128)
Y = X[:, :2]
IDS = np.digitize(X[:, 0], [-0.5, 0.5])


def of_means(y, p):
    return ops.sqrt(ops.sum(ops.square(ops.mean(p - y, axis=0))))


def of_mean_target(y, p):
    return ops.mean(ops.square(p - ops.mean(y, axis=0, keepdims=True)))


def own_value(y, p):
    return ops.mean(p)


def seen_of(loss, y=Y, units=2, activation=None):
    model = net(units, activation, loss)
    (seen,) = answer_gradients(Snapshot(model, X, y)).values()
    return seen


@pytest.mark.parametrize("loss", [of_means, of_mean_target, "mse", "mae"])
def test_losses_of_the_mean_do_not_tell_samples_apart(loss):
    is_blind = not isinstance(loss, str)
    seen = seen_of(loss)
    assert (seen.change < 1e-4) == is_blind
    assert not seen.ignores


@pytest.mark.parametrize(
    ("loss", "activation", "units", "y"),
    [
        ("mae", None, 2, Y + 300),
        ("huber", None, 2, 1000 * Y - 5000),
        ("log_cosh", None, 2, Y + 300),
        ("mape", None, 2, Y + 300),
        ("msle", "softplus", 2, np.abs(Y)),
        ("poisson", "softplus", 2, np.abs(Y).round()),
        ("hinge", "tanh", 1, np.sign(Y[:, :1])),
        ("cosine_similarity", None, 2, Y),
        ("binary_crossentropy", "sigmoid", 2, (Y > 0).astype("int32")),
        ("categorical_crossentropy", "softmax", 3, np.eye(3)[IDS]),
        ("sparse_categorical_crossentropy", "softmax", 3, IDS),
        (keras.losses.SparseCategoricalCrossentropy(from_logits=True), None, 3, IDS),
        ("kl_divergence", "softmax", 3, np.eye(3)[IDS]),
        ("dice", "sigmoid", 2, (Y > 0).astype("float32")),
    ],
)
def test_losses_of_keras_tell_samples_apart(loss, activation, units, y):
    seen = seen_of(loss, y, units, activation)
    assert seen.change > 0.01
    assert not seen.ignores
    assert not seen.share > 0.9


def test_a_loss_that_reads_no_target():
    seen = seen_of(own_value)
    assert (seen.change, seen.ignores) == (0, True)
    assert not seen_of(of_means).ignores


def test_targets_that_do_not_differ():
    assert np.isnan(seen_of("mse", np.ones_like(Y)).change)
    assert seen_of("mse", Y).change > 0.1


@pytest.mark.parametrize("zeros", [0, 5])
def test_a_few_samples_have_all_of_the_gradient(zeros):
    y = np.abs(Y) + 1
    y[:zeros] = 0
    seen = seen_of("mape", y)
    assert (seen.share > 0.99) == bool(zeros)
    if zeros:
        assert sorted(seen.largest) == list(range(zeros))


def test_samples_without_a_gradient_do_not_count():
    """Four of five samples are not labeled."""
    y = np.where(np.arange(128) % 5, 255, IDS)
    loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=255)
    assert seen_of(loss, y, 3, "softmax").share < 0.3


def test_the_order_of_exchange():
    y = np.repeat([0, 1], 4)
    assert (y[exchanged(y)] != y).all()
    assert exchanged(np.ones(4)) is None


def test_shares():
    assert share_of_largest(np.ones(100)) == pytest.approx(0.1)
    assert np.isnan(share_of_largest(np.ones(10)))
    assert those_that_drive(np.array([0, 1e9, 1, 1])).tolist() == [1]


def test_made_up_answers_look_like_answers():
    p = np.full((40, 3), 1 / 3, "float32")
    for answers in answers_for(p, np.eye(3)[np.arange(40) % 3]):
        assert answers.shape == p.shape
        assert 0 < answers.min() <= answers.max() < 1
    own, drawn = answers_for(5 * p - 3, np.arange(40))
    assert own.dtype == drawn.dtype == np.float32


def test_each_output_by_its_own_targets():
    keras.utils.set_random_seed(1)
    image = keras.Input((6,))
    h = layers.Dense(8, "relu")(image)
    outputs = {"b": layers.Dense(2)(h), "a": layers.Dense(3, "softmax")(h)}
    model = keras.Model(image, outputs)
    losses = {"a": "sparse_categorical_crossentropy", "b": of_means}
    model.compile("adam", losses)
    seen = answer_gradients(Snapshot(model, X, {"a": IDS, "b": Y}))
    assert seen["b"].change < 1e-4 < 0.1 < seen["a"].change


def test_a_list_of_outputs_one_without_a_loss():
    image = keras.Input((6,))
    p, q = layers.Dense(2, name="p")(image), layers.Dense(2, name="q")(image)
    model = keras.Model(image, [p, q])
    model.compile("adam", [None, "mse"])
    seen = answer_gradients(Snapshot(model, X, [Y, Y]))
    assert list(seen) == ["q"]
    assert seen["q"].change > 0.1


class OwnStep(keras.Sequential):
    def train_step(self, *args):
        raise NotImplementedError


def test_where_the_question_makes_no_sense():
    assert answer_gradients(Snapshot(net(2, None, "mse"), X, Y))
    assert answer_gradients(Snapshot(net(2, None, "mse"), X)) is None
    assert answer_gradients(Snapshot(net(2), X, Y)) is None
    own = OwnStep([keras.Input((6,)), layers.Dense(2)])
    own.compile("adam", of_means)
    assert answer_gradients(Snapshot(own, X, Y)) is None
