"""A trial tells what steps do, and leaves the model as it was, bit for bit."""

import itertools
import random
import re
import sys

import keras
import numpy as np
import pytest
from keras import layers, ops, regularizers

from keras_trainfix import backend
from keras_trainfix.backend import global_seeds, to_numpy
from keras_trainfix.diagnosis import budget
from keras_trainfix.diagnosis.diagnose import diagnose
from keras_trainfix.diagnosis.observe.sample import take
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.trial import runner as trial_steps
from keras_trainfix.diagnosis.trial.trial import try_steps
from keras_trainfix.messages import Progress
from tests.conftest import BACKEND
from tests.diagnosis.nets import inputs

X = inputs(40)
Y = (X[:, :1] + X[:, 1:2] * X[:, 2:3]).astype("float32")
IDS = np.digitize(X[:, 0], [-0.5, 0.5])
IMAGES = inputs(40, 30).reshape(40, 6, 5, 1)
TOKENS = np.random.default_rng(0).integers(0, 9, size=(40, 5))


@pytest.fixture
def few_steps(monkeypatch):
    """A shorter trial, where what it finds does not matter."""
    monkeypatch.setattr(trial_steps, "STEPS", 4)
    monkeypatch.setattr(trial_steps, "FEWEST_STEPS", 4)
    monkeypatch.setattr(trial_steps, "OVERFIT_STEPS", 3)
    monkeypatch.setattr(trial_steps, "FACTORS", (1.0, 100.0))
    monkeypatch.setattr(trial_steps, "BATCH", 16)


# --- everything is put back ---


def state(model):
    """All that a trial may not change."""
    optimizer = getattr(model, "optimizer", None)
    variables = [*model.variables, *model.metrics_variables, *global_seeds()]
    variables += [] if optimizer is None else optimizer.variables
    found = {f"variable {i}": to_numpy(v) for i, v in enumerate(variables)}
    found["metrics"] = [metric.name for metric in model.metrics]
    found["random"] = random.getstate()
    found["numpy"] = str(np.random.get_state())
    for name in ("train_function", "test_function", "predict_function"):
        found[name] = id(getattr(model, name, None))
    every = model._flatten_layers()
    found["attributes"] = [(layer.name, sorted(vars(layer))) for layer in every]
    found["layer losses"] = [[id(v) for v in layer._losses] for layer in every]
    found["optimizer"] = id(optimizer)
    if BACKEND == "torch":
        import torch

        found["torch"] = torch.get_rng_state().numpy()
        found["gradients"] = [
            None if v.value.grad is None else v.value.grad.detach().numpy().copy()
            for v in model.trainable_variables
        ]
        found["modes"] = [module.training for module in model.modules()]
    return found


def assert_same(before, after):
    assert before.keys() == after.keys()
    for key, value in before.items():
        if isinstance(value, np.ndarray):
            assert np.array_equal(value, after[key], equal_nan=True), key
        elif key == "gradients":
            for a, b in zip(value, after[key], strict=True):
                assert (a is None) == (b is None)
                assert a is None or np.array_equal(a, b)
        else:
            assert value == after[key], key


def dense(*parts, shape=(6,), **settings):
    model = keras.Sequential([keras.Input(shape), *parts])
    settings = {"optimizer": "adam", "loss": "mse", **settings}
    model.compile(**settings)
    return model, X, Y


def mlp(**settings):
    return dense(layers.Dense(8, "relu"), layers.Dense(1), **settings)


