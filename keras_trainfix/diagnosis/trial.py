"""A short trial: what a few steps do to a model, which is put back afterwards."""

import warnings

from keras_trainfix import backend
from keras_trainfix.diagnosis.activity import unchanged
from keras_trainfix.diagnosis.trial_steps import FACTORS, Runner

SECONDS = 12.0  # for all arms
BLIND = 0.02  # standard deviation of predictions, of that of the targets


def try_steps(look, weights=None, factors=FACTORS, seconds=SECONDS, show_progress=True):
    """Makes a few steps at several learning rates, and puts everything back.

    Args:
        look: `Look`.
        weights: List of arrays, as `get_weights` has them, to start from instead of
            the present ones: those of a model before training.
        factors: Factors of the learning rate that is compiled.
        seconds: About how long it may take.
        show_progress: Whether to show a bar where it takes more than a moment.

    Returns:
        `Trial`.

    Raises:
        ValueError: If the model has no optimizer or loss, no trainable weights, a
            `train_step` of its own, or steps that take too long.
    """
    model = look.model
    _check(model)
    with (
        warnings.catch_warnings(),
        unchanged(model, weights=True),
        backend.own_compiled_loss(model),
    ):
        warnings.simplefilter("ignore")
        if weights is not None:
            model.set_weights(weights)
        is_fresh = weights is not None or not look.iterations
        return Runner(look, is_fresh, seconds, show_progress).run(factors)


def is_constant_after(probe, arm):
    """Whether the predictions after an `Arm` are the same for all samples."""
    pairs = zip(probe.look.probes(), arm.predictions, strict=False)
    seen = [other.skill_of(predictions) for other, predictions in pairs]
    ratios = [one.std_ratio for one in seen if one is not None]
    return bool(ratios) and max(ratios) < BLIND


def _check(model):
    if getattr(model, "optimizer", None) is None:
        raise ValueError("The model is not compiled.")
    if not model.trainable_variables:
        raise ValueError("No weight is trainable.")
    if not type(model).train_step.__module__.startswith("keras."):
        raise ValueError("The model has a `train_step` of its own.")
