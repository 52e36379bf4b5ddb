"""Layers are found at any depth, by name, path or object."""

import keras
import pytest
from keras import layers
from keras.layers import BatchNormalization

from keras_trainfix import FrozenBatchNorm, freeze_batch_norm, unfreeze_batch_norm
from keras_trainfix.models.batch_norm_layers import all_layers, batch_norm_layers
from tests.models.nets import (
    Subclassed,
    nested,
    norms,
    sequential,
    shared,
    subclassed,
    wrapped,
)

BUILDERS = [sequential, nested, subclassed, wrapped, shared]


@pytest.mark.parametrize("build", BUILDERS, ids=lambda f: f.__name__)
def test_each_layer_is_found_once(build):
    model = build()
    assert sorted(layer.name for layer in batch_norm_layers(model)) == [
        *("first", "second")
    ]
    found = all_layers(model)
    assert found[0] is model
    assert len({id(layer) for layer in found}) == len(found)


def test_cells_and_wrapped_layers_are_found():
    cell = keras.layers.LSTMCell(2)
    model = keras.Sequential(
        [keras.Input((4, 3)), layers.Bidirectional(layers.RNN(cell), name="both")]
    )
    kinds = [type(layer).__name__ for layer in all_layers(model)]
    assert kinds.count("LSTMCell") == 2
    assert batch_norm_layers(model) == []


@pytest.mark.parametrize(
    "choose",
    [
        lambda model: "first",
        lambda model: ["first"],
        lambda model: model.get_layer("backbone").get_layer("first"),
        lambda model: [model.get_layer("backbone").get_layer("first").path],
        lambda model: "backbone",
        lambda model: (model.get_layer("backbone"),),
        lambda model: iter(["first", "backbone"]),
    ],
)
def test_layers_may_be_named(choose):
    model = nested()
    freeze_batch_norm(model, choose(model))
    assert [layer.name for layer in norms(model, FrozenBatchNorm)] == ["first"]
    unfreeze_batch_norm(model, layers=choose(model))
    assert norms(model, FrozenBatchNorm) == []


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ("third", r"must be a layer of the model.*'third'.*'first', 'second'"),
        (BatchNormalization(), "must be a layer of the model.*BatchNormalization"),
        ("flatten", "must be, or contain, a batch normalization layer.*'flatten'"),
        ([], r"must name at least one layer.*layers=\[\]"),
        (["first", 3], "must be a layer of the model.*3"),
    ],
)
@pytest.mark.parametrize("convert", [freeze_batch_norm, unfreeze_batch_norm])
def test_bad_layers_are_named_and_nothing_changes(convert, chosen, message):
    model = nested()
    kinds = [type(layer) for layer in all_layers(model)]
    with pytest.raises(ValueError, match=message):
        convert(model, chosen)
    assert [type(layer) for layer in all_layers(model)] == kinds


def test_an_ambiguous_name_is_an_error():
    def branch(name):
        return keras.Sequential(
            [keras.Input((2,)), BatchNormalization(name="bn")], name=name
        )

    inputs = keras.Input((2,))
    model = keras.Model(inputs, [branch("a")(inputs), branch("b")(inputs)])
    with pytest.raises(ValueError, match="occurs 2 times.*a/bn.*b/bn"):
        freeze_batch_norm(model, "bn")
    freeze_batch_norm(model, "b")
    assert len(norms(model, FrozenBatchNorm)) == 1


@pytest.mark.parametrize("convert", [freeze_batch_norm, unfreeze_batch_norm])
@pytest.mark.parametrize(
    "model",
    [keras.Sequential([layers.Dense(2), BatchNormalization(name="bn")]), Subclassed()],
)
def test_an_unbuilt_model_is_an_error(convert, model):
    with pytest.raises(ValueError, match="must be built.*'(bn|second|first)'"):
        convert(model)


@pytest.mark.parametrize("model", ["model.keras", None, [BatchNormalization()]])
def test_anything_but_a_model_is_an_error(model):
    with pytest.raises(TypeError, match="must be a Keras 3 model or layer. Received"):
        freeze_batch_norm(model)


class NoisyBatchNorm(BatchNormalization):
    def call(self, inputs, training=None, mask=None):
        return super().call(inputs, training=training) + 1


def test_a_subclass_of_the_users_is_left_alone_with_a_warning():
    model = keras.Sequential(
        [keras.Input((2,)), NoisyBatchNorm(name="mine"), BatchNormalization()]
    )
    with pytest.warns(UserWarning, match="Left out: 'mine' of type NoisyBatchNorm"):
        freeze_batch_norm(model)
    assert [type(n) for n in norms(model)] == [NoisyBatchNorm, FrozenBatchNorm]
