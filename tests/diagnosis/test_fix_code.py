"""The code of fixes has the optimizer, the loss and the layers of the model at hand."""

import keras
import numpy as np
import pytest
from keras import layers, optimizers

import keras_trainfix as kt
from keras_trainfix.diagnosis.fix_code import (
    compiled_with,
    layer_of,
    loss_that_ignores,
    recompiled,
    with_first_layer,
    with_new_weights,
)
from keras_trainfix.models.optimizers import inner_of, rate_of
from tests.diagnosis.nets import inputs, net, view
from tests.diagnosis.single import sequential


class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.head = layers.Dense(1)

    def call(self, x):
        return self.head(x)


def run(code, model, x=None):
    """The model after some code."""
    scope = {"model": model, "x": x, "keras": keras, "np": np}
    exec(code, scope)
    return scope["model"]


def settings_of(optimizer):
    config = optimizer.get_config()
    return {key: value for key, value in config.items() if key != "name"}


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: optimizers.Adam(0.003),
        lambda: optimizers.SGD(0.1, momentum=0.9, nesterov=True),
        lambda: optimizers.AdamW(0.01, weight_decay=0.05, clipnorm=2.0),
        lambda: optimizers.LossScaleOptimizer(optimizers.SGD(0.1)),
    ],
)
def test_the_optimizer_is_that_of_the_model(optimizer):
    model = net(loss="mse", optimizer=optimizer())
    before, weights = inner_of(model.optimizer), model.get_weights()
    after = run(recompiled(model, ""), model)
    assert settings_of(after.optimizer) == settings_of(before)
    assert after.loss == "mse"
    np.testing.assert_array_equal(after.get_weights()[0], weights[0])


def test_a_schedule_an_own_optimizer_and_other_settings():
    schedule = optimizers.schedules.ExponentialDecay(0.02, 10, 0.9)
    model = net(loss="mse", optimizer=optimizers.Adam(schedule, clipvalue=1.0))
    code = recompiled(model, "", settings="clipnorm=1.0")
    assert "keras.optimizers.Adam(0.02, clipnorm=1.0)" in code

    class Mine(optimizers.SGD):
        pass

    model = net(loss="mse", optimizer=Mine(0.1))
    assert rate_of(run(recompiled(model, "", rate=0.01), model).optimizer) == (
        pytest.approx(0.01)
    )


@pytest.mark.parametrize(
    "loss",
    ["mse", keras.losses.Huber(), lambda y, p: keras.ops.mean(y - p), ["mse"], None],
)
def test_the_loss_is_that_of_the_model(loss):
    model = sequential(layers.Dense(1), loss=loss)
    after = run(recompiled(model, with_new_weights(model)), model)
    assert after is not model
    assert after.loss == loss


class NoConfig(layers.Layer):
    def __init__(self):
        super().__init__()

    def call(self, x):
        return 2 * x


def test_a_layer_without_a_config_has_no_copy():
    assert with_new_weights(sequential(NoConfig(), layers.Dense(1))).startswith("#")
    assert with_new_weights(sequential(layers.Dense(1))).startswith("model =")


def test_models_that_are_not_compiled_or_have_no_copy():
    assert recompiled(net(), "model.trainable = True") == "model.trainable = True"
    assert with_new_weights(Own()).startswith("#")


def test_a_first_layer_and_several_inputs():
    x = inputs()
    layer = "keras.layers.Rescaling(0.5)"
    model = net(loss="mse")
    expected = model.predict(0.5 * x, verbose=0)
    scaled = run(with_first_layer(view(model, x).snapshot, layer), model, x)
    np.testing.assert_allclose(scaled.predict(x, verbose=0), expected, rtol=1e-5)
    entries = [keras.Input((6,)), keras.Input((6,))]
    model = keras.Model(entries, layers.Dense(1)(layers.add(entries)))
    code = with_first_layer(view(model, [x, x]).snapshot, layer)
    assert all(line.startswith("#") for line in code.splitlines())


def test_a_layer_inside_of_another_layer_has_no_expression():
    body = sequential(layers.Dense(4, name="inner"))
    model = sequential(body, layers.Dense(1, name="outer"))
    assert run(f"model = {layer_of(model, 'outer')}", model).name == "outer"
    assert layer_of(model, "inner") is None


@pytest.mark.parametrize("axis", [1, -1])
def test_a_loss_that_ignores_void_keeps_logits_and_axis(axis):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, axis=axis)
    model = sequential(
        layers.Conv2D(3, 1, data_format="channels_last"),
        *([layers.Permute((3, 1, 2))] if axis == 1 else []),
        loss=loss,
        shape=(4, 4, 2),
    )
    x, y = np.ones((8, 4, 4, 2), "float32"), np.arange(128).reshape(8, 4, 4) % 3
    new = run(loss_that_ignores(view(model, x, y), [255]), model).loss
    assert isinstance(new, kt.MaskedCrossentropy)
    assert (new.ignore_class, new.from_logits, new.axis) == (255, True, axis)


def test_a_schedule_that_cannot_be_serialized():
    class Own(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            return 0.25

    model = net(loss="mse", optimizer=keras.optimizers.SGD(Own(), momentum=0.5))
    code = compiled_with(model, '"mse"')
    assert "SGD(0.25, momentum=0.5)" in code
