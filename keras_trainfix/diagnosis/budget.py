"""How much work a step of a model is: budgets are counted in it, never in seconds.

The same model and data get the same steps on a busy machine as on an idle one. A
`Deadline` only guards the time of a user.
"""

import time
from typing import Any, NamedTuple

import keras
import numpy as np

SECONDS = 60.0  # of a `Deadline`
FOR_TRIAL = 0.4  # of that time, at most
BACKWARD = 3  # a step in forward passes
# Multiply-adds in the time that the call of a layer, or a time step of a recurrent
# one, takes by itself: torch runs each operation alone.
PER_CALL = {"torch": 4e6}
PER_TIME_STEP = {"torch": 8e6, "tensorflow": 3e6}
COMPILED = 4e5
PER_WEIGHT = 30.0  # of the time that an optimizer, and putting it back, take a weight


class Plan(NamedTuple):
    """The steps that a budget allows.

    Attributes:
        batch: Integer, samples in a step.
        steps: Integer, steps of one run.
        runs: Integer, how many runs.
    """

    batch: int
    steps: int
    runs: int


class Work(NamedTuple):
    """The work of a model, in multiply-adds.

    Attributes:
        sample: Float, a forward pass of one sample.
        call: Float, what a step costs whatever the number of samples.
    """

    sample: float
    call: float

    def of_step(self, batch: int) -> float:
        """The work of a training step on so many samples."""
        return BACKWARD * (batch * self.sample + self.call)


def work_of(layers: list, inputs: Any = ()) -> Work:
    """The `Work` of a model.

    Args:
        layers: List of `LayerOutput` of one call of the model.
        inputs: Arrays that the model was called with.

    Examples:
        >>> from keras_trainfix.diagnosis.snapshot import Snapshot
        >>> model = keras.Sequential([keras.Input((100,)), keras.layers.Dense(50)])
        >>> work_of(Snapshot(model, np.ones((2, 100))).layers).sample
        5000.0
    """
    backend = keras.backend.backend()
    per_call = PER_CALL.get(backend, COMPILED)
    per_time_step = PER_TIME_STEP.get(backend, COMPILED)
    total, call = 0.0, 0.0
    before: tuple = next((np.shape(x) for x in inputs if np.ndim(x) > 1), ())
    weights = {id(w): w for layer, _ in layers for w in layer.trainable_weights}
    call += PER_WEIGHT / BACKWARD * sum(map(_size, weights.values()))
    for layer, values in layers:
        shape = values.shape
        if isinstance(layer, keras.layers.RNN):
            steps = before[1] if len(before) > 1 else 1
            total += steps * sum(_size(w) for w in layer.weights)
            call += steps * per_time_step
        else:
            call += per_call
            if not isinstance(layer, keras.layers.Embedding):  # which only looks up
                total += sum(_multiply_adds(w, shape) for w in layer.weights)
        before = shape
    return Work(total, call)


def _multiply_adds(weight: Any, shape: tuple) -> float:
    """Of a kernel: each number of the output sums over a column of it."""
    if len(weight.shape) < 2:
        return 0.0
    kept = -2 if "depthwise" in weight.path else -1
    return float(np.prod(weight.shape[:kept])) * float(np.prod(shape[1:]))


def _size(weight):
    return float(np.prod(weight.shape))


def plan(work: Work, budget: float, wanted: Plan, fewest: Plan) -> Plan:
    """The largest plan within a budget: a smaller batch first, then fewer steps.

    A batch shrinks only while its samples are most of the work.

    Args:
        work: `Work` of the model.
        budget: Float, multiply-adds.
        wanted: `Plan` if there is enough.
        fewest: `Plan` below which nothing can be judged.

    Returns:
        `Plan`. Its work exceeds the budget only where it is `fewest`.

    Examples:
        >>> wanted, fewest = Plan(32, 128, 10), Plan(4, 16, 3)
        >>> plan(Work(1e6, 1e5), 1e12, wanted, fewest)
        Plan(batch=32, steps=128, runs=10)
        >>> plan(Work(1e9, 1e5), 1e12, wanted, fewest)
        Plan(batch=4, steps=27, runs=3)
    """

    def costs(plan):
        return work.of_step(plan.batch) * plan.steps * plan.runs

    current = wanted
    while (
        costs(current) > budget
        and current.batch > fewest.batch
        and current.batch * work.sample > work.call
    ):
        current = current._replace(batch=max(fewest.batch, current.batch // 2))
    if costs(current) > budget:
        steps = int(budget / work.of_step(current.batch) / current.runs)
        half = max(fewest.steps, wanted.steps // 4)
        current = current._replace(steps=max(half, min(steps, wanted.steps)))
    if costs(current) > budget:
        runs = int(budget / work.of_step(current.batch) / current.steps)
        current = current._replace(runs=max(fewest.runs, min(runs, wanted.runs)))
    if costs(current) > budget:
        steps = int(budget / work.of_step(current.batch) / current.runs)
        current = current._replace(steps=max(fewest.steps, min(steps, current.steps)))
    return fewest if costs(current) > budget else current


class Deadline:
    """Guards the time of a user; what it cuts off is named in the diagnosis.

    Args:
        seconds: Float.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self._end = time.monotonic() + seconds

    @property
    def is_over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() > self._end
