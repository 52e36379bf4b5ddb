"""The code of fixes that change the learning rate."""

from typing import Any

from keras_trainfix.diagnosis.fix_code import recompiled, with_new_weights
from keras_trainfix.models.optimizers import schedule_of


def at_rate(snapshot: Any, rate: float, before: float, with_new: bool = False) -> str:
    """Code that sets another learning rate.

    Args:
        snapshot: `Snapshot`.
        rate: Float, the learning rate.
        before: Float, the present one.
        with_new: Whether a model that has been trained gets new initial weights.

    Returns:
        String, lines of code.
    """
    model, was = snapshot.model, f"  # was {before:.3g}"
    if with_new and snapshot.iterations:
        return recompiled(model, with_new_weights(model), rate=rate) + was
    if schedule_of(model.optimizer) is not None:  # which cannot be set
        return recompiled(model, "", rate=rate) + was
    return f"model.optimizer.learning_rate = {rate:.3g}{was}"
