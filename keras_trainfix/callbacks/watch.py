"""A model under observation: cheap glances, and a whole look where one is suspicious."""

from typing import NamedTuple

import numpy as np

from keras_trainfix import backend
from keras_trainfix.diagnosis.activity import unchanged
from keras_trainfix.diagnosis.diagnose import examine, has_ended
from keras_trainfix.diagnosis.probe import Look, call_named
from keras_trainfix.diagnosis.registry import CHECKS
from keras_trainfix.diagnosis.sample import take
from keras_trainfix.diagnosis.trial import try_steps

SMALL = 32  # samples of a glance
# Standard deviation of predictions, of that of the targets:
LITTLE = 0.1
NOTHING = 1e-3
TRAINED = 20  # steps after which little is suspicious
LONG = 200  # steps after which skill is due
NO_SKILL = 0.02
RATES = (1.0, 0.1, 0.01)  # of which a trial says which would have done no harm
TRIAL_SECONDS = 8.0
# What is a collapse, and not only a reason for one.
SYMPTOMS = ("KTF409", "KTF501", "KTF502", "KTF503", "KTF505")
IRREVERSIBLE = ("KTF403", "KTF409")  # as an error: no step can change it


class Glance(NamedTuple):
    """What a few predictions tell.

    Attributes:
        std_ratio: Standard deviation of the predictions over that of the targets, the
            least of all outputs; NaN where it cannot be told.
        skill: `1 - loss / loss of the best constant`, the least of all outputs.
        is_suspicious: Whether a whole look is due.
    """

    std_ratio: float
    skill: float
    is_suspicious: bool


class Watch:
    """Looks at a model, without changing it.

    Args:
        model: A built `keras.Model`.
        probe: Samples, as `take` has them.

    Attributes:
        model: The model.
        sample: The `Sample`.
        first: The `Look` at a few samples with which it began.
    """

    def __init__(self, model, probe):
        self.model = model
        self.sample = take(probe)
        few = take(*self.sample[:3], most=SMALL)
        self.first = Look(model, *few[:3])
        self.last = None

    def glance(self, steps):
        """A `Glance` at the present weights, after a number of steps."""
        with unchanged(self.model), backend.no_gradient():
            named = call_named(self.model, self.first.sample.x)
        probes = self.first.probes()
        seen = [probe.skill_of(named[probe.name]) for probe in probes]
        finite = all(np.isfinite(values).all() for values in named.values())
        seen = [one for one in seen if one is not None]
        ratio = min((one.std_ratio for one in seen), default=float("nan"))
        skill = min((one.skill for one in seen), default=float("nan"))
        one_class = any(
            len(one.classes_predicted) == 1 and one.classes_present > 1
            for one in seen
            if one.kind == "classes"
        )
        late = steps >= LONG and skill < NO_SKILL
        due = steps >= TRAINED and (ratio < LITTLE or one_class)
        suspicious = not finite or ratio < NOTHING or due or late
        return Glance(float(ratio), float(skill), bool(suspicious))

    def examine_beginning(self):
        """The `Diagnosis` of what no step can change: head, loss, and labels."""
        codes = [code for code in CHECKS if code.startswith("KTF2")]
        return examine(self.first, codes)

    def look(self):
        """A `Look` at all samples."""
        self.last = Look(self.model, *self.sample[:3], previous=self.last)
        return self.last

    def examine(self, look, initial_weights=None):
        """The `Diagnosis` of a look; of a model that has ended, with a trial."""
        reason = None
        if has_ended(look) and initial_weights is not None:
            try:
                look.trial = try_steps(look, initial_weights, RATES, TRIAL_SECONDS)
            except Exception as error:  # the user's own code
                reason = f"{type(error).__name__}: {error}"
        diagnosis = examine(look)
        if reason:
            diagnosis.skipped["trial"] = reason
        return diagnosis


def is_collapse(diagnosis):
    """Whether a diagnosis says that the model gives no answer, whatever the reason."""
    return any(
        finding.severity != "note" and finding.code in SYMPTOMS
        for finding in diagnosis.findings
    ) or is_irreversible(diagnosis)


def is_irreversible(diagnosis):
    """Whether no further step can change what a diagnosis says."""
    return any(
        finding.severity == "error" and finding.code in IRREVERSIBLE
        for finding in diagnosis.findings
    )
