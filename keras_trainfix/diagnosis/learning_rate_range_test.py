"""Which learning rate to use: equal runs from the same weights at each of many."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_trainfix.data import leaves
from keras_trainfix.diagnosis.budget import Plan, plan, work_of
from keras_trainfix.diagnosis.experiments.bench import Bench
from keras_trainfix.diagnosis.experiments.rate_range import choose
from keras_trainfix.diagnosis.experiments.training import (
    MOST_HELD_OUT,
    MOST_TRAINED,
    Training,
    split_samples,
)
from keras_trainfix.diagnosis.fit_arguments import BATCH, FitArguments
from keras_trainfix.diagnosis.learning_rate_range import LearningRateRange
from keras_trainfix.diagnosis.observe.given_model import check_model
from keras_trainfix.diagnosis.observe.label_faults import has_text
from keras_trainfix.diagnosis.observe.layer_outputs import untouched
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.trial.attempt import needs_targets
from keras_trainfix.diagnosis.trial.user_step import has_own_step
from keras_trainfix.messages import Progress, count
from keras_trainfix.models.optimizers import rate_of

RATES = np.array([float(f"{digit}e{n}") for n in range(-7, 3) for digit in (1, 3)][:-1])
STEPS, FEWEST_STEPS = 128, 24
BUDGET = 1e12  # multiply-adds of all runs together
FEWEST_SAMPLES = 8
SHOWN_AFTER = 2.0  # seconds


def learning_rate_range_test(
    model: keras.Model,
    x: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    class_weight: Mapping[int, float] | None = None,
    batch_size: int | None = None,
    verbose: Any = "auto",
) -> LearningRateRange:
    """Finds a learning rate for a model: by short runs at rates from 1e-7 to 100.

    Each run makes the same steps on the same batches from the same weights, with the
    compiled optimizer in its initial state. The loss is measured on samples that no run
    stepped on. The suggestion is the largest rate that is as good as the best, and at
    least ten times below the lowest one at which the training diverges: a longer
    training meets steeper places. Ask for it before training; the best rate depends on
    the batch size, the optimizer and the weights.

    The range test of Smith makes one run whose rate rises at each step. Its loss at a
    rate depends on all lower rates before it: on what they learned, and on the
    averages of the optimizer. Here every rate gets the same chance, and one that
    diverges spoils no other. It takes more steps: 128 for each of 19 rates, and fewer
    of a large model. Their number depends on the model, never on the speed of the
    machine.

    Afterwards weights, statistics, optimizer, metrics, random state and compiled
    functions are what they were. A `LearningRateSchedule` is replaced by the constant
    rate during the runs.

    Args:
        model: A built and compiled `keras.Model` that trains with Keras' `train_step`.
        x: Inputs, as for `diagnose`: arrays, or a dict or list of these; `(x, y)` or
            `(x, y, sample_weight)`; or batches as `fit` takes them. Up to 2304 samples
            are used. Of a generator it takes as many batches as 256 samples need, which
            `fit` then does not see.
        y: Targets, if `x` are arrays.
        sample_weight: Weights, if `x` are arrays.
        class_weight: As in `fit`.
        batch_size: As in `fit`; give the one that you train with. Defaults to that of
            the batches, or 32.
        verbose: As in `fit`: 0 shows no progress.

    Returns:
        `LearningRateRange`: `.suggestion`, a float, or None if the model learns at no
        rate; `.rates`, `.losses` and `.skills`, arrays; `.plot()`; printing it shows a
        table.

    Raises:
        ValueError: If the model is not compiled, has a `train_step` of its own or no
            trainable weights; if targets are missing or text; or if there are fewer
            than 8 samples.
        TypeError: If no samples can be read from `x`.

    Examples:
        >>> keras.utils.set_random_seed(0)
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> x = np.random.default_rng(0).normal(size=(256, 4))
        >>> found = learning_rate_range_test(model, x, x.sum(axis=1), verbose=0)
        >>> 0.01 <= found.suggestion <= 0.1
        True
        >>> found.rates.shape == found.losses.shape
        True
        >>> model.optimizer.learning_rate = found.suggestion

    Reference:

    - [Smith, 2017](https://arxiv.org/abs/1506.01186), section 3.3, first published in
      2015: the range test with one run.
    """
    check_model(model, x, y)
    _check_model(model)
    arguments = FitArguments(class_weight=class_weight, batch_size=batch_size)
    snapshot = Snapshot(model, x, y, sample_weight, fit=arguments)
    _check_data(snapshot)
    train, held_out = split_samples(snapshot.more(MOST_TRAINED + MOST_HELD_OUT))
    with untouched(model):
        bench = Bench(Training(model, train, held_out), snapshot, BATCH)
        bench.plan = _plan(snapshot, len(leaves(train.x)[0]))
        bench.rate = 1.0  # a factor of it is a rate
        rates = RATES if bench.plan.runs >= len(RATES) else RATES[::2]
        start, outcomes = bench.without_steps(), []
        shown_after = SHOWN_AFTER if verbose not in (0, "0") else float("inf")
        with Progress(len(rates), "learning rate", shown_after) as progress:
            for done, rate in enumerate(rates, 1):
                outcomes.append(bench.run(factor=float(rate)))
                progress.update(done)
        choice = choose(rates, start, outcomes)
    return LearningRateRange(
        rates,
        np.array([outcome.loss for outcome in outcomes]),
        np.array([outcome.value for outcome in outcomes]),
        choice.suggestion,
        choice.edge,
        start.loss,
        rate_of(model.optimizer),
        bench.plan.steps,
        bench.plan.batch,
    )


def _check_model(model):
    if getattr(model, "optimizer", None) is None:
        raise ValueError(
            "`model` must be compiled: the test needs its loss and its optimizer. "
            f"Received: model={model.name!r}, not compiled. Call `model.compile` first."
        )
    if has_own_step(model):
        raise ValueError(
            "`model` must train with Keras' own `train_step`, because the test makes "
            "the steps itself. Received: a model of class "
            f"{type(model).__name__} with its own. Move what it does into "
            "`compute_loss`, or compile a `keras.Model` of the same layers."
        )
    if not model.trainable_variables:
        raise ValueError(
            "`model` must have trainable weights. Received: "
            f"model={model.name!r} without any. Build it, or set `trainable=True`."
        )


def _check_data(snapshot):
    length = snapshot.samples
    if length < FEWEST_SAMPLES:
        raise ValueError(
            f"`x` must hold at least {FEWEST_SAMPLES} samples: some to step on and "
            f"some to measure on. Received: {count(length, 'sample')}."
        )
    if not snapshot.has_targets and needs_targets(snapshot):
        raise ValueError(
            "`y` must be given: the compiled loss compares predictions with targets. "
            "Received: y=None. Pass targets, or batches `(x, y)`."
        )
    for view in snapshot.views():
        if has_text(view):
            raise ValueError(
                "`y` must be numbers. Received: text. Encode it as integers first."
            )
        if view.refusal is not None:
            raise ValueError(view.refusal)


def _plan(snapshot, length):
    """Fewer steps of a large model, but batches as they are: the rate depends on it."""
    wanted = Plan(min(snapshot.batch_size or BATCH, length), STEPS, len(RATES))
    fewest = wanted._replace(steps=FEWEST_STEPS, runs=len(RATES[::2]))
    work = work_of(snapshot.layers, snapshot.inputs.values())
    return plan(work, BUDGET, wanted, fewest)
