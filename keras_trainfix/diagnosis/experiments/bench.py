"""Equal steps from the same weights on the same batches, with one thing replaced."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_trainfix import backend
from keras_trainfix.data import leaves
from keras_trainfix.diagnosis.budget import Plan, plan, work_of
from keras_trainfix.diagnosis.experiments.held_out import held_out_loss, skills
from keras_trainfix.diagnosis.experiments.outcome import Outcome
from keras_trainfix.diagnosis.experiments.own_step import with_optimizers
from keras_trainfix.diagnosis.experiments.training import Training
from keras_trainfix.diagnosis.observe.layer_outputs import seeds_of
from keras_trainfix.diagnosis.observe.variation import is_finite
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.trial.runner import tensors_of
from keras_trainfix.diagnosis.trial.user_step import has_own_step
from keras_trainfix.models.optimizers import copy_of, inner_of, rate_to_come

STEPS = 128
RUNS = 40
BUDGET = 6e11  # multiply-adds of all runs together
FEWEST = Plan(4, 24, 8)


class NotPutBackError(RuntimeError):
    """The first loss of the control did not come back after an experiment."""


class Bench:
    """Runs trainings from the same state, and puts the model back.

    Use it inside `untouched`.

    Args:
        training: `Training` of the user, nothing replaced.
        snapshot: `Snapshot` of the model.
        batch: Integer, the batch size of `fit`.

    Attributes:
        training: As given.
        plan: `Plan`: batch size, steps of a run, and how many runs the budget allows.
        runs: Integer, the runs so far.
    """

    def __init__(self, training: Training, snapshot: Snapshot, batch: int) -> None:
        self.training, self.model = training, training.model
        length = len(leaves(training.train.x)[0])
        work = work_of(snapshot.layers, snapshot.inputs.values())
        fewest = FEWEST._replace(batch=min(4, batch))
        for runs in (RUNS, RUNS // 2):  # longer runs tell more than many
            wanted = Plan(min(batch, length), STEPS, runs)
            self.plan = plan(work, BUDGET, wanted, fewest)
            if self.plan.steps > STEPS // 2:
                break
        self.rate = rate_to_come(self.model.optimizer)
        self._other_samples = [
            None if sample is None else Snapshot(self.model, *sample[:3])
            for sample in (snapshot.validation, training.train)
        ]
        self.runs = 0
        self._variables = [*self.model.variables, *seeds_of(self.model)]
        self._before = [backend.to_numpy(variable) for variable in self._variables]
        self._has_own_step = has_own_step(self.model)
        self._is_finite = all(map(is_finite, snapshot.predictions))
        self._control: Any = None  # the optimizer and the step of the control
        self._first: float | None = None

    def run(
        self,
        training: Training | None = None,
        factor: float = 1.0,
        order: int = 0,
        steps: int | None = None,
    ) -> Outcome:
        """The `Outcome` of a training.

        Args:
            training: `Training`; that of the user by default.
            factor: Float, of the compiled learning rate.
            order: Integer, the seed of the order of the batches.
            steps: Integer, how many; by default those of the plan.

        Raises:
            NotPutBackError: If the control no longer begins as it did.
        """
        training = training or self.training
        steps = steps or self.plan.steps
        self.runs += -(-steps // self.plan.steps)
        with backend.same_random_state(), training.change(self.model):
            outcome = self._run(training, factor, order, steps)
        self._check_put_back(training)
        return outcome

    def without_steps(self) -> Outcome:
        """The `Outcome` of the weights as they are."""
        held_out = self._snapshot(self.training)
        skill, loss_skill = skills(self.training, held_out)
        loss = held_out_loss(self.training, held_out.sample)
        return Outcome(skill, loss_skill, skill, np.array([]), loss)

    @contextlib.contextmanager
    def stopped_before(self, number: int) -> Iterator[np.ndarray]:
        """While open, the model is as a step of the control finds it.

        Args:
            number: Integer, the step, from 1.

        Yields:
            The numbers of the samples that the step takes.
        """
        optimizer, step = self._step_of(self.training)
        numbers = self._batches(self.training, 0, self.plan.steps)
        before = numbers[: number - 1]
        with backend.same_random_state(), self._put_back_after(optimizer):
            for _ in self._losses(self.training, optimizer, step, before):
                pass
            yield numbers[number - 1]

    def _losses(self, training, optimizer, step, numbers, factor=1.0):
        """Makes a step on each batch; yields the losses."""
        optimizer.learning_rate = self.rate * factor
        for number, chosen in enumerate(numbers):
            if training.schedule is not None:
                optimizer.learning_rate = training.schedule(number) * factor
            loss, _ = step(*tensors_of(training.train, chosen))
            yield float(backend.to_numpy(loss))

    def _run(self, training, factor, order, steps):
        optimizer, step = self._step_of(training)
        held_out = self._snapshot(training)
        numbers = self._batches(training, order, steps)
        losses: list[float] = []
        half = float("nan")
        with self._put_back_after(optimizer), self._lent(training, optimizer):
            for loss in self._losses(training, optimizer, step, numbers, factor):
                losses.append(loss)
                if not np.isfinite(loss):
                    break
                if len(losses) == steps // 2:
                    known = filter(np.isfinite, skills(training, held_out))
                    half = next(known, half)
            skill, loss_skill = skills(training, held_out)
            loss = held_out_loss(training, held_out.sample)
            others = [self._of_control(training, s) for s in self._other_samples]
        return Outcome(skill, loss_skill, half, np.array(losses), loss, *others)

    def _of_control(self, training, snapshot):
        """The skill of the control on other samples; NaN without any."""
        if snapshot is None or training is not self.training:
            return float("nan")
        return skills(training, snapshot)[0]

    def _step_of(self, training):
        if training.is_compiled_step and self._control is not None:
            return self._control
        optimizer = copy_of(
            self.model.optimizer, self.model.trainable_variables, with_state=False
        )
        for name, value in training.settings:
            setattr(inner_of(optimizer), name, value)
        if self._is_users(training):
            step = self._step_of_user
        else:
            step = backend.training_step(self.model, optimizer, True, training.loss)
        if training.is_compiled_step:
            self._control = optimizer, step
        return optimizer, step

    def _is_users(self, training):
        return self._has_own_step and not training.is_plain_step

    def _step_of_user(self, x, y, sample_weight):
        """A step by the user's code, whose loss is not known."""
        data = keras.utils.pack_x_y_sample_weight(x, y, sample_weight)
        backend.step_of_user(self.model, data)
        return np.zeros(()), None

    def _lent(self, training, optimizer):
        """A context in which the user's step works with the optimizer."""
        if not self._is_users(training):
            return contextlib.nullcontext()
        x, y, weights = tensors_of(training.train, np.arange(self.plan.batch))
        data = keras.utils.pack_x_y_sample_weight(x, y, weights)
        return with_optimizers(self.model, data, optimizer=optimizer)

    def _batches(self, training, order, steps):
        length = len(leaves(training.train.x)[0])
        size = min(self.plan.batch, length)
        rng, whole = np.random.default_rng(order), np.arange(length)
        numbers: list = []
        while len(numbers) < steps:
            epoch = rng.permutation(length) if training.is_mixed else whole
            starts = range(0, length - size + 1, size)
            numbers += [epoch[start : start + size] for start in starts]
        return numbers[:steps]

    def _snapshot(self, training):
        """The held-out samples, read as their targets are now."""
        return Snapshot(self.model, *training.held_out[:3])

    @contextlib.contextmanager
    def _put_back_after(self, optimizer):
        """Puts back the model and an optimizer in the end."""
        slots = [backend.to_numpy(variable) for variable in optimizer.variables]
        try:
            yield
        finally:
            variables = [*optimizer.variables, *self._variables]
            for variable, value in zip(variables, [*slots, *self._before], strict=True):
                variable.assign(value)

    def _check_put_back(self, training):
        """Whether the control begins with the same loss, to the bit."""
        if training.is_compiled_step and self._first is not None:
            return
        if not self._is_finite:
            return  # its loss may raise
        optimizer, step = self._step_of(self.training)
        size = min(self.plan.batch, len(leaves(self.training.train.x)[0]))
        with (
            backend.same_random_state(),
            self._put_back_after(optimizer),
            self._lent(self.training, optimizer),
        ):
            loss, _ = step(*tensors_of(self.training.train, np.arange(size)))
            loss = float(backend.to_numpy(loss))
        first, self._first = self._first, loss
        if first is not None and first != loss and not np.isnan([first, loss]).all():
            raise NotPutBackError(
                f"The first loss of the control was {first:.9g} and is {loss:.9g}."
            )
