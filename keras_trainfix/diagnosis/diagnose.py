"""Looks at a model and its data, before training or after, and names what is wrong."""

import importlib
import pkgutil

from keras_trainfix.diagnosis import checks
from keras_trainfix.diagnosis.activity import unchanged
from keras_trainfix.diagnosis.finding import Diagnosis
from keras_trainfix.diagnosis.layer_kinds import worst_dead_share
from keras_trainfix.diagnosis.plots import dead_shares, output_summary
from keras_trainfix.diagnosis.probe import CallError, Look
from keras_trainfix.diagnosis.ranking import ranked
from keras_trainfix.diagnosis.registry import CHECKS
from keras_trainfix.diagnosis.trial import try_steps
from keras_trainfix.diagnosis.trial_steps import ARMS
from keras_trainfix.diagnosis.variation import inputs_vary, is_finite, varies
from keras_trainfix.messages import count
from keras_trainfix.models.clone import cloned

for _module in pkgutil.iter_modules(checks.__path__):
    importlib.import_module(f"{checks.__name__}.{_module.name}")

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
        look = Look(model, x, y, sample_weight)
    except CallError as error:
        diagnosis = examine(error.look, OF_INPUTS)
        if diagnosis.ok:
            raise
        return diagnosis
    reason = _try(look) if fit else None
    diagnosis = examine(look)
    if reason is not None:
        diagnosis.skipped["trial"] = reason
    return diagnosis


def examine(look, codes=None):
    """Runs the checks.

    Args:
        look: `Look`.
        codes: The codes of the checks; None for all.

    Returns:
        `Diagnosis`.
    """
    probes = look.probes()
    findings, skipped = [], {}
    for check in CHECKS.values():
        if codes is not None and check.code not in codes:
            continue
        for probe in probes if check.per_output else probes[:1]:
            try:
                finding = check.run(probe)
            except Exception as error:  # a check that fails must not hide the others
                skipped[check.code] = in_one_line(error)
                continue
            if finding is not None:
                findings.append(finding)
    tasks = {probe.name: probe.task for probe in probes} if look.layers else {}
    outputs = tuple(filter(None, map(output_summary, probes)))
    dead = dead_shares(look.layers)
    return Diagnosis(ranked(findings), tasks, skipped, outputs, dead)


def _try(look):
    """Makes the trial; returns why it could not be made, or not in full, or None."""
    try:
        weights = new_weights(look.model) if has_ended(look) else None
        look.trial = try_steps(look, weights)
        if len(look.trial.arms) < ARMS:
            return f"There was time for {count(len(look.trial.arms), 'learning rate')}."
    except Exception as error:  # the model's own code: the other checks still count
        return in_one_line(error)
    return None


def in_one_line(error):
    """An error as text, without the rest that TensorFlow adds."""
    text = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {text}"


def has_ended(look):
    """Whether training has left a model that no step gets any further.

    Units are dead, numbers not finite, answers all the same, or surely wrong.
    """
    if not look.iterations or not inputs_vary(look):
        return False
    skills = [probe.skill for probe in look.probes() if probe.skill is not None]
    if any(skill.is_lost for skill in skills) or worst_dead_share(look.layers) == 1:
        return True
    return not any(
        is_finite(prediction) and varies(prediction) for prediction in look.predictions
    )


def new_weights(model):
    """Initial weights as the model would have them anew, or None."""
    with unchanged(model):
        try:
            return cloned(model).get_weights()
        except Exception:  # a subclassed model, or a layer without a configuration
            return None
