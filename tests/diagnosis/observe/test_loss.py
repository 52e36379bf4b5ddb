"""The class axis of any loss, and that predictions are read along it."""

import functools
import inspect

import keras
import numpy as np
import pytest
from keras import layers

import keras_trainfix as kt
from keras_trainfix.diagnosis.observe.loss import class_axis, loss_facts, losses_of
from tests.diagnosis.nets import net, view

SPARSE = keras.losses.sparse_categorical_crossentropy
HAS_AXIS = (  # not in older Keras
    "axis" in inspect.signature(keras.losses.SparseCategoricalCrossentropy).parameters
)


def sparse(**settings):
    if HAS_AXIS:
        return keras.losses.SparseCategoricalCrossentropy(**settings)
    return functools.partial(SPARSE, **settings)


FIRST = sparse(axis=1)


class Own(keras.losses.Loss):
    """A loss of the user's that has an axis."""

    axis = 1

    def call(self, y_true, y_pred):
        return y_pred


@pytest.mark.parametrize(
    ("loss", "axis"),
    [
        (kt.MaskedCrossentropy(axis=1), 1),
        (kt.MaskedSoftDice(axis=-3), 1),
        (kt.MaskedTversky(), 3),
        (kt.WeightedSum([kt.MaskedSoftDice(axis=1), kt.MaskedCrossentropy(axis=1)]), 1),
        (FIRST, 1),
        (keras.losses.CategoricalCrossentropy(axis=1), 1),
        (keras.losses.CategoricalFocalCrossentropy(axis=-3), 1),
        (keras.losses.BinaryCrossentropy(axis=2), 2),
        (keras.losses.CosineSimilarity(axis=1), 1),
        (keras.losses.Dice(axis=(1, 2, 3)), 3),  # summed over
        (keras.losses.Dice(axis=1), 3),
        (keras.losses.Tversky(), 3),
        (keras.losses.MeanSquaredError(), 3),
        (functools.partial(SPARSE, axis=1), 1),
        (functools.partial(functools.partial(SPARSE, axis=1), from_logits=True), 1),
        (Own(), 1),
        (SPARSE, 3),
        (lambda y, p: p, 3),
        ("sparse_categorical_crossentropy", 3),
        (None, 3),
        ([FIRST, FIRST], 1),
        ({"a": FIRST, "b": None}, 1),
        ([FIRST, keras.losses.BinaryCrossentropy(axis=2)], 3),  # no telling
        (kt.MaskedCrossentropy(axis=7), 3),
        (kt.MaskedCrossentropy(axis=0), 3),
    ],
)
def test_the_class_axis_of_a_loss(loss, axis):
    assert class_axis(loss, 4) == axis


def test_a_wrapped_function_has_the_axis_it_is_given():
    model = net()
    model.compile("sgd", functools.partial(SPARSE, axis=1))
    assert class_axis(losses_of(model, ["output"])[0], 3) == 1
    wrapper = type(FIRST).__mro__[1]  # `LossFunctionWrapper`, which Keras does not show
    assert class_axis(wrapper(SPARSE, axis=1), 3) == 1
    assert class_axis(wrapper(FIRST), 3) == 1


def test_predictions_without_a_class_axis():
    assert class_axis(FIRST, 1) == class_axis(None, 1) == 1
    assert class_axis(sparse(axis=3), 2) == 1


@pytest.mark.parametrize("form", ["list", "dict"])
def test_each_output_has_the_axis_of_its_own_loss(form):
    entry = keras.Input((4, 5, 3))
    last = layers.Conv2D(4, 1, name="last")(entry)
    first = layers.Permute((3, 1, 2), name="first")(layers.Conv2D(4, 1)(entry))
    model = keras.Model(entry, [last, first])
    losses = {"last": "sparse_categorical_crossentropy", "first": FIRST}
    model.compile("sgd", losses if form == "dict" else list(losses.values()))
    x, y = np.zeros((2, 4, 5, 3), "float32"), np.zeros((2, 4, 5), "int32")
    views = [view(model, x, [y, y], output=i) for i in range(2)]
    assert [v.class_axis for v in views] == [3, 1]
    assert [v.head.units for v in views] == [4, 4]
    assert [v.labels.shape for v in views] == [(4, 5), (4, 5)]


LOSSES = {
    "masked": kt.MaskedCrossentropy(from_logits=True, axis=1),
    "sum": kt.WeightedSum(
        [
            kt.MaskedSoftDice(from_logits=True, axis=1),
            kt.MaskedCrossentropy(from_logits=True, axis=1),
        ]
    ),
    "Keras": sparse(from_logits=True, axis=1),
}


@pytest.mark.parametrize("name", LOSSES)
def test_classes_that_come_first_are_read(name):
    logits = np.random.default_rng(1).normal(size=(8, 4, 6, 10)).astype("float32")
    ids = logits.argmax(1)
    model = keras.Sequential([keras.Input((4, 6, 10)), layers.Identity()])
    model.compile("sgd", LOSSES[name])
    seen = view(model, logits, ids)
    assert (seen.head.units, seen.counted_targets.units) == (4, 4)
    assert seen.skill.accuracy == 1
    assert view(model, logits, (ids + 1) % 4).skill.accuracy == 0
    assert seen.label_faults == {}
    assert set(view(model, logits, ids + 1).label_faults) == {"KTF121"}


@pytest.mark.parametrize(
    ("loss", "name", "kind", "from_logits", "ignored"),
    [
        ("mse", "mean_squared_error", "regression", None, ()),
        ("binary_crossentropy", "binary_crossentropy", "binary", False, ()),
        (
            keras.losses.BinaryCrossentropy(from_logits=True),
            "binary_crossentropy",
            "binary",
            True,
            (),
        ),
        (
            keras.losses.SparseCategoricalCrossentropy(ignore_class=255),
            "sparse_categorical_crossentropy",
            "sparse",
            False,
            (255,),
        ),
        (
            keras.losses.CategoricalFocalCrossentropy(),
            "categorical_focal_crossentropy",
            "categorical",
            False,
            (),
        ),
        (keras.losses.Dice(), "dice", "region", None, ()),
        (
            keras.losses.mean_absolute_error,
            "mean_absolute_error",
            "regression",
            None,
            (),
        ),
        (
            kt.MaskedSoftDice(from_logits=True),
            "masked_soft_dice",
            "region",
            True,
            (255,),
        ),
        (
            kt.WeightedSum([kt.MaskedCrossentropy(ignore_class=(0, 9))]),
            "WeightedSum",
            "sum",
            False,
            (0, 9),
        ),
        (lambda y, p: p, "<lambda>", "custom", None, ()),
        (None, "none", "none", None, ()),
    ],
)
def test_what_is_known_of_a_loss(loss, name, kind, from_logits, ignored):
    facts = loss_facts(loss)
    assert facts[1:] == (name, kind, from_logits, ignored)