def functional(as_dict):
    a, b = keras.Input((6,), name="a"), keras.Input((2,), name="b")
    h = layers.Dense(8, "relu")(layers.concatenate([a, b]))
    p, q = layers.Dense(1, name="p")(h), layers.Dense(3, "softmax", name="q")(h)
    if as_dict:
        model = keras.Model({"a": a, "b": b}, {"p": p, "q": q})
    else:
        model = keras.Model([a, b], [p, q])
    losses = {"p": "mse", "q": "sparse_categorical_crossentropy"}
    weights = {"p": 1.0, "q": 0.5}
    if not as_dict:
        losses, weights = list(losses.values()), list(weights.values())
    metrics = {"p": ["mae"], "q": ["accuracy"]} if as_dict else [["mae"], ["accuracy"]]
    model.compile("adam", losses, loss_weights=weights, metrics=metrics)
    x, y = {"a": X, "b": X[:, :2]}, {"p": Y, "q": IDS}
    return (model, x, y) if as_dict else (model, list(x.values()), list(y.values()))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden, self.head = layers.Dense(8, "relu"), layers.Dense(1)
        self.drop = layers.Dropout(0.5)

    def call(self, x, training=False):
        return self.head(self.drop(self.hidden(x), training=training))


class OwnLoss(Subclassed):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, **kwargs):
        return ops.mean(ops.abs(y_pred - y)) + 0.1 * ops.mean(ops.square(y_pred))


class Activity(layers.Layer):
    """Adds a loss, and draws from the generators that belong to no layer."""

    def call(self, x, training=False):
        self.add_loss(1e-3 * ops.mean(ops.square(x)))
        return x


def built(model, **settings):
    model.compile(**{"optimizer": "adam", "loss": "mse", **settings})
    model(X[:2])
    return model, X, Y


def nested():
    inner = keras.Sequential(
        [keras.Input((6,)), layers.Dense(8, "relu"), layers.BatchNormalization()]
    )
    inner.compile("sgd", "mse", metrics=["mae"])
    return dense(inner, layers.Dropout(0.5), layers.Dense(1))


def recurrent():
    model, _, y = dense(
        layers.Embedding(9, 4, mask_zero=True),
        layers.GRU(4, dropout=0.3, recurrent_dropout=0.3),
        layers.Dense(1),
        shape=(5,),
    )
    return model, TOKENS, y


def half_precision():
    keras.config.set_dtype_policy("mixed_float16")
    return mlp()


def pure_add_loss():
    model, x, _ = dense(layers.Dense(8, "tanh"), Activity(), loss=None)
    return model, x, None


def schedule():
    rate = keras.optimizers.schedules.ExponentialDecay(0.01, 2, 0.5)
    return mlp(optimizer=keras.optimizers.Adam(rate))


