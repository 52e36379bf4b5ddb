"""Weights of losses that change during training, and only they."""

import keras
import numpy as np
import pytest

from keras_trainfix import (
    MaskedBoundary,
    MaskedCrossentropy,
    MaskedSoftDice,
    WeightedSum,
    WeightSchedule,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, 6, 5, 3)).astype("float32")
Y = RNG.integers(0, 3, (8, 6, 5)).astype("uint8")
Y[RNG.random(Y.shape) < 0.2] = 255
PARTS = [MaskedCrossentropy, MaskedSoftDice]


def weights_at(number):
    return [1 / (1 + number), float(number)]


def model_of(loss, rate=0.1, **options):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((6, 5, 3)), keras.layers.Dense(3, "softmax")])
    model.compile(keras.optimizers.SGD(rate), loss, **options)
    return model


def fit(model, callbacks, epochs=3, **options):
    return model.fit(
        *(X, Y),
        batch_size=4,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=callbacks,
        **options,
    ).history


def new_sum():
    return WeightedSum([kind() for kind in PARTS], weights_at(0))


def compiled_anew(unit, epochs=3):
    """The losses of epochs if each epoch or step has a loss of its own."""
    model = model_of(new_sum())
    history = []
    for epoch in range(epochs):
        values = []
        for batch in range(2):
            number = epoch if unit == "epoch" else 2 * epoch + batch
            loss = WeightedSum([kind() for kind in PARTS], weights_at(number))
            model.compile(model.optimizer, loss)
            part = slice(4 * batch, 4 * batch + 4)
            values.append(float(model.train_on_batch(X[part], Y[part])))
        history.append(np.mean(values))
    return history, model


@pytest.mark.parametrize("unit", ["epoch", "step"])
@pytest.mark.parametrize("run_eagerly", [False, True])
def test_it_trains_as_with_a_loss_compiled_anew(unit, run_eagerly):
    loss = new_sum()
    model = model_of(loss, run_eagerly=run_eagerly)
    fit(model, [], epochs=1)  # compiles with constants
    model.set_weights(model_of(new_sum()).get_weights())
    model.optimizer.iterations.assign(0)
    history = fit(model, [WeightSchedule(weights_at, unit)])
    expected, other = compiled_anew(unit)
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-5)
    for found, wanted in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)
    last = 2 if unit == "epoch" else 5
    assert loss.weights == weights_at(last)
    numbers = range(3) if unit == "epoch" else (1, 3, 5)
    names = ["weight_of_masked_crossentropy", "weight_of_masked_soft_dice"]
    for index, name in enumerate(names):
        assert history[name] == [weights_at(number)[index] for number in numbers]


def test_it_is_traced_once():
    traced = []

    class Counted(MaskedSoftDice):
        def read(self, *args):
            traced.append(1)
            return super().read(*args)

    model = model_of(WeightedSum([Counted(), MaskedCrossentropy()]))
    fit(model, [WeightSchedule(weights_at)], epochs=1)
    number = len(traced)
    fit(model, [WeightSchedule(weights_at)], epochs=4)
    if keras.backend.backend() != "torch":
        assert len(traced) <= 2 * number


def test_validation_has_the_same_weights():
    model = model_of(new_sum(), rate=0.0)
    data = {"validation_data": (X, Y), "validation_batch_size": 8}
    history = fit(model, [WeightSchedule(weights_at)], **data)
    np.testing.assert_allclose(
        history["val_loss"], model_losses(model), rtol=1e-5, atol=1e-6
    )


def model_losses(model):
    """The value of each epoch, of a model that does not change."""
    answers = model.predict(X, verbose=0)
    parts = [float(kind()(Y, answers)) for kind in PARTS]
    return [np.dot(weights_at(epoch), parts) for epoch in range(3)]


def test_a_saved_model_keeps_its_weights_and_trains_on(tmp_path):
    loss = new_sum()
    model = model_of(loss)
    names = [metric.name for metric in model.metrics]
    fit(model, [WeightSchedule(weights_at)])
    assert [metric.name for metric in model.metrics] == names
    value = model.evaluate(X, Y, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.loss.weights == weights_at(2)
    np.testing.assert_allclose(loaded.evaluate(X, Y, verbose=0), value, rtol=1e-5)
    schedule = WeightSchedule(weights_at)
    history = fit(loaded, [schedule], epochs=5, initial_epoch=3)
    assert history["weight_of_masked_soft_dice"] == [3.0, 4.0]
    assert loaded.loss.weights == weights_at(4)


def test_one_of_several_sums():
    inputs = keras.Input((6, 5, 3))
    outputs = {
        name: keras.layers.Dense(3, "softmax", name=name)(inputs) for name in "ab"
    }
    model = keras.Model(inputs, outputs)
    sums = {name: new_sum() for name in "ab"}
    model.compile("sgd", sums)
    y = dict.fromkeys("ab", Y)
    with pytest.raises(ValueError, match="one `WeightedSum`. Received: a model with 2"):
        model.fit(X, y, verbose=0, callbacks=[WeightSchedule(weights_at)])
    schedule = WeightSchedule(weights_at, loss=sums["b"])
    model.fit(X, y, epochs=2, verbose=0, callbacks=[schedule])
    assert sums["a"].weights == weights_at(0)
    assert sums["b"].weights == weights_at(1)


def test_a_model_without_a_sum():
    with pytest.raises(ValueError, match="a model with 0, loss=<.*Pass the one"):
        fit(model_of(MaskedSoftDice()), [WeightSchedule(weights_at)])


def test_weights_that_do_not_fit():
    with pytest.raises(ValueError, match="must be 2 numbers.*Received: weights=.1.0."):
        fit(model_of(new_sum()), [WeightSchedule(lambda epoch: [1.0])])


def test_an_unknown_unit():
    with pytest.raises(ValueError, match="'epoch' or 'step'. Received: unit='batch'."):
        WeightSchedule(weights_at, unit="batch")


def test_the_boundary_takes_over():
    loss = WeightedSum([MaskedSoftDice(), MaskedBoundary()])
    history = fit(
        model_of(loss), [WeightSchedule(lambda epoch: [1 - epoch / 2, epoch / 2])]
    )
    assert history["weight_of_masked_boundary"] == [0.0, 0.5, 1.0]
    assert history["loss"][-1] != history["loss"][0]
