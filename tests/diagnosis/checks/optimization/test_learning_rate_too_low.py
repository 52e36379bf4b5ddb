"""Steps that are too short are found, and those that learn are not."""

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import callbacks, optimizers
from keras.optimizers import schedules

from keras_trainfix.diagnosis.diagnose import diagnose
from tests.diagnosis.checks.optimization.cases import (
    X,
    Y,
    assert_first,
    data,
    few_examples,
    mlp,
    seeds,
)


@few_examples
@given(
    width=st.sampled_from([16, 64]),
    depth=st.integers(1, 3),
    rate=st.sampled_from([(optimizers.SGD, 1e-6), (optimizers.Adam, 1e-7)]),
    seed=seeds,
)
def test_a_rate_that_is_too_low(width, depth, rate, seed):
    make, number = rate
    x, y = data(seed)
    model = mlp(make(number), (width,) * depth, seed=seed)
    finding = assert_first("KTF402", model, x, y)
    assert finding.evidence["better_rate"] >= 100 * number
    assert finding.evidence["better_gain"] > 0.2 > finding.evidence["gain"]
    assert finding.evidence["update_ratio"] < 1e-4


@pytest.mark.parametrize(
    ("schedule", "found"),
    [
        (schedules.ExponentialDecay(0.01, 1, 0.5), True),
        (schedules.ExponentialDecay(0.01, 1, 0.9), True),
        (schedules.ExponentialDecay(0.01, 100, 0.9), False),
        (schedules.CosineDecay(0.01, 100), False),
        (schedules.CosineDecay(0.0, 100, warmup_target=0.01, warmup_steps=9), False),
    ],
)
def test_a_schedule_that_counts_epochs(schedule, found):
    model = mlp(optimizers.Adam(schedule), (32,))
    diagnosis = diagnose(model, X, Y, fit=False)
    assert (diagnosis.codes[:1] == ["KTF402"]) == found
    if found:
        assert "Schedules count steps" in diagnosis.findings[0].message
        assert diagnosis.findings[0].evidence["steps_worth"] < 16
        repaired = diagnosis.fixed(model)
        assert diagnose(repaired, X, Y, fit=False).ok
        assert float(repaired.optimizer.learning_rate) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("steps", "epochs", "found"),
    [(20_000, 10, True), (20, 10, False), (20_000, 1, False), (20_000, 9999, False)],
)
def test_a_warmup_longer_than_the_training(steps, epochs, found):
    """One epoch is what `diagnose` has by default: it tells nothing of `fit`."""
    schedule = schedules.CosineDecay(
        0.0, 10_000, warmup_target=0.01, warmup_steps=steps
    )
    model = mlp(optimizers.Adam(schedule), (32,))
    diagnosis = diagnose(model, X, Y, epochs=epochs, fit=False)
    assert (diagnosis.codes[:1] == ["KTF402"]) == found
    if found:
        assert "40 steps of `fit`" in diagnosis.findings[0].message
        names = {"model": model, "keras": keras}
        exec(diagnosis.findings[0].fix, names)
        rate = float(names["model"].optimizer.learning_rate)
        assert rate == pytest.approx(0.01, rel=0.1)


def broken(epoch):
    raise RuntimeError("a schedule")


@pytest.mark.parametrize(
    ("schedule", "epochs", "worth"),
    [
        (lambda epoch: 0.01 * 0**epoch, 30, 1),
        (lambda epoch, rate: rate * 0.1, 30, 1.11),
        (lambda epoch: 0.0, 30, 0),
        (lambda epoch: 0.01 * 0**epoch, 5, None),  # too few epochs to tell
        (lambda epoch: 0.01 * 0.95**epoch, 30, None),
        (lambda epoch, rate: 0.95 * rate, 30, None),
        (lambda epoch: 0.01 * min(1, epoch / 5), 30, None),  # a warmup from 0
        (lambda epoch: 0.01 if epoch < 1 else 1e-4, 30, None),  # slow, not stopped
        (broken, 30, None),
    ],
)
def test_a_schedule_among_the_callbacks(schedule, epochs, worth):
    callback = callbacks.LearningRateScheduler(schedule)
    model = mlp(optimizers.Adam(0.01), (32,))
    diagnosis = diagnose(model, X, Y, epochs=epochs, callbacks=callback, fit=False)
    assert ("KTF402" in diagnosis.codes) == (worth is not None)
    if worth is not None:
        (finding,) = (f for f in diagnosis.findings if f.code == "KTF402")
        assert finding.severity == "error"
        assert finding.evidence["epochs_worth"] == pytest.approx(worth, rel=0.01)
        assert f"all {epochs} epochs together are worth {worth}" in finding.message


@pytest.mark.parametrize(
    ("schedule", "found"),
    [
        (lambda epoch, rate: rate * 0.5 ** (epoch // 3), True),
        (lambda epoch: 0.01 * 0.5 ** (epoch // 3), False),
        (lambda epoch: 0.01 * 0.1 ** (epoch // 10), False),
    ],
)
def test_a_schedule_that_counts_its_decay_twice(schedule, found):
    callback = callbacks.LearningRateScheduler(schedule)
    model = mlp(optimizers.Adam(0.01), (32,))
    diagnosis = diagnose(model, X, Y, epochs=40, callbacks=callback, fit=False)
    assert ("KTF402" in diagnosis.codes) == found
    if found:
        (finding,) = (f for f in diagnosis.findings if f.code == "KTF402")
        assert "In 72% of the 40 epochs" in finding.message


def test_a_schedule_that_remembers_is_not_asked_itself():
    class Halving:
        rate = 0.01

        def __call__(self, epoch):
            self.rate *= 0.5
            return self.rate

    schedule = Halving()
    callback = callbacks.LearningRateScheduler(schedule)
    model = mlp(optimizers.Adam(0.01), (32,))
    found = diagnose(model, X, Y, epochs=30, callbacks=callback, fit=False)
    assert "KTF402" in found.codes
    assert schedule.rate == 0.01