def images():
    model, _, y = dense(
        layers.RandomFlip(),
        layers.Conv2D(4, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.GlobalAveragePooling2D(),
        layers.GaussianNoise(0.1),
        layers.Dense(1),
        shape=(6, 5, 1),
    )
    return model, IMAGES, y


def penalties():
    return dense(
        layers.Dense(8, "relu", kernel_regularizer=regularizers.L1L2(0.1, 0.1)),
        layers.Dense(
            1, bias_regularizer="l2", activity_regularizer=regularizers.L2(0.01)
        ),
    )


MODELS = {
    "sequential": lambda: mlp(metrics=["mae"]),
    "functional, dict": lambda: functional(as_dict=True),
    "functional, list": lambda: functional(as_dict=False),
    "subclassed": lambda: built(Subclassed()),
    "own compute_loss": lambda: built(OwnLoss()),
    "nested": nested,
    "recurrent": recurrent,
    "images": images,
    "half precision": half_precision,
    "penalties": penalties,
    "add_loss": lambda: dense(layers.Dense(8), Activity(), layers.Dense(1)),
    "add_loss alone": pure_add_loss,
    "schedule": schedule,
    "momentum": lambda: mlp(optimizer=keras.optimizers.SGD(0.01, momentum=0.9)),
    "adamw": lambda: mlp(optimizer=keras.optimizers.AdamW(0.01, weight_decay=0.1)),
    "clipped, averaged": lambda: mlp(
        optimizer=keras.optimizers.Adam(clipnorm=1.0, use_ema=True, ema_momentum=0.9)
    ),
    "accumulated": lambda: mlp(
        optimizer=keras.optimizers.Adam(gradient_accumulation_steps=3)
    ),
    "eager": lambda: mlp(run_eagerly=True),
    "jit": lambda: mlp(jit_compile=BACKEND != "torch"),
    "several steps at once": lambda: mlp(
        jit_compile=False, **({} if BACKEND == "torch" else {"steps_per_execution": 4})
    ),
}


def made(build):
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(3)
    model, x, y = build()
    keras.config.set_dtype_policy("float32")
    return model, x, y


@pytest.mark.parametrize("name", MODELS)
def test_nothing_of_the_model_changes(name, few_steps):
    model, x, y = made(MODELS[name])
    # The middle of a training has the most to lose: states of optimizer and metrics.
    x, y = take(x, y, most=32)[:2]
    model.fit(x, y, batch_size=32, verbose=0)
    before = state(model)
    snapshot = Snapshot(model, x, y)
    assert_same(before, state(model))
    trial = try_steps(snapshot)
    assert_same(before, state(model))
    assert set(trial.runs) >= {1.0, 100.0}
    assert np.isfinite(trial.gain(1.0))
    assert trial.is_fresh == (snapshot.iterations == 0)


def fitted(build, diagnosed):
    """History and variables of a fit, after a diagnosis or without."""
    model, x, y = made(build)
    if diagnosed:
        assert "trial" not in diagnose(model, x, y).skipped
    history = model.fit(x, y, batch_size=20, epochs=2, verbose=0).history
    variables = [*model.variables, *model.optimizer.variables]
    return history, [to_numpy(v) for v in variables], layers.Dense(1).name


@pytest.mark.parametrize(
    "name", ["sequential", "functional, dict", "subclassed", "images", "schedule"]
)
def test_a_fit_goes_as_without_a_diagnosis(name, few_steps):
    history, variables, next_name = fitted(MODELS[name], diagnosed=False)
    again, after, name_again = fitted(MODELS[name], diagnosed=True)
    assert history == again
    for a, b in zip(variables, after, strict=True):
        np.testing.assert_array_equal(a, b)
    assert next_name == name_again


def test_sample_weights(few_steps):
    model, x, y = made(mlp)
    weights = np.arange(40) % 2
    before = state(model)
    trial = try_steps(Snapshot(model, x, y, weights))
    assert_same(before, state(model))
    # Those without a weight may be anything.
    y = np.where(weights[:, None] == 0, 1e6, y)
    assert try_steps(Snapshot(model, x, y, weights)).start == trial.start


@pytest.mark.backend_only("torch", reason="it has no gradients that stay")
def test_gradients_of_the_user_stay(few_steps):
    model, x, y = made(mlp)
    model.fit(x, y, verbose=0)
    before = state(model)
    assert before["gradients"][0] is not None
    diagnose(model, x, y)
    assert_same(before, state(model))


# --- what stops it ---


@pytest.fixture
def interrupt(monkeypatch):
    """Makes the seventh step of the trial raise."""
    training_step = backend.training_step

    def install(error):
        def interrupted(*args):
            step, calls = training_step(*args), itertools.count(1)

            def step_or_raise(*batch):
                if next(calls) == 7:
                    raise error
                return step(*batch)

            return step_or_raise

        monkeypatch.setattr(backend, "training_step", interrupted)

    return install


@pytest.mark.parametrize("error", [ZeroDivisionError("own"), KeyboardInterrupt()])
def test_an_error_in_the_middle(error, few_steps, interrupt):
    model, x, y = made(nested)
    before = state(model)
    interrupt(error)
    with pytest.raises(type(error)):
        try_steps(Snapshot(model, x, y))
    assert_same(before, state(model))


def test_diagnose_names_the_error(few_steps, interrupt):
    interrupt(ZeroDivisionError("own"))
    reason = diagnose(*made(mlp)).skipped["trial"]
    assert "the trial failed (ZeroDivisionError: own)" in reason


def test_an_error_of_the_loss(few_steps):
    def loss(y_true, y_pred):
        raise ZeroDivisionError("own")

    model, x, y = made(lambda: mlp(loss=loss))
    before = state(model)
    with pytest.raises(ZeroDivisionError):
        try_steps(Snapshot(model, x, y))
    assert_same(before, state(model))


class OwnStep(Subclassed):
    def train_step(self, *args, **kwargs):
        return super().train_step(*args, **kwargs)


def frozen():
    model, x, y = mlp()
    model.trainable = False
    return model, x, y


def not_compiled():
    return keras.Sequential([keras.Input((6,)), layers.Dense(1)]), X, Y


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda: built(OwnStep()), "`train_step` of its own"),
        (not_compiled, "not compiled"),
        (frozen, "no weight is trainable"),
    ],
)
def test_it_is_skipped_with_a_reason(build, reason):
    model, x, y = made(build)
    before = state(model)
    diagnosis = diagnose(model, x, y)
    assert_same(before, state(model))
    assert reason in diagnosis.skipped["trial"]
    with pytest.raises(ValueError, match=reason):
        try_steps(Snapshot(model, x, y))


