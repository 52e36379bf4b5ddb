"""Where a model stands, before anything is said about causes."""

import keras
import numpy as np

from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.standing import standing
from tests.diagnosis.nets import inputs, net

X = inputs()
Y = X[:, :1] + 1


def seen(model, y=Y):
    return standing(Snapshot(model, X, y), checks=7)


def test_a_model_that_has_made_no_step():
    stands = seen(net(loss="mse"))
    assert stands.steps == 0
    assert stands.skill < 0.5
    assert stands.output is None
    assert stands.is_finite
    assert not stands.ranks
    assert stands.checks == 7


def test_a_model_that_has_learned():
    model = net(loss="mse", optimizer=keras.optimizers.Adam(0.02))
    model.fit(X, Y, epochs=60, batch_size=16, verbose=0)
    stands = seen(model)
    assert stands.steps == 240
    assert stands.skill > 0.8


def test_without_an_optimizer_no_steps_are_known():
    assert seen(net()).steps is None


def test_answers_that_are_nan():
    model = net(loss="mse")
    model.set_weights([w * np.nan for w in model.get_weights()])
    stands = seen(model)
    assert not stands.is_finite
    assert np.isnan(stands.skill)


def test_without_targets_no_skill_is_known():
    assert np.isnan(seen(net(loss="mse"), None).skill)
    text = np.where(Y > 0, "cat", "dog")
    assert np.isnan(seen(net(loss="mse"), text).skill)


def test_the_worst_output_counts():
    entry = keras.Input((6,))
    good = keras.layers.Lambda(lambda x: x[:, :1] + 1, output_shape=(1,), name="good")
    bad = keras.layers.Lambda(lambda x: 90 - x[:, :1], output_shape=(1,), name="bad")
    model = keras.Model(entry, {"good": good(entry), "bad": bad(entry)})
    stands = seen(model, {"good": Y, "bad": Y})
    assert stands.output == "bad"
    assert stands.skill < -10


def test_scores_that_rank_but_are_far_off():
    model = net(1, "sigmoid", "binary_crossentropy")
    labels = (X[:, :1] > 0).astype("float32")
    first, last = model.layers[0], model.layers[-1]
    first.set_weights([np.eye(6, 16), np.zeros(16)])
    last.set_weights([9 * np.eye(16, 1), np.array([-20.0])])
    stands = seen(model, labels)
    assert stands.ranks
    assert stands.skill < 0
