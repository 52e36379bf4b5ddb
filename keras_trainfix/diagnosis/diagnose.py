"""Looks at a model and its data, before training or after, and names what is wrong."""

import importlib
import pkgutil

from keras_trainfix.diagnosis import checks
from keras_trainfix.diagnosis.findings import Diagnosis
from keras_trainfix.diagnosis.observe.layer_outputs import unchanged
from keras_trainfix.diagnosis.observe.layers import worst_dead_share
from keras_trainfix.diagnosis.observe.variation import inputs_vary, is_finite, varies
from keras_trainfix.diagnosis.ranking import ranked
from keras_trainfix.diagnosis.registry import CHECKS
from keras_trainfix.diagnosis.report.plots import dead_shares, output_summary
from keras_trainfix.diagnosis.snapshot import CallError, Snapshot
from keras_trainfix.diagnosis.trial.runner import FEWEST_RUNS
from keras_trainfix.diagnosis.trial.trial import try_steps
from keras_trainfix.messages import count
from keras_trainfix.models.clone import cloned

for _module in pkgutil.walk_packages(checks.__path__, f"{checks.__name__}."):
    importlib.import_module(_module.name)

# What can be said of samples that the model cannot be called on.
OF_INPUTS = ("KTF102", "KTF103", "KTF128")


def diagnose(model, x, y=None, *, sample_weight=None, fit=True):
    """Looks at a model and a few samples, and names what keeps it from learning.

    Up to 256 samples go through the model once, in inference mode; what comes out is
    compared with the best constant answer. With `fit=True` a trial follows: a few
    steps at the learning rate that is compiled and at others, and one small batch
    learned by heart. Weights, statistics, optimizer, metrics, random state and
    compiled functions of the model are then what they were.

    It can be called before training and after; after some training it knows more. See
    `CollapseDetector` for the same during `fit`.

    Args:
        model: A built `keras.Model`, compiled if loss and learning rate are to be
            judged.
        x: Inputs: arrays, a dict or list of them; `(x, y)` or `(x, y, sample_weight)`;
            or batches as `fit` takes them. Samples that the model is trained on.
        y: Targets, if `x` are arrays.
        sample_weight: Weights, if `x` are arrays.
        fit: Boolean, whether to make the trial, which takes some seconds.

    Returns:
        `Diagnosis`: `.findings`, causes before symptoms; `.ok`; printing it shows them.

    Raises:
        ValueError: If there is no sample, or if they do not fit the model.
        TypeError: If `x` is nothing to read samples from.

    Examples:
        >>> model = keras.Sequential(
        ...     [keras.Input((4,)), keras.layers.Dense(1, activation="softmax")]
        ... )
        >>> model.compile("adam", "binary_crossentropy")
        >>> x = np.random.default_rng(0).normal(size=(64, 4))
        >>> diagnosis = diagnose(model, x, x[:, 0] > 0, fit=False)
        >>> diagnosis.ok
        False
        >>> diagnosis.findings[0].name
        'softmax-on-one-unit'

    Reference:

    - [Schoop et al., 2021](https://doi.org/10.1145/3411764.3445538)
    """
    try:
        snapshot = Snapshot(model, x, y, sample_weight)
    except CallError as error:
        diagnosis = examine(error.snapshot, OF_INPUTS)
        if diagnosis.ok:
            raise
        return diagnosis
    reason = _try(snapshot) if fit else None
    diagnosis = examine(snapshot)
    if reason is not None:
        diagnosis.skipped["trial"] = reason
    return diagnosis


def examine(snapshot, codes=None):
    """Runs the checks.

    Args:
        snapshot: `Snapshot`.
        codes: The codes of the checks; None for all.

    Returns:
        `Diagnosis`.
    """
    views = snapshot.views()
    findings, skipped = [], {}
    for check in CHECKS.values():
        if codes is not None and check.code not in codes:
            continue
        for view in views if check.per_output else views[:1]:
            try:
                finding = check.run(view)
            except Exception as error:  # a check that fails must not hide the others
                skipped[check.code] = in_one_line(error)
                continue
            if finding is not None:
                findings.append(finding)
    tasks = {view.name: view.task for view in views} if snapshot.layers else {}
    outputs = tuple(filter(None, map(output_summary, views)))
    dead = dead_shares(snapshot.layers)
    return Diagnosis(ranked(findings), tasks, skipped, outputs, dead)


def _try(snapshot):
    """Makes the trial; returns why it could not be made, or not in full, or None."""
    try:
        weights = new_weights(snapshot.model) if has_ended(snapshot) else None
        snapshot.trial = try_steps(snapshot, weights)
        runs = len(snapshot.trial.runs)
        if runs < FEWEST_RUNS:
            return f"There was time for {count(runs, 'learning rate')}."
    except Exception as error:  # the model's own code: the other checks still count
        return in_one_line(error)
    return None


def in_one_line(error):
    """An error as text, without the rest that TensorFlow adds."""
    text = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {text}"


def has_ended(snapshot):
    """Whether training has left a model that no step gets any further.

    Units are dead, numbers not finite, answers all the same, or surely wrong.
    """
    if not snapshot.iterations or not inputs_vary(snapshot):
        return False
    skills = [view.skill for view in snapshot.views() if view.skill is not None]
    if any(skill.is_lost for skill in skills) or worst_dead_share(snapshot.layers) == 1:
        return True
    return not any(
        is_finite(prediction) and varies(prediction)
        for prediction in snapshot.predictions
    )


def new_weights(model):
    """Initial weights as the model would have them anew, or None."""
    with unchanged(model):
        try:
            return cloned(model).get_weights()
        except Exception:  # a subclassed model, or a layer without a configuration
            return None
