"""A snapshot of a model on a few samples: the facts that the checks judge."""

import copy
import functools
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from keras_trainfix.backend import has_lost_weights, to_numpy
from keras_trainfix.data import is_text
from keras_trainfix.diagnosis.fit_arguments import FitArguments, weighted_by_class
from keras_trainfix.diagnosis.measure.hard_answers import HardAnswers, hard_answers
from keras_trainfix.diagnosis.measure.learnability import Learnability, learnability
from keras_trainfix.diagnosis.measure.loss_skill import LossSkill, loss_skill
from keras_trainfix.diagnosis.measure.skill import SkillScore, score_of
from keras_trainfix.diagnosis.observe.batches import Batches, is_once, read_batches
from keras_trainfix.diagnosis.observe.head import Head, find_head
from keras_trainfix.diagnosis.observe.inputs import hint_for_call
from keras_trainfix.diagnosis.observe.label_faults import label_faults
from keras_trainfix.diagnosis.observe.layer_outputs import (
    LayerOutput,
    as_numpy,
    layer_outputs,
)
from keras_trainfix.diagnosis.observe.layers import worst_dead_share
from keras_trainfix.diagnosis.observe.loss import (
    LossFacts,
    class_axis,
    loss_facts,
    losses_of,
)
from keras_trainfix.diagnosis.observe.refusal import refusal
from keras_trainfix.diagnosis.observe.sample import (
    MOST,
    Sample,
    as_given,
    checked,
    is_batches,
    joined,
    number_of_inputs,
    numbers_of,
    some_of,
    take,
)
from keras_trainfix.diagnosis.observe.targets import (
    CountedTargets,
    Targets,
    counted_targets,
    read_targets,
)
from keras_trainfix.diagnosis.observe.task import infer_task
from keras_trainfix.diagnosis.trial.result import Trial
from keras_trainfix.diagnosis.trial.user_step import Failure, find_failure
from keras_trainfix.messages import in_one_line

if TYPE_CHECKING:  # the bench stands above the snapshot
    from keras_trainfix.diagnosis.experiments.results import Experiments

MOST_NUMBERS = 2**22  # entries of the inputs: fewer samples of large images,
FEWEST = 8  # but at least these


class CallError(ValueError):
    """The model cannot be called on the samples; `snapshot` has what is known."""

    def __init__(self, snapshot: "Snapshot", error: Exception):
        super().__init__(
            "The model could not be called on these samples "
            f"({in_one_line(error)}). Inputs have the shapes "
            f"{snapshot.shapes}. {hint_for_call(snapshot.model, snapshot.sample)}"
        )
        self.snapshot = snapshot


