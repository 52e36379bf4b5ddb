"""What can be done for a model that trains, without any `fit`."""

import keras
import numpy as np
import pytest
from keras import layers, regularizers
from keras.optimizers import schedules

from keras_trainfix.callbacks.collapse.cures import (
    HIGHER,
    LOWER,
    Remedy,
    find_remedy,
    make,
    remedy_of,
)
from keras_trainfix.callbacks.collapse.watch import Watch
from keras_trainfix.diagnosis.experiments.mended import can_be_made_in_place
from keras_trainfix.diagnosis.experiments.treatment import TREATMENTS
from keras_trainfix.diagnosis.observe.sample import Sample
from keras_trainfix.models.optimizers import rate_of
from tests.callbacks.collapse.nets import X, Y, diagnosis

UNFREEZE = Remedy(treatment="all-trainable", keeps_weights=True)
FREEZE = Remedy(treatment="statistics-frozen", keeps_weights=True)
TRIED = Remedy(is_tried=True)


def net(optimizer, *hidden, regularizer=None):
    hidden = hidden or (layers.Dense(16, "relu"),)
    head = layers.Dense(1, kernel_regularizer=regularizer)
    model = keras.Sequential([keras.Input((4,)), *hidden, head])
    model.compile(optimizer, "mse")
    return model


def sgd(rate, **settings):
    return keras.optimizers.SGD(rate, **settings)


def made(model, name, x=X):
    """The words of a treatment that was made in the model, or None."""
    variant = Watch(model, Sample(x, Y)).variant(name)
    if variant is None:
        return None
    assert can_be_made_in_place(model, variant.mend)
    make(model, variant.mend)
    return variant.words


@pytest.mark.parametrize(
    ("pairs", "remedy", "code"),
    [
        ([("KTF401", "error")], LOWER, "KTF401"),
        ([("KTF403", "error"), ("KTF402", "error")], LOWER, "KTF403"),
        ([("KTF402", "error")], HIGHER, "KTF402"),
        ([("KTF303", "error")], UNFREEZE, "KTF303"),
        ([("KTF408", "warning")], TRIED, "KTF408"),
        ([("KTF301", "warning")], FREEZE, "KTF301"),
        # A cause that needs another model or other data is left to the user, ...
        ([("KTF201", "error"), ("KTF403", "error")], None, None),
        # ... unless it is only a warning.
        ([("KTF201", "warning"), ("KTF403", "error")], LOWER, "KTF403"),
        # A lower rate may help against symptoms.
        ([("KTF501", "error")], LOWER, None),
        ([("KTF501", "error"), ("KTF402", "error")], HIGHER, "KTF402"),
        ([("KTF402", "note")], LOWER, None),
        ([], LOWER, None),
    ],
)
def test_the_mildest_remedy(pairs, remedy, code):
    found, finding = find_remedy(diagnosis(*pairs))
    assert found == remedy
    assert (finding and finding.code) == code


def test_frozen_layers_that_are_random_are_trained_only_if_that_is_proven():
    assert remedy_of("KTF306") == TRIED


def test_what_is_sure_is_among_what_a_treatment_treats():
    for treatment in TREATMENTS.values():
        assert treatment.sure <= treatment.codes
        assert treatment.in_fit or not treatment.sure


def test_gradients_are_clipped_once():
    model = net(sgd(0.5))
    assert made(model, "gradients-clipped") == "gradients clipped to a norm of 1"
    assert model.optimizer.global_clipnorm == 1.0
    assert made(model, "gradients-clipped") is None
    model = net(sgd(0.5, clipvalue=3.0))
    assert made(model, "gradients-clipped") is None
    assert model.optimizer.global_clipnorm is None


@pytest.mark.parametrize("is_trained", [False, True])
def test_a_schedule_that_ends_at_once_is_replaced(is_trained):
    model = net(sgd(schedules.ExponentialDecay(0.02, 1, 0.5)))
    if is_trained:
        model.train_on_batch(X, Y)
    rate = 0.01 if is_trained else 0.02
    assert made(model, "no-schedule") == f"a constant learning rate of {rate:g}"
    model.train_on_batch(X, Y)
    assert rate_of(model.optimizer) == pytest.approx(rate)


def test_a_longer_schedule_stays():
    assert (
        made(net(sgd(schedules.ExponentialDecay(0.02, 100, 0.5))), "no-schedule")
        is None
    )


def test_frozen_layers_are_trained_again():
    model = net(sgd(0.1))
    model.trainable = False
    model.compile(sgd(0.1), "mse")
    before = model.get_weights()
    assert made(model, "all-trainable") == "all layers trainable"
    model.train_on_batch(X, Y)
    after = model.get_weights()
    assert not any(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_penalties_are_taken_away():
    penalty = regularizers.L2(10.0)
    hidden = layers.Dense(16, "relu", kernel_regularizer=penalty)
    model = net(sgd(0.01), hidden, regularizer=penalty)
    assert len(model.losses) == 2
    assert made(model, "no-weight-penalties").endswith("off")
    assert not model.losses
    assert hidden.get_config()["kernel_regularizer"] is None  # as it is saved
    assert made(model, "no-weight-penalties") is None


def test_dropout_is_switched_off():
    model = net(sgd(0.01), layers.Dropout(0.9))
    made(model, "dropout-off")
    in_training, later = (model(X[:4], training=mode) for mode in (True, False))
    assert bool(keras.ops.all(in_training == later))


def test_statistics_are_frozen():
    norm = layers.BatchNormalization()
    model = net(sgd(0.01), norm)
    assert made(model, "statistics-frozen") is None  # no step has moved them
    model.train_on_batch(X, Y)
    assert "frozen" in made(model, "statistics-frozen")
    before = keras.ops.convert_to_numpy(norm.moving_mean)
    model.train_on_batch(5 + X, Y)
    assert np.array_equal(keras.ops.convert_to_numpy(norm.moving_mean), before)


def test_what_no_mend_changes_stays():
    model = net(sgd(0.01))
    optimizer = model.optimizer
    make(model, None)
    assert model.optimizer is optimizer
