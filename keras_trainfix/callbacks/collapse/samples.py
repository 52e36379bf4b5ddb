"""Whether samples fit a model that they are to watch."""

import keras
import numpy as np


class MisfitError(ValueError):
    """The samples do not fit the model: an error of the caller."""


def check_inputs(argument, model, sample, error):
    """Raises `MisfitError` if the shapes of the inputs are why a call failed.

    Args:
        argument: The name of the argument that has them.
        model: A built `keras.Model`.
        sample: `Sample`.
        error: The exception of the call.
    """
    if not isinstance(error, ValueError | TypeError):
        return
    wanted = [t.shape for t in keras.tree.flatten(getattr(model, "inputs", None) or [])]
    given = [leaf.shape for leaf in keras.tree.flatten(sample.x)]
    if not wanted:  # a model that does not say what it takes
        words = ("shape", "incompatible", "structure", "dimension")
        fits = not any(word in str(error).lower() for word in words)
    else:
        fits = len(wanted) == len(given) and all(map(_fits, given, wanted))
    if not fits:
        raise MisfitError(
            f"`{argument}` does not fit the model: its inputs have the shapes {given}"
            + (f", the model takes {wanted}" if wanted else "")
            + f". {type(error).__name__}: {error}"
        ) from error


def _fits(given, wanted):
    """Whether a shape is that of an input, for batches of any size."""
    pairs = zip(given[1:], wanted[1:], strict=False)
    return len(given) == len(wanted) and all(b in (None, a) for a, b in pairs)


def check_targets(snapshot):
    """Raises `MisfitError` if targets have no place in an output, or are no class.

    Args:
        snapshot: `Snapshot`.
    """
    for view in snapshot.views():
        targets, predictions = view.targets, view.predictions
        if targets is None or targets.dtype.kind not in "biuf":
            continue
        if view.task == "unknown" or view.skill is not None:
            continue
        if view.loss.kind == "custom":  # which may take targets of any shape
            continue
        if not np.isfinite(predictions).all() or not np.isfinite(targets).all():
            continue
        units = predictions.shape[-1] if predictions.ndim > 1 else 1
        sizes = {predictions.size}
        sizes |= set() if view.task == "regression" else {predictions.size // units}
        if targets.size not in sizes:
            raise MisfitError(
                f"The targets of `probe` do not fit the output '{view.name}'. "
                f"Received: targets of shape {targets.shape} for predictions of shape "
                f"{predictions.shape}."
            )
        ids = np.unique(targets[~np.isin(targets, view.loss.ignore_class)])
        bad = ids[(ids >= max(units, 2)) | (ids < 0)]
        if targets.size < predictions.size and bad.size:
            raise MisfitError(
                f"The targets of `probe` hold labels that are no class of the output "
                f"'{view.name}' of {units} units (KTF121). Received: labels "
                f"{bad[:5].tolist()}."
            )
