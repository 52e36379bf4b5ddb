"""What can be done for a collapsed model in the middle of `fit`, without a new one."""

import keras
import numpy as np

from keras_trainfix.backend import to_numpy
from keras_trainfix.diagnosis.trial import copy_of
from keras_trainfix.messages import count
from keras_trainfix.models.batch_norm_layers import all_layers
from keras_trainfix.models.compiled import forget_compiled_functions
from keras_trainfix.models.freeze import freeze_batch_norm
from keras_trainfix.models.recalibrate import recalibrate_batch_norm

SLOWER = 0.1
FASTER = 10.0
WEAKER = 0.01
CLIP = 1.0


def apply_remedy(model, diagnosis, x, attempt):
    """Applies the mildest remedy for the cause that a diagnosis names first.

    Args:
        model: `keras.Model` whose weights are those to go on from.
        diagnosis: `Diagnosis`.
        x: Inputs of the samples.
        attempt: Integer, 1 for the first.

    Returns:
        String, what was done.
    """
    for finding in diagnosis.findings:
        remedy = REMEDIES.get(finding.code)
        if remedy is not None and finding.severity != "note":
            return remedy(model, finding, x, attempt)
    return _slower(model, None, x, attempt)


def _slower(model, finding, x, attempt):
    optimizer = model.optimizer
    rate = float(to_numpy(optimizer.learning_rate))
    wanted = finding.evidence.get("better_rate") if finding is not None else None
    new = wanted if wanted and wanted < rate else rate * SLOWER
    done = set_rate(optimizer, new / rate, model)
    if attempt > 1 and not any(
        getattr(optimizer, name, None)
        for name in ("clipnorm", "global_clipnorm", "clipvalue")
    ):
        optimizer.global_clipnorm = CLIP
        forget_compiled_functions([model])
        done += f", gradients clipped to a norm of {CLIP:g}"
    return done


def _faster(model, finding, x, attempt):
    rate = float(to_numpy(model.optimizer.learning_rate))
    wanted = finding.evidence.get("better_rate")
    new = wanted if wanted and wanted > rate else rate * FASTER
    return set_rate(model.optimizer, new / rate, model)


def set_rate(optimizer, factor, model):
    """Multiplies the learning rate, that of a schedule as well; says so."""
    rate = float(to_numpy(optimizer.learning_rate))
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    schedule = getattr(optimizer, "_learning_rate", None)
    if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        optimizer.learning_rate = ScaledSchedule(schedule, factor)
        forget_compiled_functions([model])
    else:
        optimizer.learning_rate = rate * factor
    return f"learning rate {rate:.3g} -> {rate * factor:.3g}"


@keras.saving.register_keras_serializable("keras_trainfix")
class ScaledSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Another schedule times a factor.

    Args:
        schedule: `keras.optimizers.schedules.LearningRateSchedule`.
        factor: Float.
    """

    def __init__(self, schedule, factor):
        self.schedule = schedule
        self.factor = factor

    def __call__(self, step):
        return self.schedule(step) * self.factor

    def get_config(self):
        schedule = keras.saving.serialize_keras_object(self.schedule)
        return {"schedule": schedule, "factor": self.factor}

    @classmethod
    def from_config(cls, config):
        schedule = keras.saving.deserialize_keras_object(config["schedule"])
        return cls(schedule, config["factor"])


def _freeze_statistics(model, finding, x, attempt):
    recalibrate_batch_norm(model, x)
    freeze_batch_norm(model)
    return "batch normalization recalibrated, and its statistics frozen"


def _unfreeze(model, finding, x, attempt):
    frozen = [layer for layer in all_layers(model) if not layer.trainable]
    for layer in frozen:
        layer.trainable = True
    old = model.optimizer
    optimizer = copy_of(old, model.trainable_variables, with_state=False)
    model.optimizer = optimizer
    forget_compiled_functions([model])
    return f"{count(len(frozen), 'frozen layer')} set to trainable"


def _weaken_penalties(model, finding, x, attempt):
    weakened = 0
    for variable in model.trainable_variables:
        regularizer = getattr(variable, "regularizer", None)
        if regularizer is None:
            continue
        config = regularizer.get_config()
        numbers = {k: v * WEAKER for k, v in config.items() if isinstance(v, float)}
        variable.regularizer = type(regularizer).from_config({**config, **numbers})
        weakened += 1
    forget_compiled_functions([model])
    return f"the penalties of {count(weakened, 'weight')} times {WEAKER:g}"


def restart(model, weights):
    """Puts weights in, and the optimizer back to what it is before its first step."""
    model.set_weights(weights)
    optimizer = model.optimizer
    fresh = copy_of(optimizer, model.trainable_variables, with_state=False)
    if len(fresh.variables) == len(optimizer.variables):
        for old, new in zip(optimizer.variables, fresh.variables, strict=True):
            if old.shape == new.shape:
                old.assign(to_numpy(new))
        return
    for variable in optimizer.variables:  # a schedule has no variable of the rate
        if variable.path.split("/")[-1] != "learning_rate":
            variable.assign(np.zeros(variable.shape))


REMEDIES = {
    "KTF301": _freeze_statistics,
    "KTF303": _unfreeze,
    "KTF401": _slower,
    "KTF402": _faster,
    "KTF403": _slower,
    "KTF404": _slower,
    "KTF406": _slower,
    "KTF408": _weaken_penalties,
    "KTF409": _slower,
}
