"""Terms that are added to the loss, off."""

import keras

from keras_trainfix.diagnosis.experiments.mended import Mended
from keras_trainfix.diagnosis.experiments.training import training_of
from keras_trainfix.diagnosis.experiments.treatment import TREATMENTS, Case
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.experiments.benches import compiled, gains, mlp, pair, table

X, Y = table()


class Term(keras.layers.Layer):
    """Adds the mean square of its input to the loss, with a weight."""

    def __init__(self, weight, **kwargs):
        super().__init__(**kwargs)
        self.weight = weight

    def call(self, inputs):
        self.add_loss(self.weight * keras.ops.mean(keras.ops.square(inputs)))
        return inputs


@pair("no-constraints", cured=0.02, sound=20.0)
def test_no_constraints(most):
    bound = {"kernel_constraint": keras.constraints.MaxNorm(most)}
    return compiled(mlp(keras.layers.Dense(16, "relu", **bound), **bound)), X, Y


@pair("no-weight-penalties", cured=300.0, sound=1e-5)
def test_penalties_on_weights(weight):
    return compiled(mlp(kernel_regularizer=keras.regularizers.L2(weight))), X, Y


@pair("no-activity-penalties", cured=10.0, sound=1e-5)
def test_penalties_on_activities(weight):
    return compiled(mlp(activity_regularizer=keras.regularizers.L2(weight))), X, Y


@pair("no-added-loss", cured=1e3, sound=1e-5)
def test_terms_of_add_loss(weight):
    return compiled(mlp(Term(weight))), X, Y


@pair("terms-balanced", cured=300.0, sound=1e-5)
def test_terms_balanced(weight):
    penalties = {
        "kernel_regularizer": keras.regularizers.L2(weight),
        "activity_regularizer": keras.regularizers.L2(weight),
    }
    return compiled(mlp(Term(weight), **penalties)), X, Y


def test_a_penalty_is_put_back():
    penalty = keras.regularizers.L2(300.0)
    model = compiled(mlp(kernel_regularizer=penalty))
    for name in ("no-weight-penalties", "terms-balanced"):
        assert len(gains(name, model, X, Y, steps=2)) == 1
        assert model.layers[0].kernel.regularizer is penalty


def test_the_layer_that_adds_a_loss_is_named():
    model = compiled(mlp(Term(1e3, name="term")))
    (words,) = gains("no-added-loss", model, X, Y, steps=2)
    assert words == "the `add_loss` of 'term' off"
    (words,) = gains("terms-balanced", model, X, Y, steps=2)
    assert "the `add_loss` of 'term' x 0.0" in words
    assert "add_loss" not in vars(model.layers[1])


def test_a_copy_has_smaller_penalties():
    model = compiled(
        mlp(
            kernel_regularizer=keras.regularizers.L2(1000.0),
            activity_regularizer=keras.regularizers.L1(1000.0),
        )
    )
    snapshot = Snapshot(model, X, Y)
    case = Case(training_of(snapshot), snapshot)
    (variant,) = TREATMENTS["terms-balanced"].variants(case)
    mended = Mended(model, keras.models.clone_model(model))
    variant.mend(mended)
    layer = mended.copy.layers[0]
    assert 0 < layer.kernel.regularizer.l2 < 100
    assert layer.kernel_regularizer.l2 == layer.kernel.regularizer.l2
    assert 0 < layer.activity_regularizer.l1 < 100
    assert model.layers[0].activity_regularizer.l1 == 1000


def test_without_penalties_there_is_nothing_to_try():
    model = compiled(mlp())
    names = ("no-weight-penalties", "no-activity-penalties", "no-added-loss")
    assert [gains(name, model, X, Y) for name in (*names, "terms-balanced")] == [{}] * 4