def test_without_targets(few_steps):
    model, x, _ = made(mlp)
    assert "trial" in diagnose(model, x).skipped


# --- the numbers ---


def linear(rate, regularizer=None, optimizer=keras.optimizers.SGD):
    model = keras.Sequential(
        [keras.Input((6,)), layers.Dense(1, kernel_regularizer=regularizer)]
    )
    model.compile(optimizer(rate), "mse")
    return model


def reference(model, factor, steps, l1=0.0, l2=0.0):
    """Losses, first gradients and first updates of SGD, in float64."""
    rate = float(to_numpy(model.optimizer.learning_rate)) * factor
    w, b = (a.astype("float64") for a in model.get_weights())
    order, losses, first = np.random.default_rng(0).permutation(40), [], None
    for _ in range(steps):
        x, y = X[order[:32]].astype("float64"), Y[order[:32]].astype("float64")
        error = x @ w + b - y
        penalty = l1 * np.abs(w).sum() + l2 * (w**2).sum()
        losses.append((error**2).mean() + penalty)
        slopes = 2 * x.T @ error / 32 + l1 * np.sign(w) + 2 * l2 * w, 2 * error.mean(0)
        if first is None:
            first = slopes
        w, b = w - rate * slopes[0], b - rate * slopes[1]
    return losses, first


def rms(values):
    return np.sqrt(np.mean(np.square(values)))


@pytest.mark.parametrize(
    ("regularizer", "l1", "l2"),
    [
        (None, 0, 0),
        (regularizers.L2(0.3), 0, 0.3),
        (regularizers.L1(0.2), 0.2, 0),
        (regularizers.L1L2(0.2, 0.3), 0.2, 0.3),
    ],
)
def test_losses_and_gradients_are_those_of_the_steps(regularizer, l1, l2):
    model = linear(0.02, regularizer)
    w = model.get_weights()[0].astype("float64")
    trial = try_steps(Snapshot(model, X, Y))
    for factor, trial_run in trial.runs.items():
        losses, (slope, bias_slope) = reference(
            model, factor, len(trial_run.losses), l1, l2
        )
        # What diverges makes more of its rounding with every step.
        np.testing.assert_allclose(trial_run.losses[:20], losses[:20], rtol=2e-4)
    assert set(trial.runs) >= {0.01, 0.1, 1, 10, 100}
    assert trial.start == pytest.approx(reference(model, 0, 1, l1, l2)[0][0], rel=1e-5)
    assert trial.rate == pytest.approx(0.02)
    assert (trial.batch, trial.is_fresh) == (32, True)
    penalty = l1 * np.abs(w).sum() + l2 * (w**2).sum()
    assert trial.penalty == pytest.approx(penalty, rel=1e-5)
    kernel, bias = trial.gradients
    assert (kernel.is_kernel, bias.is_kernel) == (True, False)
    assert kernel.layer == bias.layer == model.layers[0].name
    assert kernel.size == pytest.approx(rms(slope), rel=1e-4)
    assert bias.size == pytest.approx(rms(bias_slope), rel=1e-4)
    assert kernel.update == pytest.approx(0.02 * rms(slope), rel=1e-3)
    assert bias.update == pytest.approx(0.02 * rms(bias_slope), rel=1e-3)
    assert kernel.weight == pytest.approx(rms(w), rel=1e-5)
    assert kernel.decay == pytest.approx(rms(l1 * np.sign(w) + 2 * l2 * w), rel=1e-3)
    assert bias.decay == 0


