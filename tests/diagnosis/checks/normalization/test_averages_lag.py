"""Averages that `fit` is too short to fill are found before it begins."""

import keras
import pytest
from keras import layers

from keras_trainfix import diagnose
from keras_trainfix.models import recalibrate_batch_norm
from tests.diagnosis.nets import inputs, net

X = inputs(256)
Y = 3 * X[:, :1]


@pytest.fixture(scope="module")
def digits():
    data = pytest.importorskip("sklearn.datasets").load_digits()
    return (data.images[:1024, ..., None] / 16).astype("float32"), data.target[:1024]


def found(model, x, y, **arguments):
    diagnosis = diagnose(model, x, y, **arguments)
    return [f for f in diagnosis.findings if f.code == "KTF308"]


def averaged(momentum, **settings):
    optimizer = keras.optimizers.Adam(
        0.01, use_ema=True, ema_momentum=momentum, **settings
    )
    return net(loss="mse", optimizer=optimizer)


def test_an_average_of_the_weights_that_began_with_them():
    (finding,) = found(averaged(0.9999), X, Y, epochs=20, fit=False)
    assert finding.severity == "error"
    assert "the average of 160 steps is 98% the weights" in finding.message
    assert "at the end of `fit`" in finding.message
    assert "use_ema=True, ema_momentum=0.94)" in finding.fix
    scope = {"model": averaged(0.9999), "keras": keras}
    exec(finding.fix, scope)
    assert not found(scope["model"], X, Y, epochs=20, fit=False)


def test_an_average_that_is_taken_more_often():
    (finding,) = found(
        averaged(0.9999, ema_overwrite_frequency=10), X, Y, epochs=20, fit=False
    )
    assert "every 10 steps" in finding.message


def test_averages_that_follow():
    assert not found(averaged(0.97), X, Y, epochs=20, fit=False)
    assert not found(averaged(0.9999), X, Y, epochs=2000, fit=False)
    assert not found(averaged(0.9999), X, Y, fit=False)  # for how long is not known
    assert not found(net(loss="mse"), X, Y, epochs=20, fit=False)


def test_the_average_is_found_after_training():
    model = averaged(0.9999)
    model.fit(X, Y, epochs=2, verbose=0)
    (finding,) = found(model, X, Y, fit=False)
    assert "the average of 16 steps" in finding.message


def cnn(momentum=0.99):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.BatchNormalization(momentum=momentum),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.BatchNormalization(momentum=momentum),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(0.01),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def accuracy(model, digits):
    return model.evaluate(*digits, verbose=0)[1]


@pytest.mark.slow
def test_statistics_that_lag_spoil_inference_as_foretold(whole_bench, digits):
    model = cnn()
    (finding,) = found(model, *digits, epochs=3)
    assert finding.severity == "warning"
    assert "makes 96 steps" in finding.message
    assert "are 38% their initial" in finding.message
    assert finding.evidence["in_training"] > 0.9
    model.fit(*digits, epochs=3, verbose=0)
    assert accuracy(model, digits) < 0.5
    recalibrate_batch_norm(model, digits[0])
    assert accuracy(model, digits) > 0.9


@pytest.mark.slow
def test_the_fix_gives_statistics_that_follow(whole_bench, digits):
    model = cnn()
    (finding,) = found(model, *digits, epochs=3)
    exec(finding.fix, {"model": model, "keras": keras})
    assert not found(model, *digits, epochs=3)
    model.fit(*digits, epochs=3, verbose=0)
    assert accuracy(model, digits) > 0.9


@pytest.mark.slow
def test_many_steps_and_unknown_ones_are_left_alone(whole_bench, digits):
    assert not found(cnn(), *digits, epochs=40)
    assert not found(cnn(), *digits)
