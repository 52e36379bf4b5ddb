"""The first layer that shows a fault, or the layer it is a part of."""

import keras
import numpy as np
from keras import layers

from keras_trainfix.diagnosis.experiments.culprit import first_layer
from tests.diagnosis.single import sequential


def test_the_first_of_several():
    model = sequential(
        layers.Dense(4, name="one"),
        layers.ReLU(name="two"),
        layers.ReLU(name="three"),
    )
    x = np.random.default_rng(0).normal(size=(8, 6)).astype("float32")
    assert first_layer(model, x, lambda values: values.min() >= 0).name == "two"
    assert first_layer(model, x, lambda values: values.max() > 1e9) is None


def test_the_whole_of_which_it_is_a_part():
    x = np.random.default_rng(0).normal(size=(8, 5, 6)).astype("float32")
    inner = layers.Bidirectional(layers.GRU(3, return_sequences=True), name="both")
    nested = keras.Sequential([keras.Input((5, 6)), inner])
    model = keras.Sequential([keras.Input((5, 6)), nested, layers.Dense(2)])
    assert first_layer(model, x, lambda v: v.shape[-1] == 3) is inner