def test_ends_gains_and_predictions():
    model = linear(0.02)
    trial = try_steps(Snapshot(model, X, Y))
    trial_run = trial.runs[10.0]
    assert trial_run.end == pytest.approx(trial_run.losses[21:].mean())
    assert trial.gain(10.0) == pytest.approx(1 - trial_run.end / trial.start)
    assert np.isnan(trial.gain(7.0))
    assert trial_run.predictions[0].shape == (40, 1)
    assert np.mean((trial_run.predictions[0] - Y) ** 2) < np.mean(Y**2)
    assert trial.overfit.losses[-1] < trial.start
    assert trial.runs[0.01].dead == 0


def test_an_arm_ends_with_the_first_loss_that_is_not_finite():
    trial = try_steps(Snapshot(linear(1e12), X, Y))
    trial_run = trial.runs[1.0]
    assert not np.isfinite(trial_run.losses[-1])
    assert np.isfinite(trial_run.losses[:-1]).all()
    assert trial.gain(1.0) == -np.inf
    assert trial_run.predictions == []


def test_the_loss_without_a_step_for_an_optimizer_that_divides_by_the_rate():
    """Ftrl with a rate of 0 gives NaN, and with any small one still moves weights."""
    starts = []
    for optimizer in (keras.optimizers.Ftrl(0.01), keras.optimizers.SGD(0.01)):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((6,)), layers.Dense(4), layers.Dense(1)])
        model.compile(optimizer, "mse")
        starts.append(try_steps(Snapshot(model, X, Y)).start)
        codes = [finding.code for finding in diagnose(model, X, Y).findings]
        assert "KTF409" not in codes
    assert starts[0] == pytest.approx(starts[1], rel=1e-5)


def test_dead_units_are_those_after_the_arm():
    model = keras.Sequential(
        [keras.Input((6,)), layers.Dense(8, "relu"), layers.Dense(1)]
    )
    model.compile(keras.optimizers.Adam(30.0), "mse")
    trial = try_steps(Snapshot(model, X, Y - 100))
    assert trial.runs[1.0].dead > 0.1
    assert trial.runs[0.01].dead <= 0.1


def test_a_trained_model_goes_on_with_the_state_of_its_optimizer():
    """The steps of the trial are those that `fit` would make next."""
    x, y = X[:32], Y[:32]
    model = linear(0.05, optimizer=lambda rate: keras.optimizers.SGD(rate, 0.9))
    model.fit(x, y, batch_size=32, epochs=5, verbose=0)
    trial = try_steps(Snapshot(model, x, y))
    fresh = model.fit(x, y, batch_size=32, epochs=8, verbose=0, shuffle=False)
    np.testing.assert_allclose(
        trial.runs[1.0].losses[:8], fresh.history["loss"], rtol=1e-4
    )
    assert not trial.is_fresh


@pytest.mark.parametrize("name", ["half precision", "adamw", "clipped, averaged"])
def test_steps_are_those_of_fit(name):
    model, _, _ = made(MODELS[name])
    x, y = X[:32], Y[:32]
    trial = try_steps(Snapshot(model, x, y))
    history = model.fit(x, y, batch_size=32, epochs=6, verbose=0, shuffle=False)
    tolerance = 2e-2 if name == "half precision" else 1e-4
    np.testing.assert_allclose(
        trial.runs[1.0].losses[:6], history.history["loss"], rtol=tolerance
    )


def test_gradients_of_half_precision_are_not_those_of_the_scaled_loss():
    whole = try_steps(Snapshot(*made(mlp))).gradients
    half = try_steps(Snapshot(*made(half_precision))).gradients
    for a, b in zip(whole, half, strict=True):
        assert b.size == pytest.approx(a.size, rel=0.05)


