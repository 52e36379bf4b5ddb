"""The bench makes equal steps and leaves no trace."""

import contextlib
from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix.backend import to_numpy
from keras_trainfix.diagnosis.experiments.bench import Bench, NotPutBackError
from keras_trainfix.diagnosis.experiments.training import Training, split_samples
from keras_trainfix.diagnosis.fit_arguments import FitArguments
from keras_trainfix.diagnosis.observe.layer_outputs import untouched
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.trial.runner import tensors_of
from tests.diagnosis.experiments.benches import compiled, mlp, table

X, Y = table()
STEPS = 16


def bench_of(model, x=X, y=Y):
    snapshot = Snapshot(model, x, y)
    training = Training(model, *split_samples(snapshot.more(512)))
    bench = Bench(training, snapshot, 32)
    bench.plan = bench.plan._replace(steps=STEPS)
    return bench


def test_the_same_run_gives_the_same_numbers():
    model = compiled(mlp(layers.Dropout(0.5)))
    with untouched(model):
        bench = bench_of(model)
        first, _, again = bench.run(), bench.run(factor=10.0), bench.run()
    np.testing.assert_array_equal(first.losses, again.losses)
    assert first.skill == again.skill
    assert len(first.losses) == STEPS


def test_another_order_gives_others():
    model = compiled(mlp())
    with untouched(model):
        bench = bench_of(model)
        assert bench.run().losses[0] != bench.run(order=1).losses[0]


def test_everything_is_put_back():
    model = compiled(mlp(layers.BatchNormalization(), layers.Dropout(0.5)))
    model.fit(X, Y, epochs=1, verbose=0)
    optimizer = [to_numpy(v) for v in model.optimizer.variables]
    before = model.get_weights()
    with untouched(model):
        bench_of(model).run(factor=100.0)
    for one, two in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    for one, variable in zip(optimizer, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one, to_numpy(variable))


def test_a_run_that_is_not_finite_ends():
    model = mlp()
    model.compile(keras.optimizers.SGD(1e20), "mse")
    with untouched(model):
        outcome = bench_of(model).run()
    assert len(outcome.losses) < STEPS
    assert outcome.value == -1.0


def test_a_change_that_stays_is_found_out():
    model = compiled(mlp())

    def leaking(model):
        vars(model.layers[0])["activation"] = keras.ops.tanh
        return contextlib.nullcontext()

    with untouched(model):
        bench = bench_of(model)
        bench.run()
        bench._control = None  # so that the control is traced again
        with pytest.raises(NotPutBackError, match="The first loss of the control was"):
            bench.run(bench.training.changed(leaking))


def test_before_any_step():
    model = compiled(mlp())
    with untouched(model):
        start = bench_of(model).without_steps()
    assert start.value < 0.5
    assert len(start.losses) == 0


def test_the_loss_of_samples_that_were_not_stepped_on():
    model = compiled(mlp(layers.Dropout(0.5)))
    with untouched(model):
        bench = bench_of(model)
        held_out = bench.training.held_out
        start, after = bench.without_steps(), bench.run()
    expected = model.evaluate(held_out.x, held_out.y, verbose=0)
    assert start.loss == pytest.approx(expected, rel=1e-5)
    assert after.loss < start.loss


def test_a_schedule_sets_the_rate_of_each_step():
    model = compiled(mlp())
    with untouched(model):
        bench = bench_of(model)
        start = bench.without_steps()
        seen = []
        at_once = replace(bench.training, schedule=lambda n: seen.append(n) or 0.0)
        outcome = bench.run(at_once)
        again = bench.run()
    assert seen == list(range(STEPS))
    assert outcome.loss == start.loss
    assert again.loss < start.loss


def test_batches_in_order_are_the_same_in_each_epoch():
    model = compiled(mlp())
    with untouched(model):
        bench = bench_of(model)
        in_order = replace(bench.training, is_mixed=False)
        numbers = bench._batches(in_order, 0, bench.plan.steps)
        mixed = bench._batches(bench.training, 0, bench.plan.steps)
    np.testing.assert_array_equal(np.concatenate(numbers[:12]), np.arange(384))
    np.testing.assert_array_equal(numbers[12], numbers[0])
    assert not np.array_equal(mixed[12], mixed[0])


def test_a_step_that_is_stopped_before_follows_the_schedule():
    model = compiled(mlp())
    with untouched(model):
        bench = bench_of(model)
        bench.training = replace(bench.training, schedule=lambda step: 0.3**step)
        control = bench.run()
        with bench.stopped_before(6) as numbers:
            x, y, _ = tensors_of(bench.training.train, numbers)
            loss = model.compute_loss(x=x, y=y, y_pred=model(x, training=True))
    assert float(to_numpy(loss)) == pytest.approx(control.losses[5], rel=1e-5)
    assert control.losses[0] != control.losses[5]


def test_validation_data_are_measured_for_the_control_alone():
    model = compiled(mlp())
    snapshot = Snapshot(model, X, Y, fit=FitArguments(validation_data=(X, Y)))
    training = Training(model, *split_samples(snapshot.more(512)))
    with untouched(model):
        bench = Bench(training, snapshot, 32)
        bench.plan = bench.plan._replace(steps=STEPS)
        assert np.isfinite(bench.run().elsewhere)
        assert np.isnan(bench.run(training.with_settings(clipnorm=1.0)).elsewhere)
        assert np.isnan(bench_of(model).run().elsewhere)


def test_more_steps_of_the_same_run():
    model = compiled(mlp())
    with untouched(model):
        bench = bench_of(model)
        once, longer = bench.run(), bench.run(steps=3 * bench.plan.steps)
    assert len(longer.losses) == 3 * len(once.losses) == 3 * bench.plan.steps
    np.testing.assert_array_equal(longer.losses[: len(once.losses)], once.losses)
    assert bench.runs == 4
