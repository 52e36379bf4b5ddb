"""Generators of the user are where they were after a look."""

import random

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix.diagnosis.observe.generators import unmoved
from keras_trainfix.diagnosis.observe.layer_outputs import layer_outputs, unchanged

SHARED = np.random.default_rng(5)
X = np.ones((4, 3), "float32")


class Noisy(layers.Layer):
    """Draws from a generator of its own, and from one of the module."""

    def __init__(self, draw, held):
        super().__init__()
        self.draw, self.held = draw, held

    def call(self, inputs):
        return inputs + self.draw(self.held) + float(SHARED.normal())


def generators():
    yield "numpy", np.random.default_rng(0), lambda held: float(held.normal())
    yield "state", np.random.RandomState(0), lambda held: float(held.normal())
    yield "python", random.Random(0), lambda held: held.random()
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        held = tf.random.Generator.from_seed(3)
        yield "tensorflow", held, lambda held: float(held.normal(()))
    if keras.backend.backend() == "torch":
        import torch

        held = torch.Generator().manual_seed(3)
        yield "torch", held, lambda held: float(torch.rand((), generator=held))


@pytest.mark.parametrize(("name", "held", "draw"), list(generators()))
def test_a_generator_of_a_layer_is_not_moved(name, held, draw):
    model = keras.Sequential([keras.Input((3,)), Noisy(draw, held)])
    model.compile("sgd", "mse", run_eagerly=True)
    with unmoved(model.layers):
        expected = draw(held), float(SHARED.normal())
    layer_outputs(model, X)
    with unchanged(model):
        model(X)
        moved = draw(held), float(SHARED.normal())
    assert moved != expected
    with unmoved(model.layers):
        assert (draw(held), float(SHARED.normal())) == expected


def test_a_generator_in_the_closure_of_a_lambda():
    held = np.random.default_rng(1)
    model = keras.Sequential(
        [keras.Input((3,)), layers.Lambda(lambda x: x + float(held.normal()))]
    )
    before = held.bit_generator.state
    layer_outputs(model, X)
    assert held.bit_generator.state == before
    model(X)
    assert held.bit_generator.state != before


def test_a_seed_generator_of_keras_outside_of_layers():
    seeds = keras.random.SeedGenerator(4)
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Lambda(lambda x: x + keras.random.normal((3,), seed=seeds)),
        ]
    )
    before = keras.ops.convert_to_numpy(seeds.state.value)
    layer_outputs(model, X)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(seeds.state.value), before)
