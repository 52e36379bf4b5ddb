"""Compiled models follow a change of their layers without `compile`."""

import keras
import pytest
from keras import layers
from keras.layers import BatchNormalization

from keras_trainfix import freeze_batch_norm
from keras_trainfix.models.compiled import forget_compiled_functions
from tests.models.nets import equal, nested, sequential, statistics, trained


@pytest.fixture
def x(rng):
    return rng.normal(3, 2, (16, 6, 6, 3)).astype("float32")


@pytest.fixture
def y(rng):
    return rng.normal(size=(16, 2)).astype("float32")


def test_only_models_with_the_layer_are_compiled_again(x, y):
    one, other = trained(nested, x, y), trained(nested, x, y)
    functions = one.train_function, other.train_function
    one.predict(x, verbose=0)
    forget_compiled_functions([one.get_layer("second")])
    assert one.train_function is not functions[0]
    assert callable(one.train_function)
    assert callable(one.predict_function)
    assert one.test_function is None  # there was none
    assert other.train_function is functions[1]


def test_a_compiled_model_honors_the_freezing_of_its_backbone(x, y):
    model = trained(nested, x, y)
    backbone = model.get_layer("backbone")
    before = statistics(model)
    freeze_batch_norm(backbone)
    model.fit(x, y, batch_size=8, epochs=1, verbose=0)
    assert equal(before, statistics(model)) == [True, True, False, False]


def test_two_models_that_share_layers_both_honor_it(x, y):
    encoder = keras.Sequential(
        [keras.Input((6, 6, 3)), BatchNormalization(), layers.Flatten()]
    )
    first, second = (
        keras.Sequential([keras.Input((6, 6, 3)), encoder, layers.Dense(2)])
        for _ in range(2)
    )
    for model in (first, second):
        model.compile("sgd", "mse")
        model.fit(x / 100, y, epochs=1, verbose=0)
    freeze_batch_norm(first)
    before = statistics(encoder)
    second.fit(x / 100, y, epochs=1, verbose=0)
    assert all(equal(before, statistics(encoder)))


def test_a_callback_can_freeze_in_the_middle_of_fit(x, y):
    class FreezeAtTwo(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                freeze_batch_norm(self.model)

        def on_epoch_end(self, epoch, logs=None):
            seen.append(statistics(self.model))

    seen = []
    model = sequential()
    model.compile("sgd", "mse")
    model.fit(x, y, epochs=4, verbose=0, callbacks=[FreezeAtTwo()])
    assert not any(equal(seen[0], seen[1]))
    assert all(equal(seen[1], seen[2]))
    assert all(equal(seen[1], seen[3]))
