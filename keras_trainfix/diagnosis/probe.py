"""One look at a model on a few samples: the facts that the checks judge."""

import functools

import keras
import numpy as np

from keras_trainfix.backend import to_numpy
from keras_trainfix.diagnosis.activity import layer_outputs
from keras_trainfix.diagnosis.head import find_head
from keras_trainfix.diagnosis.loss_facts import loss_facts, losses_of
from keras_trainfix.diagnosis.sample import MOST, take
from keras_trainfix.diagnosis.task import infer_task, label_form

MOST_NUMBERS = 2**22  # of the inputs: fewer samples of large images


class Look:
    """What a model gives for some samples: a single call in inference mode.

    Attributes:
        model: The model, which stays as it is.
        sample: The `Sample`.
        inputs: Dict of the name of each input to its array.
        names: List of the names of the outputs.
        predictions: List of float32 arrays, one an output.
        layers: List of `LayerOutput`, in the order of the calls.
    """

    def __init__(self, model, x, y=None, sample_weight=None):
        sample = take(x, y, sample_weight)
        leaves = keras.tree.flatten(sample.x)
        numbers = sum(int(np.prod(leaf.shape[1:])) for leaf in leaves)
        most = max(8, min(MOST, MOST_NUMBERS // max(1, numbers)))
        if len(leaves[0]) > most:
            sample = take(sample.x, sample.y, sample.sample_weight, most)._replace(
                ordered=sample.ordered
            )
        self.model, self.sample = model, sample
        self.inputs = _named(sample.x, "input")
        outputs, self.layers = layer_outputs(model, sample.x)
        named = _named(outputs, "output")
        if not isinstance(outputs, dict) and len(named) > 1:
            known = getattr(model, "output_names", list(named))
            named = dict(zip(known, named.values(), strict=True))
        self.names = list(named)
        self.predictions = list(named.values())

    @functools.cached_property
    def targets(self):
        """List of arrays, or of None, one an output."""
        y = self.sample.y
        if y is None:
            return [None] * len(self.names)
        if isinstance(y, dict):
            return [y.get(name) for name in self.names]
        leaves = keras.tree.flatten(y)
        if len(leaves) != len(self.names):
            raise ValueError(
                f"`y` must hold targets for each of the {len(self.names)} outputs. "
                f"Received: {len(leaves)} arrays."
            )
        return leaves

    def probes(self):
        """A `Probe` of each output."""
        return [Probe(self, index) for index in range(len(self.names))]


class Probe:
    """What the checks look at: a model, and one of its outputs.

    Args:
        look: `Look`.
        index: Integer, the number of the output.

    Attributes:
        look: `Look`.
        name: Name of the output.
        predictions: Float32 array `(N, ...)`.
        targets: Array `(N, ...)`, or None.
    """

    def __init__(self, look, index=0):
        self.look = look
        self.index = index
        self.name = look.names[index]
        self.predictions = look.predictions[index]

    @property
    def model(self):
        """The model."""
        return self.look.model

    @property
    def names(self):
        """The names of all outputs."""
        return self.look.names

    @property
    def inputs(self):
        """Dict of the name of each input to its array."""
        return self.look.inputs

    @property
    def layers(self):
        """List of `LayerOutput`, in the order of the calls."""
        return self.look.layers

    @property
    def targets(self):
        """Array `(N, ...)`, or None."""
        return self.look.targets[self.index]

    @property
    def iterations(self):
        """How many steps the optimizer has made; 0 for a model that is not compiled."""
        steps = getattr(getattr(self.model, "optimizer", None), "iterations", None)
        return 0 if steps is None else int(to_numpy(steps))

    @functools.cached_property
    def head(self):
        """`Head`."""
        return find_head(self.predictions, self.layers)

    @functools.cached_property
    def loss(self):
        """`LossFacts`."""
        return loss_facts(losses_of(self.model, self.names)[self.index])

    @functools.cached_property
    def labels(self):
        """`Labels`, or None without targets."""
        if self.targets is None:
            return None
        return label_form(self.targets, self.predictions.shape, self.loss.ignore_class)

    @functools.cached_property
    def task(self):
        """What the output is for, in words."""
        return infer_task(self.loss, self.head, self.labels, self.predictions.shape)


def _named(structure, word):
    if isinstance(structure, dict):
        return dict(structure)
    leaves = keras.tree.flatten(structure)
    return {f"{word}_{i}" if i else word: leaf for i, leaf in enumerate(leaves)}