class Snapshot:
    """The outputs of a model for some samples: a single call in inference mode.

    Args:
        model: A built `keras.Model`, which stays as it is.
        x: Inputs, or all data, as `take` accepts them.
        y: Targets, if `x` are arrays.
        sample_weight: Weights, if `x` are arrays.
        previous: An earlier `Snapshot` of the model, to compare with.
        fit: `FitArguments`; None for those of a plain `fit(x, y)`.

    Attributes:
        model: The model.
        fit: `FitArguments`.
        batches: `Batches` as `fit` would get them; None where `x` are arrays.
        measured: Dict of the name of each instrument that was asked to its answer.
        given: `Sample` of what the user gave, told apart and not read.
        sample: The `Sample`.
        inputs: Dict of the name of each input to its array.
        names: List of the names of the outputs.
        predictions: List of float32 arrays, one for each output.
        layers: List of `LayerOutput`, in the order of the calls.
        iterations: Steps of the optimizer so far; 0 without one.
        previous: The earlier `Snapshot`, or None.
        first: The first of a series of snapshots, or this one.
        trial: `Trial`, or None before one was made.
        may_step: Whether the user's own training step may be called.
        experiments: `Experiments` on the bench, or None before they were made.
        fixed_size: Integer, the only number of samples that the model can be called
            on; None for any.

    Raises:
        CallError: If the model cannot be called on the samples.
    """

    def __init__(
        self,
        model: keras.Model,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        previous: "Snapshot | None" = None,
        fit: FitArguments | None = None,
    ):
        if has_lost_weights(model):
            raise ValueError(
                "`model` must have its weights. Received: a model without weights, "
                "which a `fit` that ends with an error leaves behind on JAX. Build or "
                "load it again."
            )
        self.model, self.previous, self.fit = model, previous, fit or FitArguments()
        self.measured: dict[str, Any] = {}
        self.batches: Batches | None = None
        self.fixed_size: int | None = None
        self.sample = self._read(x, y, sample_weight)
        self.first: Snapshot = self
        if previous is not None:
            self.first = previous.first
            previous.previous = None  # otherwise every snapshot would be kept
        self.inputs = self._inputs()
        self.iterations = _iterations(model)
        self.trial: Trial | None = None
        self.may_step = False
        self.experiments: Experiments | None = None
        try:
            outputs, self.layers = self._called()
        except Exception as error:
            length = len(keras.tree.flatten(self.sample.x)[0])
            self.names, self.layers = ["output"], []
            self.predictions = [np.full((length, 1), np.nan, "float32")]
            raise CallError(self, error) from error
        named = _outputs(model, outputs)
        self.names = list(named)
        self.predictions = list(named.values())

    def _inputs(self):
        names = getattr(self.model, "input_names", None)
        return _named(self.sample.x, "input", names)

    def _called(self):
        """`(outputs, layers)`, of one batch where the model takes no other number."""
        try:
            return layer_outputs(self.model, self.sample.x)
        except Exception:
            size = batch_size_of(self.model)
            if size is None or len(keras.tree.flatten(self.sample.x)[0]) <= size:
                raise
            whole, self.fixed_size = self.sample, size
            self.sample = some_of(whole, size)._replace(ordered=whole.ordered)
            self.inputs = self._inputs()
            return layer_outputs(self.model, self.sample.x)

    def _read(self, x, y, sample_weight):
        """The `Sample`, and the batches where there are some."""
        number = number_of_inputs(self.model)
        self.given = data = as_given(x, y, sample_weight, number)
        if is_batches(data) and self.previous is None:
            steps = self.fit.steps_per_epoch
            self.batches = read_batches(data.x, number, MOST, steps)
            sample = joined(self.batches.first, MOST)
        else:
            sample = take(*data[:3], model=self.model)
        sample = checked(sample, number)
        most = max(FEWEST, min(MOST, MOST_NUMBERS // numbers_of(sample.x)))
        if len(keras.tree.flatten(sample.x)[0]) > most:
            sample = some_of(sample, most)._replace(ordered=sample.ordered)
        return self._weighted(sample)

    def _weighted(self, sample):
        """The samples with the class weights of `fit` in their weights."""
        weights = weighted_by_class(
            sample.y, sample.sample_weight, self.fit.class_weight
        )
        return sample._replace(sample_weight=weights)

    def more(self, most: int) -> Sample:
        """Up to `most` samples of the same data, which may be more than `sample` has.

        Args:
            most: Integer.
        """
        if self.fixed_size is not None:
            return self.sample
        if self.batches is not None:
            sample = joined(self.batches.first, most)
        else:
            sample = take(*self.given[:3], most=most, model=self.model)
        return self._weighted(checked(sample, number_of_inputs(self.model)))

    @functools.cached_property
    def validation(self) -> Sample | None:
        """`Sample` of the validation data of `fit`; None if `fit` would miss them."""
        data = self.fit.validation_data
        if data is None or is_once(data):
            return None
        return take(data, model=self.model)

    @property
    def batch_size(self) -> int | None:
        """The samples in a batch of `fit`, as far as its arguments say."""
        if self.batches is not None:
            return max(len(keras.tree.flatten(b.x)[0]) for b in self.batches.first)
        return self.fixed_size or self.fit.batch_size

    @property
    def shapes(self) -> dict[str, tuple]:
        """The shapes of the inputs, by their names."""
        return {name: values.shape for name, values in self.inputs.items()}

    @property
    def samples(self) -> int:
        """How many samples there are."""
        return len(self.predictions[0])

    @functools.cached_property
    def training_predictions(self) -> list[np.ndarray]:
        """List of arrays, one for each output, of a call in training mode."""
        return self.call_in_training()[0]

    def call_in_training(self) -> tuple[list[np.ndarray], list[LayerOutput]]:
        """`(predictions, layers)` of the present weights in training mode."""
        outputs, called = layer_outputs(self.model, self.sample.x, training=True)
        return keras.tree.flatten(outputs), called

    @functools.cached_property
    def dead_share(self) -> float:
        """The share of dead units in the worst ReLU layer."""
        return worst_dead_share(self.layers)

    @property
    def died(self) -> tuple[float, int]:
        """`(share, steps)`: units of a layer that died since the first snapshot."""
        steps = self.iterations - self.first.iterations
        return max(0.0, self.dead_share - self.first.dead_share), steps

    @functools.cached_property
    def targets(self) -> list[Any]:
        """List of an array or None for each output."""
        y = self.sample.y
        if y is None:
            return [None] * len(self.names)
        if isinstance(y, dict):
            if len(y) == len(self.names) == 1:  # whatever the output is called
                return list(y.values())
            if not any(name in y for name in self.names):
                raise ValueError(
                    f"`y` must hold targets of the outputs {self.names}. Received: a "
                    f"dict of {sorted(y)}."
                )
            return [y.get(name) for name in self.names]
        leaves = keras.tree.flatten(y)
        if len(leaves) != len(self.names):
            raise ValueError(
                f"`y` must hold targets for each of the {len(self.names)} outputs. "
                f"Received: {len(leaves)} arrays."
            )
        return leaves

    @property
    def has_targets(self) -> bool:
        """Whether there are targets for any output."""
        return any(targets is not None for targets in self.targets)

    @functools.cached_property
    def step_failure(self) -> Failure | None:
        """`Failure` of the user's code in a training step, or None."""
        return find_failure(self)

    def has_samples_of(self, other: "Snapshot") -> bool:
        """Whether another snapshot has the same samples."""
        leaves = [keras.tree.flatten(snapshot.sample[:2]) for snapshot in (self, other)]
        return len(leaves[0]) == len(leaves[1]) and all(
            np.array_equal(one, two) for one, two in zip(*leaves, strict=True)
        )

    @property
    def least_skill(self) -> float:
        """The least skill of all outputs; infinite if none can be judged."""
        values = [view.skill.value for view in self.views() if view.skill is not None]
        return float(min(filter(np.isfinite, values), default=np.inf))

    def views(self) -> "list[OutputView]":
        """An `OutputView` of each output."""
        return self._views

    @functools.cached_property
    def _views(self):
        return [OutputView(self, index) for index in range(len(self.names))]


class OutputView:
    """One output of a model, as the checks see it.

    Args:
        snapshot: `Snapshot`.
        index: Integer, the number of the output.

    Attributes:
        snapshot: `Snapshot`.
        name: Name of the output.
        predictions: Float32 array `(N, ...)`.
        targets: Array `(N, ...)`, or None.
    """

    def __init__(self, snapshot: Snapshot, index: int = 0):
        self.snapshot = snapshot
        self.index = index
        self.name = snapshot.names[index]
        self.predictions = snapshot.predictions[index]

    @property
    def model(self) -> keras.Model:
        """The model."""
        return self.snapshot.model

    @property
    def names(self) -> list[str]:
        """The names of all outputs."""
        return self.snapshot.names

    @property
    def inputs(self) -> dict[str, Any]:
        """Dict of the name of each input to its array."""
        return self.snapshot.inputs

    @property
    def layers(self) -> list[LayerOutput]:
        """List of `LayerOutput`, in the order of the calls."""
        return self.snapshot.layers

    @property
    def targets(self) -> Any:
        """Array `(N, ...)`, or None."""
        return self.snapshot.targets[self.index]

    @property
    def iterations(self) -> int:
        """Steps of the optimizer so far; 0 for a model that is not compiled."""
        return self.snapshot.iterations

    @property
    def trial(self) -> Trial | None:
        """`Trial`, or None before one was made."""
        return self.snapshot.trial

    @property
    def training_predictions(self) -> np.ndarray:
        """Array `(N, ...)` of a call in training mode."""
        return self.snapshot.training_predictions[self.index]

    @functools.cached_property
    def skill(self) -> SkillScore | None:
        """`SkillScore`, or None if predictions and targets cannot be compared."""
        return score_of(self)

    @functools.cached_property
    def loss_skill(self) -> LossSkill | None:
        """`LossSkill`, or None without a loss that can be computed."""
        return loss_skill(self)

    @functools.cached_property
    def hard_answers(self) -> HardAnswers | None:
        """`HardAnswers` of strings and embeddings, or None for other tasks."""
        return hard_answers(self)

    @functools.cached_property
    def learnability(self) -> Learnability | None:
        """`Learnability`, or None if simple learners have nothing to learn from."""
        earlier = self.snapshot.previous
        if earlier is not None and earlier.has_samples_of(self.snapshot):
            known = vars(earlier.views()[self.index])
            if "learnability" in known:
                return known["learnability"]
        return learnability(self)

    def skill_of(self, predictions: np.ndarray) -> SkillScore | None:
        """The `SkillScore` of other predictions for the same samples, or None."""
        _ = self.task  # kept for the copy: it must not follow from other predictions
        other = copy.copy(self)
        for known in ("skill", "loss_skill", "hard_answers"):
            other.__dict__.pop(known, None)
        other.predictions = predictions
        return score_of(other)

    @functools.cached_property
    def head(self) -> Head:
        """`Head`."""
        return find_head(self.predictions, self.layers, self.class_axis)

    @functools.cached_property
    def loss(self) -> LossFacts:
        """`LossFacts`."""
        return loss_facts(losses_of(self.model, self.names)[self.index])

    @property
    def class_axis(self) -> int:
        """The class axis of the predictions, 1 or more."""
        return class_axis(self.loss.loss, self.predictions.ndim)

    @functools.cached_property
    def labels(self) -> Targets | None:
        """`Targets`, or None without targets."""
        if self.targets is None:
            return None
        shape, ignored = self.predictions.shape, self.loss.ignore_class
        return read_targets(self.targets, shape, self.class_axis, ignored)

    @functools.cached_property
    def counted_targets(self) -> CountedTargets | None:
        """`CountedTargets`, or None if the targets do not fit the predictions."""
        return counted_targets(self)

    @functools.cached_property
    def refusal(self) -> str | None:
        """What a loss of keras_trainfix that cannot read the labels says."""
        return None if is_text(self.targets) else refusal(self)

    @functools.cached_property
    def label_faults(self) -> dict[str, dict]:
        """What is wrong with the labels: a dict of codes to their evidence."""
        return label_faults(self)

    @functools.cached_property
    def task(self) -> str:
        """What the output is for, in words."""
        return infer_task(self.loss, self.head, self.labels, self.predictions.shape)


def batch_size_of(model: keras.Model) -> int | None:
    """The number of samples that the inputs of a model are declared with, or None."""
    sizes = {tensor.shape[0] for tensor in getattr(model, "inputs", None) or ()}
    size = sizes.pop() if len(sizes) == 1 else None
    return size or None


def call_named(
    model: keras.Model, x: Any, training: bool = False
) -> dict[str, np.ndarray]:
    """The outputs of a model: a dict of names to arrays."""
    outputs = model(x, training=training)
    return _outputs(model, keras.tree.map_structure(as_numpy, outputs))


def _outputs(model, outputs):
    return _named(outputs, "output", getattr(model, "output_names", None))


def _named(structure, word, names=None):
    if isinstance(structure, dict):
        return dict(structure)
    leaves = keras.tree.flatten(structure)
    if names is None or len(names) != len(leaves) or len(leaves) == 1:
        names = [f"{word}_{i}" if i else word for i in range(len(leaves))]
    return dict(zip(names, leaves, strict=True))


def _iterations(model):
    steps = getattr(getattr(model, "optimizer", None), "iterations", None)
    return 0 if steps is None else int(to_numpy(steps))