def test_rows_of_an_embedding_have_a_gradient(few_steps):
    gradients = try_steps(Snapshot(*made(recurrent))).gradients
    assert gradients[0].size > 0
    assert gradients[0].update > 0


def test_weights_that_the_loss_does_not_know(few_steps):
    a = keras.Input((6,))
    used, unused = layers.Dense(1, name="used")(a), layers.Dense(1, name="unused")(a)
    model = keras.Model(a, [used, unused])
    model.compile("adam", ["mse", None])
    gradients = try_steps(Snapshot(model, X, [Y, Y])).gradients
    assert {g.layer for g in gradients if g.size == 0} == {"unused"}


def test_other_weights_to_start_from(few_steps):
    model, x, y = made(mlp)
    model.fit(x, y, verbose=0)
    zeros = [0 * w for w in model.get_weights()]
    before = state(model)
    trial = try_steps(Snapshot(model, x, y), zeros)
    assert trial.is_fresh
    assert trial.gradients[0].weight == 0
    assert_same(before, state(model))


# --- time ---


class Clock:
    """Each step takes a while."""

    def __init__(self, monkeypatch, seconds):
        self.now = 0.0
        monkeypatch.setattr(budget, "time", self)
        step = backend.training_step

        def slow(*args):
            one = step(*args)

            def and_wait(*batch):
                self.now += seconds
                return one(*batch)

            return and_wait

        monkeypatch.setattr(backend, "training_step", slow)

    def monotonic(self):
        return self.now


def test_it_ends_in_time(monkeypatch):
    clock = Clock(monkeypatch, 1.0)
    model, x, y = made(mlp)
    trial = try_steps(Snapshot(model, x, y), deadline=budget.Deadline(60))
    assert clock.now <= 63
    assert np.isfinite(trial.gain(1.0))
    assert trial.overfit is None


def test_a_slow_machine_makes_the_same_steps(monkeypatch):
    model, x, y = made(mlp)
    idle = try_steps(Snapshot(model, x, y))
    clock = Clock(monkeypatch, 0.15)
    busy = try_steps(Snapshot(model, x, y))
    assert clock.now > 30
    assert busy.runs.keys() == idle.runs.keys()
    for factor in idle.runs:
        np.testing.assert_array_equal(
            busy.runs[factor].losses, idle.runs[factor].losses
        )
    np.testing.assert_array_equal(busy.overfit.losses, idle.overfit.losses)


def test_a_dear_model_makes_fewer_steps_on_fewer_samples(monkeypatch):
    monkeypatch.setattr(trial_steps, "BUDGET", 1.0)
    model, x, y = made(mlp)
    trial = try_steps(Snapshot(model, x, y))
    assert (trial.batch, trial.steps) == (4, 6)
    assert len(trial.runs) == 3
    assert trial.overfit is None


def test_too_little_time_for_all_rates_is_said(monkeypatch):
    model, x, y = made(mlp)
    trial = try_steps(Snapshot(model, x, y), factors=(1.0,))
    monkeypatch.setattr(
        "keras_trainfix.diagnosis.trial.attempt.try_steps", lambda *_: trial
    )
    skipped = diagnose(model, x, y).skipped
    assert "there was time for 1 rate." in skipped["trial"]


@pytest.mark.parametrize(
    ("is_terminal", "after", "is_shown"),
    [(True, 0.0, True), (True, float("inf"), False), (False, 0.0, False)],
)
def test_progress_is_shown_if_it_takes_long(
    is_terminal, after, is_shown, monkeypatch, capsys, few_steps
):
    model, x, y = made(mlp)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    monkeypatch.setattr(trial_steps, "SHOWN_AFTER", after)
    monkeypatch.setattr(Progress, "INTERVAL", 0.0)
    try_steps(Snapshot(model, x, y))
    shown = re.findall(r"(\d+)/(\d+) steps", capsys.readouterr().out)
    assert bool(shown) == is_shown
    assert all(int(done) <= int(total) for done, total in shown)
