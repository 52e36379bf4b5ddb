"""Whether samples fit a model, and what cannot be seen where they do not."""

from typing import Any

import keras
import numpy as np

from keras_trainfix.diagnosis.observe.sample import Sample

MOST_SHOWN = 5
NOTHING_ELSE = "Only predictions that are not finite can be seen in it."


class MisfitError(ValueError):
    """The samples do not fit the model, which ends a callback and never the `fit`."""


class ArgumentError(ValueError):
    """An argument of a callback does not fit the model: an error of the caller."""


def check_inputs(
    argument: str, model: keras.Model, sample: Sample, error: BaseException | None
) -> None:
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
    given = [np.shape(leaf) for leaf in keras.tree.flatten(sample.x)]
    if not wanted:  # a model that does not say what it takes
        words = ("shape", "incompatible", "structure", "dimension")
        fits = not any(word in str(error).lower() for word in words)
    else:
        fits = len(wanted) == len(given) and all(map(_fits, given, wanted))
    if not fits:
        raise MisfitError(
            f"`{argument}` does not fit the model: its inputs have the shapes "
            f"{_listed(given)}"
            + (f", the model takes {_listed(wanted)}" if wanted else "")
            + f". {type(error).__name__}: {error}"
        ) from error


def unseen(view: Any) -> str | None:
    """Why the targets of an output cannot be compared with its predictions, or None.

    Args:
        view: `OutputView`.

    Returns:
        One line. None if they can be compared, and if targets or finite predictions are
        missing, which others report.
    """
    labels, predictions = view.labels, view.predictions
    if labels is None or view.skill is not None or not np.isfinite(predictions).all():
        return None
    if view.targets.dtype.kind not in "biuf":
        what = f"are not numbers. Received: targets of dtype {view.targets.dtype}."
    elif not np.isfinite(view.targets).all():
        return None
    elif view.task == "unknown" or not is_fitting(view):
        what = (
            f"do not fit the output '{view.name}'. Received: targets of shape "
            f"{view.targets.shape} for predictions of shape {predictions.shape}."
        )
    elif labels.invalid.any():
        what = (
            f"hold labels that are no class of the output '{view.name}' of "
            f"{labels.units} units (KTF121). Received: labels "
            f"{np.unique(labels.numbers[labels.invalid])[:MOST_SHOWN].tolist()}."
        )
    else:
        return None
    return f"The targets of `probe` {what} {NOTHING_ELSE}"


def is_fitting(view: Any) -> bool:
    """Whether the shape of the targets suits the predictions of an output.

    Targets of a loss that may take any are fitting.

    Args:
        view: `OutputView`.
    """
    labels = view.labels
    if labels is None or view.loss.kind in ("custom", "none"):
        return True
    if view.task == "regression":
        return view.targets.size == view.predictions.size
    if labels.numbers is None:
        return False
    return not labels.is_rows or labels.numbers.shape[1] == labels.units


def without_targets(sample: Sample, names: list[str], left_out: set[str]) -> Sample:
    """The samples without the targets of some outputs.

    Args:
        sample: `Sample`.
        names: The names of all outputs.
        left_out: The names of those whose targets are left out.
    """
    if left_out.issuperset(names):
        return sample._replace(y=None, sample_weight=None)
    y = sample.y
    y = y if isinstance(y, dict) else dict(zip(names, y, strict=True))
    return sample._replace(y={k: v for k, v in y.items() if k not in left_out})


def _fits(given, wanted):
    """Whether a shape is that of an input, for batches of any size."""
    pairs = zip(given[1:], wanted[1:], strict=False)
    return len(given) == len(wanted) and all(b in (None, a) for a, b in pairs)


def _listed(shapes):
    rest = len(shapes) - MOST_SHOWN
    return f"{shapes[:MOST_SHOWN]}" + (f" and {rest} more" if rest > 0 else "")
