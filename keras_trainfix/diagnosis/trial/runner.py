"""The steps of a trial: runs at several rates, each from the same weights."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_trainfix import backend
from keras_trainfix.data import leaves, mapped
from keras_trainfix.diagnosis.budget import Deadline, Plan, Work, plan, work_of
from keras_trainfix.diagnosis.observe.layers import spread_left, worst_dead_share
from keras_trainfix.diagnosis.observe.sample import Sample, numbers_of
from keras_trainfix.diagnosis.observe.variation import root_mean_square
from keras_trainfix.diagnosis.trial.result import (
    Gradient,
    NoTrial,
    Trial,
    TrialRun,
    first_of_last,
)
from keras_trainfix.keras_internals import child_layers
from keras_trainfix.messages import Progress
from keras_trainfix.models.batch_norm_layers import all_layers
from keras_trainfix.models.optimizers import copy_of, rate_to_come

STEPS = 32  # of each run
OVERFIT_STEPS = 96
OVERFIT_SAMPLES = 8
SHOWN_AFTER = 2.0  # seconds
BUDGET = 4e11  # multiply-adds of all runs together
BATCH = 32
LARGE = 2**14  # numbers of a sample: smaller batches
MANY_LAYERS = 80  # of which TensorFlow takes longer to compile than a few steps take
FACTORS = (1.0, 0.1, 100.0, 0.01, 10.0)  # of the learning rate, the most telling first
MUCH_LARGER = 1e4  # tried where none of these changes anything
CHANGES = 0.1  # of the loss
WHOLE = OVERFIT_STEPS // STEPS + len(FACTORS) + 1  # runs, of the same length
FEWEST_RUNS = 3  # of the first factors
FEWEST_STEPS = 6  # of a run of a slow model
FEWEST_SAMPLES = 4  # of a batch of one
MOST_LAYERS = 150  # of which JAX compiles a step in less than a minute


def plan_of(work: Work, sample: Sample) -> Plan:
    """The `Plan` of a trial.

    Args:
        work: `Work` of the model.
        sample: `Sample` of which the batches are made.
    """
    is_large = numbers_of(sample.x) > LARGE
    batch = min(len(leaves(sample.x)[0]), 8 if is_large else BATCH)
    fewest = Plan(min(batch, FEWEST_SAMPLES), FEWEST_STEPS, FEWEST_RUNS)
    return plan(work, BUDGET, Plan(batch, STEPS, WHOLE), fewest)


class Runner:
    """Makes the steps of a `Trial`; whoever calls it puts the model back."""

    def __init__(
        self, snapshot: Any, is_fresh: bool, deadline: Deadline, show_progress: bool
    ) -> None:
        self.snapshot, self.model, self.is_fresh = snapshot, snapshot.model, is_fresh
        self.deadline = deadline
        self.sample = snapshot.sample
        self.length = len(leaves(self.sample.x)[0])
        work = work_of(snapshot.layers, snapshot.inputs.values())
        self.plan = plan_of(work, self.sample)
        self.has_overfit = self.plan.runs == WHOLE
        self.batch = self.plan.batch
        order = np.random.default_rng(0).permutation(self.length)
        self.batches = [
            order[i : i + self.batch]
            for i in range(0, self.length - self.batch + 1, self.batch)
        ]
        self.optimizer = copy_of(
            self.model.optimizer,
            self.model.trainable_variables,
            with_state=not is_fresh,
        )
        layers = sum(not child_layers(layer) for layer in all_layers(self.model))
        if backend.is_faster_in_one_piece(layers) and layers > MOST_LAYERS:
            raise NoTrial(
                f"The learning rate was not judged: the model has {layers} layers, and "
                "JAX would compile a step of it for minutes."
            )
        has_few = layers < MANY_LAYERS
        self.step = backend.training_step(self.model, self.optimizer, has_few)
        self.rate = rate_to_come(self.model.optimizer)
        # What a run starts from: optimizers keep averages and numbers of steps.
        self.variables = [*self.model.variables, *self.optimizer.variables]
        self.before = [backend.to_numpy(variable) for variable in self.variables]
        self.loss_scale = getattr(self.optimizer, "dynamic_scale", 1.0)
        self.loss_scale = float(backend.to_numpy(self.loss_scale))
        self.progress = Progress(
            None,
            "step",
            SHOWN_AFTER if show_progress else float("inf"),
            "diagnose: trying learning rates",
        )
        self.done = 0

    def run(self, factors: Sequence[float]) -> Trial:
        """The `Trial` of some factors of the learning rate."""
        with self.progress:
            return self._run(factors)

    def _run(self, factors):
        penalty = _penalty(self.model) + self._activity_penalty()
        steps = self.plan.steps
        factors = factors[: self.plan.runs]
        self.progress.total = (len(factors) + 1) * steps + OVERFIT_STEPS
        start = self._start(steps)
        is_new = not self.snapshot.iterations
        spread = spread_left(
            self.snapshot.layers if is_new else self.snapshot.call_in_training()[1]
        )
        gradients: list = []
        runs: dict = {}
        for factor in (*factors, MUCH_LARGER):
            if runs and self.deadline.is_over:
                break
            if factor == MUCH_LARGER and not _is_still(runs, start):
                break
            losses, first = self._steps(factor, steps)
            gradients = gradients or first
            runs[factor] = self._trial_run(factor, losses, steps)
        can_overfit = self.has_overfit and not self.deadline.is_over
        overfit = self._overfit(runs) if can_overfit else None
        return Trial(
            self.is_fresh,
            self.rate,
            self.batch,
            steps,
            start,
            penalty,
            spread,
            gradients,
            runs,
            overfit,
        )

    def _start(self, steps):
        """The mean loss of the last steps of a run if no step changed anything."""
        self._reset(1.0)
        batches = [self._number(n) for n in range(first_of_last(steps), steps)]
        losses = {}
        for number in dict.fromkeys(batches):
            losses[number] = self._step(number)[0]
            self._undo()
        return float(np.mean([losses[n] for n in batches]))

    def _undo(self):
        """Takes the steps back, and leaves the random state where it is.

        A rate of 0 would not do: some optimizers divide by it, as Ftrl does.
        """
        moved = [*self.model.trainable_variables, *self.optimizer.variables]
        ids = {id(variable) for variable in moved}
        for variable, value in zip(self.variables, self.before, strict=True):
            if id(variable) in ids:
                variable.assign(value)

    def _steps(self, factor, steps):
        """The loss of each step, and the gradients of the first."""
        self._reset(factor)
        losses: list = []
        gradients: list = []
        for number in range(steps):
            loss, found = self._step(number)
            losses.append(loss)
            gradients = gradients or self._gradients(found)
            self.done += 1
            self.progress.update(self.done)
            if not np.isfinite(loss) or self.deadline.is_over:
                break
        last = map(_slope, found)
        pairs = zip(gradients, last, strict=True)
        gradients = [one._replace(is_cut=one.size == end == 0) for one, end in pairs]
        return np.array(losses), gradients

    def _reset(self, factor):
        for variable, value in zip(self.variables, self.before, strict=True):
            variable.assign(value)
        self.optimizer.learning_rate = self.rate * factor

    def _number(self, step):
        """Of the batch of a step."""
        return step % len(self.batches)

    def _step(self, number):
        batch = tensors_of(self.sample, self.batches[self._number(number)])
        loss, gradients = self.step(*batch)
        return float(backend.to_numpy(loss)), gradients

    def _overfit(self, runs):
        best = min(runs.values(), key=lambda trial_run: trial_run.end).factor
        few = np.arange(min(OVERFIT_SAMPLES, self.length))
        self.batches = [np.resize(few, self.batch)]  # of the same shape
        losses, _ = self._steps(best, OVERFIT_STEPS)
        return TrialRun(best, losses, OVERFIT_STEPS, [], 0.0)

    def _activity_penalty(self):
        """What regularizers of the outputs of layers add to the loss of a batch."""
        layers = all_layers(self.model)
        if not any(layer.activity_regularizer for layer in layers):
            return 0.0
        total = 0.0
        for layer, values in self.snapshot.call_in_training()[1]:
            if layer.activity_regularizer is not None:
                penalty = layer.activity_regularizer(_tensor(values))
                total += float(backend.to_numpy(penalty)) / len(values)
        return total

    def _trial_run(self, factor, losses, steps):
        predictions, dead = [], 0.0
        if np.isfinite(losses[-1]) and not self.deadline.is_over:
            predictions, layers = self.snapshot.call_in_training()
            dead = worst_dead_share(layers)
        return TrialRun(factor, losses, steps, predictions, dead)

    def _gradients(self, found):
        names = _layer_names(self.model)
        pairs = zip(self.variables, self.before, strict=True)
        before = {id(v): value for v, value in pairs}
        result = []
        for variable, gradient in zip(
            self.model.trainable_variables, found, strict=True
        ):
            old = before[id(variable)].astype("float64")
            new = backend.to_numpy(variable).astype("float64")
            size = _slope(gradient) / self.loss_scale
            name = names.get(id(variable), variable.path)
            decay = _decay(variable, old)
            is_kernel = len(variable.shape) > 1
            sizes = size, root_mean_square(old), root_mean_square(new - old), decay
            result.append(Gradient(name, is_kernel, *sizes))
        return result


def _is_still(runs, start):
    """Whether no run has changed the loss."""
    return all(
        abs(trial_run.end - start) < CHANGES * abs(start) for trial_run in runs.values()
    )


def tensors_of(sample: Sample, chosen: Any) -> tuple:
    """`(x, y, sample_weight)` of some samples, as `fit` gives them to a step.

    Args:
        sample: `Sample`.
        chosen: Slice, or array of the numbers of samples.
    """
    return tuple(
        None if part is None else mapped(lambda leaf: _tensor(leaf[chosen]), part)
        for part in sample[:3]
    )


def _tensor(array):
    if array.dtype.kind == "f":
        array = array.astype(keras.config.floatx())  # as `fit` does
    if array.dtype.kind not in "biuf":
        return array
    return keras.ops.convert_to_tensor(array)


def _slope(gradient):
    """The size of a gradient; 0 where the loss does not depend on the variable."""
    if gradient is None:
        return 0.0
    if type(gradient).__name__ == "IndexedSlices":  # that of an embedding: some rows
        gradient = gradient.values
    return root_mean_square(backend.to_numpy(gradient).astype("float64"))


def _penalty(model):
    """What the regularizers of the weights add to the loss."""
    total = 0.0
    for variable in model.trainable_variables:
        if getattr(variable, "regularizer", None) is not None:
            total += float(backend.to_numpy(variable.regularizer(variable)))
    return total


def _decay(variable, value):
    """The size of the gradient of a regularizer."""
    regularizer = getattr(variable, "regularizer", None)
    if regularizer is None:
        return 0.0
    return root_mean_square(backend.gradient(regularizer, value.astype("float32")))


def _layer_names(model):
    return {
        id(variable): layer.name
        for layer in all_layers(model)
        if not child_layers(layer)
        for variable in layer.variables
    }
