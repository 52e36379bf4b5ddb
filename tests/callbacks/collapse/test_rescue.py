"""What is done to a training with `action="rescue"`."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import callbacks, layers
from keras.optimizers import schedules

import keras_trainfix as kt
from keras_trainfix.callbacks.collapse import rates
from keras_trainfix.callbacks.collapse.detector import CollapseWarning
from keras_trainfix.callbacks.collapse.ledger import Moment, Rescue
from keras_trainfix.callbacks.collapse.rescue import WARM, Rescuer
from keras_trainfix.callbacks.collapse.warm_up import WarmUp
from keras_trainfix.callbacks.collapse.watch import Watch
from keras_trainfix.diagnosis.observe.sample import Sample
from keras_trainfix.models.optimizers import rate_of
from tests.callbacks.collapse.nets import (
    X,
    Y,
    adam,
    collected,
    dead_net,
    diagnosis,
    skill,
)


def net(optimizer, *hidden, regularizer=None, **settings):
    hidden = hidden or (layers.Dense(16, "relu"),)
    head = layers.Dense(1, kernel_regularizer=regularizer)
    model = keras.Sequential([keras.Input((4,)), *hidden, head])
    model.compile(optimizer, "mse", **settings)
    return model


def rescue(model, epochs=12, others=(), x=X, y=Y, **settings):
    detector = kt.CollapseDetector((x, y), action="rescue", **settings)
    with collected():
        history = model.fit(
            x, y, epochs=epochs, verbose=0, callbacks=[*others, detector]
        )
    return detector, history.history


class Bias(callbacks.Callback):
    """Sets the biases of the first layer before some steps."""

    def __init__(self, value, is_meant):
        super().__init__()
        self.value, self.is_meant, self.seen = value, is_meant, []

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if self.is_meant(self.epoch, batch):
            model = self.model
            self.seen.append(skill(model))
            model.layers[0].bias.assign(np.full(16, self.value))


# --- real trainings ---


@pytest.mark.parametrize(
    "optimizer", [adam(10.0), keras.optimizers.SGD(1e4)], ids=["Adam", "NaN"]
)
def test_a_rate_that_is_too_high(optimizer):
    model = net(optimizer.from_config(optimizer.get_config()))
    detector, history = rescue(model)
    assert len(history["loss"]) == 12  # in the same `fit`
    assert skill(model) > 0.9
    assert rate_of(model.optimizer) <= 1e3
    assert model.optimizer.global_clipnorm == 1.0
    assert "learning rate" in str(detector.rescues[0])
    assert detector.diagnosis.codes[0] in ("KTF401", "KTF409", "KTF403")
    assert history["collapse/rescues"][-1] == len(detector.rescues) >= 1


def test_dead_units():
    """Steps that were too long have killed a layer."""
    model = net(adam(0.01))
    other = Bias(-50.0, lambda epoch, batch: epoch == batch == 0)
    detector, _ = rescue(model, epochs=40, others=[other])
    assert skill(model) > 0.8
    assert "KTF403 dead-relu. Initial weights" in str(detector.rescues[0])


def test_weights_that_were_dead_before_the_first_step():
    model = net(adam(0.01))
    model.layers[0].bias.assign(np.full(16, -50.0))
    detector, _ = rescue(model)
    assert len(detector.rescues) == 1
    assert "before the first step: KTF403 dead-relu" in str(detector.rescues[0])
    assert rate_of(model.optimizer) == pytest.approx(0.01)
    assert skill(model) > 0.8


def test_a_rate_that_is_too_low():
    model = net(adam(1e-7))
    before = rate_of(model.optimizer)
    detector, _ = rescue(model, epochs=40)
    assert "KTF402" in str(detector.rescues[0])
    assert rate_of(model.optimizer) > 100 * before
    assert skill(model) > 0.6


def test_statistics_of_batch_normalization():
    """Moving statistics that lag: the training is fine, and `predict` is not."""
    scaled = 1000 * X + 5000
    model = net(adam(0.05), layers.BatchNormalization(momentum=0.999))
    detector, _ = rescue(model, epochs=15, x=scaled)
    error = np.mean((model.predict(scaled, verbose=0) - Y) ** 2)
    assert error < 0.2 * Y.var()
    assert any("recalibrated" in str(line) for line in detector.rescues)


def test_a_collapse_after_good_epochs_goes_back_to_the_last_healthy_weights():
    model = net(adam(0.02))
    other = Bias(-50.0, lambda epoch, batch: (epoch, batch) == (8, 0))
    detector, _ = rescue(model, epochs=12, others=[other])
    (good,) = other.seen
    assert good > 0.8
    assert "Last healthy weights" in str(detector.rescues[0])
    assert skill(model) > good - 0.05


def test_what_needs_another_model_is_reported_and_not_tried():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1, "relu")])
    model.compile(adam(0.01), "mse")
    detector = kt.CollapseDetector((X, Y - 20), action="rescue")
    with pytest.warns(CollapseWarning, match="KTF202"):
        history = model.fit(X, Y - 20, epochs=20, verbose=0, callbacks=[detector])
    assert not detector.rescues
    assert len(history.history["loss"]) < 20


def test_in_the_end_it_stops_with_the_best_weights():
    """No rate helps: units are killed again and again."""
    model = net(adam(0.02))

    other = Bias(-50.0, lambda epoch, batch: batch == 6)
    detector, history = rescue(model, epochs=50, others=[other], max_rescues=2)
    assert len(detector.rescues) == 2
    assert len(detector.alarms) == 3
    assert len(history["loss"]) < 50
    best = max(value for value in detector.history["skill"])
    assert skill(model) > best - 0.05
    assert detector.diagnosis.codes[0] in ("KTF403", "KTF401")


def test_weights_that_another_callback_chose_at_the_end_stay():
    def choose(logs):
        model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])

    model = net(adam(10.0))
    other = callbacks.LambdaCallback(on_train_end=choose)
    detector, _ = rescue(model, others=[other])
    assert detector.rescues
    assert not any(weight.any() for weight in model.get_weights())


def test_a_healthy_training_is_left_alone():
    weights = []
    for detector in ([], [kt.CollapseDetector((X, Y), action="rescue")]):
        keras.utils.set_random_seed(1)
        model = net(adam(0.01))
        model.fit(X, Y, epochs=6, verbose=0, callbacks=detector)
        weights.append(model.get_weights())
    assert all(map(np.array_equal, *weights))
    assert not detector[0].rescues


@pytest.mark.parametrize(("is_first", "continues"), [(True, True), (False, False)])
def test_a_scheduler_does_not_undo_it(is_first, continues):
    def rate(epoch, now):
        return 1.01 * now if continues else 10.0 * 0.99**epoch

    scheduler = callbacks.LearningRateScheduler(rate)
    model = net(adam(10.0))
    detector = kt.CollapseDetector((X, Y), action="rescue")
    given = [scheduler, detector] if is_first else [detector, scheduler]
    model.fit(X, Y, epochs=14, verbose=0, callbacks=given)
    assert 1 <= len(detector.rescues) <= 2
    assert rate_of(model.optimizer) <= 1
    assert skill(model) > 0.8


def test_with_early_stopping_and_a_rate_that_falls():
    others = [
        callbacks.EarlyStopping("loss", patience=10, restore_best_weights=True),
        callbacks.ReduceLROnPlateau("loss", patience=2),
    ]
    model = net(adam(10.0))
    rescue(model, epochs=15, others=others)
    assert skill(model) > 0.8


def test_mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    model = net(adam(10.0))
    detector, _ = rescue(model)
    assert detector.rescues
    assert skill(model) > 0.8
    assert detector.history["skill"][-1] > 0.8


def test_a_model_that_runs_eagerly():
    model = net(adam(10.0), run_eagerly=True)
    detector, _ = rescue(model)
    assert detector.rescues
    assert skill(model) > 0.8


def test_a_rescued_model_can_be_saved(tmp_path):
    schedule = schedules.ExponentialDecay(10.0, 100, 0.9)
    model = net(adam(schedule))
    detector, _ = rescue(model)
    assert detector.rescues
    assert skill(model) > 0.8
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        model.predict(X, verbose=0), loaded.predict(X, verbose=0)
    )
    assert rate_of(loaded.optimizer) == pytest.approx(rate_of(model.optimizer))
    loaded.fit(X, Y, epochs=1, verbose=0)


# --- before the first step ---


def rescuer_at_the_start(model, is_active=True):
    watch = Watch(model, Sample(X, Y))
    watch.examine_beginning()
    return Rescuer(watch, is_active, [])


def test_dead_weights_are_initialized_again():
    model = dead_net()
    rescuer = rescuer_at_the_start(model)
    assert rescuer.repair_beginning(diagnosis(("KTF403", "error")))
    line = "before the first step: KTF403 dead-relu. new initial weights."
    assert list(map(str, rescuer.records)) == [line]
    assert np.abs(model.get_weights()[1]).max() < 1
    assert all(map(np.array_equal, model.get_weights(), rescuer.initial))


def test_frozen_layers_are_trainable_from_the_first_step():
    model = net(adam(0.01))
    model.trainable = False
    model.compile(adam(0.01), "mse")
    rescuer = rescuer_at_the_start(model)
    assert rescuer.repair_beginning(diagnosis(("KTF303", "error")))
    assert len(model.trainable_variables) == 4
    assert rescuer.records[0]["treatment"] == "all layers trainable"


@pytest.mark.parametrize(
    ("build", "is_active", "code"),
    [
        (dead_net, False, "KTF403"),  # it only watches
        (dead_net, True, "KTF201"),  # left to the user
        (dead_net, True, "KTF501"),  # no cause
        (lambda: net(adam(0.01)), True, "KTF401"),  # a rate is judged by its steps
    ],
)
def test_what_is_not_repaired_before_the_first_step(build, is_active, code):
    model = build()
    before = model.get_weights()
    rescuer = rescuer_at_the_start(model, is_active)
    assert not rescuer.repair_beginning(diagnosis((code, "error")))
    assert rescuer.records == []
    assert all(map(np.array_equal, model.get_weights(), before))


# --- rates ---


def record():
    finding = diagnosis(("KTF401", "error")).findings[0]
    return Rescue(Moment("epoch 1, step 4", 4, 1, 0.0), finding, "rescued")


def rescuer_of(model, rate):
    """A `Rescuer` that has set a rate."""
    model.optimizer.build(model.trainable_variables)
    rescuer = Rescuer(SimpleNamespace(model=model), True, [record()])
    rates.set_rate(model, rate)
    rescuer._rate, rescuer._warm_up = rate, WarmUp(may_raise=True)
    return rescuer


def test_a_lowered_rate_rises_once_the_model_learns():
    model = net(adam(1.0))
    rescuer = rescuer_of(model, 0.01)
    seen = []
    for epoch, value in enumerate([0.5, 0.92, 0.97, 0.93, 0.99]):
        rescuer.end_warm_up(value, f"epoch {epoch + 1}")
        seen.append(rate_of(model.optimizer))
    high = 0.01 * WARM
    assert seen == pytest.approx([0.01, high, high, high, high])
    assert rescuer.records[0]["treatment"] == (
        f"rescued; epoch 2, learning rate 0.01 -> {high:g}"
    )


@pytest.mark.parametrize("fallen", [0.8, float("nan")])
def test_a_rate_that_rose_too_far_falls_again(fallen):
    model = net(adam(1.0))
    rescuer = rescuer_of(model, 0.01)
    rescuer.end_warm_up(0.92, "epoch 1")
    best = model.get_weights()
    rescuer.keep_best(0.95)
    rescuer.end_warm_up(0.95, "epoch 2")
    model.set_weights([weight + 1 for weight in best])
    rescuer.end_warm_up(fallen, "epoch 3")
    assert rate_of(model.optimizer) == pytest.approx(0.01 * WARM)
    rescuer.end_warm_up(fallen, "epoch 4")
    assert rate_of(model.optimizer) == pytest.approx(0.01)
    assert all(map(np.array_equal, model.get_weights(), best))
    rescuer.end_warm_up(0.95, "epoch 5")  # not again
    assert rate_of(model.optimizer) == pytest.approx(0.01)


@pytest.mark.parametrize("other", ["rate", "skill"])
def test_a_rate_that_is_not_raised(other):
    model = net(adam(1.0))
    rescuer = rescuer_of(model, 0.01)
    if other == "rate":
        model.optimizer.learning_rate = 0.005  # by another callback
    before = rate_of(model.optimizer)
    rescuer.end_warm_up(0.99 if other == "skill" else 0.95, "epoch 1")
    assert rate_of(model.optimizer) == before


@pytest.mark.parametrize(
    ("factor", "scheduled", "held"),
    [
        (0.001, 9.9, 0.0099),  # a scheduler that knows nothing of the rescue
        (0.001, 0.0101, 0.0101),  # one that continues from the present rate
        (0.001, 0.3, 0.3),
        (0.001, 0.004, 0.004),
        (10.0, 0.02, 0.02),  # a rate that was raised is not held
    ],
)
def test_a_rate_of_a_scheduler_is_held(factor, scheduled, held):
    model = net(adam(10.0))
    rescuer = rescuer_of(model, 0.01)
    rescuer._factor = factor
    model.optimizer.learning_rate = scheduled
    rescuer.hold_rate()
    assert rate_of(model.optimizer) == pytest.approx(held)


def test_a_schedule_is_scaled_and_not_held():
    model = net(adam(schedules.ExponentialDecay(10.0, 100, 1.0)))
    rescuer = rescuer_of(model, 0.01)
    rescuer._factor = 0.001
    rescuer.hold_rate()
    assert rate_of(model.optimizer) == pytest.approx(0.01)


def test_steps_that_hardly_change_the_weights_are_slow():
    model = net(adam(0.01))
    rescuer = Rescuer(SimpleNamespace(model=model), True, [])
    assert rescuer.is_slow(20)
    assert not rescuer.is_slow(19)
    model.set_weights([1.1 * weight for weight in rescuer.initial])
    assert not rescuer.is_slow(20)
    rescuer.was_slow = True
    assert rescuer.is_slow(20)


# --- the best weights ---


@pytest.mark.parametrize(
    ("best", "last", "now", "records", "is_restored"),
    [
        (0.9, 0.2, 0.2, ["rescued"], True),
        (0.9, float("nan"), float("nan"), ["rescued"], True),
        (0.9, 0.2, 0.2, [], False),  # without a rescue `fit` has its own weights
        (0.9, 0.899, 0.899, ["rescued"], False),  # about as good
        (0.9, 0.2, 0.5, ["rescued"], False),  # another callback chose others
        (float("nan"), float("nan"), float("nan"), ["rescued"], False),
    ],
)
def test_when_the_best_weights_are_restored(best, last, now, records, is_restored):
    model = net(adam(0.01))
    check = SimpleNamespace(skill=now)
    watch = SimpleNamespace(model=model, quick_check=lambda steps: check)
    rescuer = Rescuer(watch, True, records)
    good = [weight + 1 for weight in model.get_weights()]
    model.set_weights(good)
    rescuer.keep_best(best)
    worse = [weight + 1 for weight in good]
    model.set_weights(worse)
    rescuer.keep_best(last)
    rescuer.put_best_back(last, 40)
    expected = good if is_restored else worse
    assert all(map(np.array_equal, model.get_weights(), expected))


def test_weights_that_are_not_finite_are_never_kept():
    model = net(adam(0.01))
    check = SimpleNamespace(skill=float("nan"))
    watch = SimpleNamespace(model=model, quick_check=lambda steps: check)
    rescuer = Rescuer(watch, True, ["rescued"])
    rescuer.keep_best(-3.0)
    model.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    rescuer.keep_best(float("nan"))
    rescuer.put_best_back(float("nan"), 40)
    assert all(map(np.array_equal, model.get_weights(), rescuer.initial))


@pytest.mark.parametrize(("skill_before", "helped"), [(-5.0, True), (1.0, False)])
def test_statistics_are_recalibrated_if_that_helps(skill_before, helped):
    scaled = 1000 * X + 5000
    norm = layers.BatchNormalization(momentum=0.999)
    model = net(adam(0.01), norm)
    rescuer = Rescuer(Watch(model, Sample(scaled, Y)), True, [])
    before = model.get_weights()
    finding = diagnosis(("KTF301", "warning")).findings[0]
    assert (
        rescuer.recalibrate(finding, Moment("at the end", 40, 1, skill_before))
        == helped
    )
    is_same = all(map(np.array_equal, model.get_weights(), before))
    assert is_same == (not helped)
    assert len(rescuer.records) == helped


@pytest.mark.parametrize(
    ("activation", "is_lost"), [("exponential", True), ("tanh", False)]
)
def test_a_signal_that_is_lost_between_the_layers(activation, is_lost):
    keras.utils.set_random_seed(1)
    start = keras.initializers.VarianceScaling(2.0)
    hidden = [layers.Dense(8, activation, kernel_initializer=start) for _ in range(8)]
    model = keras.Sequential([keras.Input((4,)), *hidden, layers.Dense(1)])
    model.compile(adam(0.003), "mse")
    detector, _ = rescue(model, epochs=30)
    assert bool(detector.rescues) == is_lost
    assert skill(model) > 0.6
    if is_lost:
        assert detector.rescues[0]["step"] == 0
        assert "in the hidden layers" in detector.rescues[0]["treatment"]
        assert detector.rescues[0]["skill_after"] > 0.5
