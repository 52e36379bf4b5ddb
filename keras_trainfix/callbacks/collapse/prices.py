"""What the looks of the detector cost, in steps of the training that it watches.

Counted in work and never in seconds: the same model is looked at after the same steps
on every machine.
"""

from typing import NamedTuple

import keras

from keras_trainfix.diagnosis.budget import Work
from keras_trainfix.diagnosis.observe.sample import Sample
from keras_trainfix.diagnosis.trial.runner import plan_of

# Calls of the model whose time a look takes beside that of its samples, and
# training steps on all of them. Measured on small nets, where they are most of it.
CALLS = {"quick check": 3, "look": 16, "beginning": 45, "examination": 100}
STEPS = {"beginning": 8, "examination": 16}
COMPILING = {"tensorflow": 2e9, "jax": 2e9}  # multiply-adds, for each layer of a trial


class Prices(NamedTuple):
    """What looks cost, in training steps; by default nothing.

    Attributes:
        quick_check: Float, a few predictions compared with their targets.
        look: Float, the checks of symptoms.
        beginning: Float, the checks of what no step can change.
        examination: Float, all checks, with a trial.
    """

    quick_check: float = 0.0
    look: float = 0.0
    beginning: float = 0.0
    examination: float = 0.0


def prices_of(work: Work, few: int, sample: Sample, batch: int, layers: int) -> Prices:
    """The `Prices` of the looks at a model.

    Args:
        work: `Work` of the model.
        few: Integer, samples of a quick check.
        sample: `Sample` of an examination.
        batch: Integer, the batch size of `fit`.
        layers: Integer, how many layers the model calls.
    """
    many = len(keras.tree.flatten(sample.x)[0])
    plan = plan_of(work, sample)
    compiling = layers * COMPILING.get(keras.backend.backend(), 0.0)

    def beside(name: str) -> float:
        return CALLS[name] * work.call + STEPS.get(name, 0) * work.of_step(many)

    total: dict[str, float] = {
        "quick_check": few * work.sample + work.call + beside("quick check"),
        "look": 2 * (many * work.sample + work.call) + beside("look"),
        "beginning": beside("beginning"),
        "examination": plan.runs * plan.steps * work.of_step(plan.batch)
        + compiling
        + beside("examination"),
    }
    step = work.of_step(batch)
    return Prices(**{name: value / step for name, value in total.items()})
