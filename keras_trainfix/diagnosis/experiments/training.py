"""What a run on the bench trains: data, weights, and what is replaced in the model."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from keras_trainfix import backend
from keras_trainfix.data import leaves, mapped
from keras_trainfix.diagnosis.experiments.instruments.sorted_batches import (
    comes_sorted,
)
from keras_trainfix.diagnosis.measure.stratified import classes_of, stratified
from keras_trainfix.diagnosis.observe.sample import Sample
from keras_trainfix.models.optimizers import (
    FEW,
    accumulation_of,
    schedule_of,
    steps_of_schedule,
)

MOST_TRAINED = 2048  # samples to train on,
MOST_HELD_OUT = 256  # and to measure on
FEWEST_TO_SPLIT = 8

EACH_STEP = (("gradient_accumulation_steps", None),)

# A change of a model in place, which is undone when it closes.
Change = Callable[[keras.Model], contextlib.AbstractContextManager]


@contextlib.contextmanager
def no_change(model: keras.Model) -> Iterator[None]:
    """Leaves a model as it is."""
    yield


@dataclass(frozen=True)
class Training:
    """One training on the bench.

    Attributes:
        model: The compiled `keras.Model`.
        train: `Sample` to step on.
        held_out: `Sample` to measure on.
        change: Function of the model: a context in which it is changed in place.
        loss: Function `(model, x, y, y_pred, sample_weight) -> scalar tensor`.
        settings: Pairs of the name of an attribute of the optimizer and its value.
        is_plain_step: Whether it takes Keras' step although the user has another.
        is_compiled_step: Whether the step of the control can be reused: only the data
            differ.
        is_mixed: Whether the batches are drawn from all samples, and not cut in their
            order.
        schedule: Function of the number of a step, from 0, that gives its learning
            rate; None for the same rate in all steps.
    """

    model: keras.Model
    train: Sample
    held_out: Sample
    change: Change = no_change
    loss: Callable[..., Any] | None = None
    settings: tuple[tuple[str, Any], ...] = ()
    is_plain_step: bool = False
    is_compiled_step: bool = True
    is_mixed: bool = True
    schedule: Callable[[int], float] | None = None

    def with_inputs(self, function: Callable[[Any], Any]) -> "Training":
        """The same with other inputs, a function of the structure of arrays."""
        return self._mapped(lambda s: s._replace(x=function(s.x)))

    def with_targets(self, function: Callable[[Any], Any]) -> "Training":
        """The same with other targets."""
        return self._mapped(lambda s: s._replace(y=function(s.y)))

    def with_weights(self, function: Callable[[Sample], Any]) -> "Training":
        """The same with other sample weights, a function of a `Sample`."""
        return self._mapped(lambda s: s._replace(sample_weight=function(s)))

    def changed(self, change: Change) -> "Training":
        """The same with one more change of the model, which is compiled again."""
        before = self.change

        @contextlib.contextmanager
        def both(model: keras.Model) -> Iterator[None]:
            with before(model), change(model):
                yield

        return replace(self, change=both, is_compiled_step=False)

    def with_loss(self, loss: Callable[..., Any]) -> "Training":
        """The same with another loss."""
        return replace(self, loss=loss, is_compiled_step=False)

    def with_plain_step(self) -> "Training":
        """The same with the `train_step` of Keras."""
        return replace(self, is_plain_step=True, is_compiled_step=False)

    def with_settings(self, **settings: Any) -> "Training":
        """The same with other settings of the optimizer."""
        all_of_them = (*self.settings, *settings.items())
        return replace(self, settings=all_of_them, is_compiled_step=False)

    def _mapped(self, function):
        return replace(
            self, train=function(self.train), held_out=function(self.held_out)
        )


def training_of(snapshot: Any) -> Training:
    """The `Training` of a `Snapshot` as `fit` makes it.

    Batches are drawn from all samples, at a constant learning rate, and each is a step:
    no gradients are accumulated. Batches that come class by class keep their order, and
    a schedule that ends at once is followed.

    Args:
        snapshot: `Snapshot` of a compiled model with targets.
    """
    model = snapshot.model
    train, held_out = split_samples(snapshot.more(MOST_TRAINED + MOST_HELD_OUT))
    return Training(
        model,
        train,
        held_out,
        settings=EACH_STEP if accumulation_of(model.optimizer) > 1 else (),
        is_mixed=not any(map(comes_sorted, snapshot.views())),
        schedule=schedule_that_ends(model) if not snapshot.iterations else None,
    )


def schedule_that_ends(model: keras.Model) -> Callable[[int], float] | None:
    """The schedule of a model if all its steps are worth a few at its start.

    Args:
        model: The compiled `keras.Model`.

    Returns:
        Function of the number of a step that gives its learning rate, or None.
    """
    schedule = schedule_of(model.optimizer)
    if schedule is None or steps_of_schedule(model.optimizer) >= FEW:
        return None
    return lambda step: float(backend.to_numpy(schedule(step)))


def split_samples(sample: Sample) -> tuple[Sample, Sample]:
    """Samples to step on and samples to measure on, with the same mix of targets.

    Args:
        sample: `Sample`.

    Returns:
        `(train, held_out)`. The samples are ordered by their targets, and one of every
        few is held out: a ninth of many samples, a quarter of few. Each class of two or
        more samples is in both. Fewer than eight are the whole task, such as an
        exclusive or: all of them are in both.
    """
    length = len(leaves(sample.x)[0])
    if length < FEWEST_TO_SPLIT:
        return sample, sample
    every = 4 if length < 4 * MOST_HELD_OUT else -(-length // MOST_HELD_OUT)
    targets = [] if sample.y is None else [np.asarray(one) for one in leaves(sample.y)]
    found = [classes_of(one) for one in targets if len(one) == length]
    classes = [one for one in found if one is not None]
    is_held_out = stratified(
        np.concatenate([np.zeros((length, 0), bool), *classes], 1),
        every,
        _numbers(targets, length),
    )
    return _chosen(sample, ~is_held_out), _chosen(sample, is_held_out)


def _numbers(targets, length):
    """A number for each sample by which targets are ordered; None without one."""
    if not targets or targets[0].dtype.kind not in "biuf" or len(targets[0]) != length:
        return None
    return np.nan_to_num(targets[0].reshape(length, -1)[:, 0].astype("float64"))


def _chosen(sample, mask):
    x, y, sample_weight = (
        None if part is None else mapped(lambda leaf: leaf[mask], part)
        for part in sample[:3]
    )
    return Sample(x, y, sample_weight)
