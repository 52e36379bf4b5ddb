"""What could not be measured of a trained model, or only on a few samples."""

from typing import Any

import numpy as np

from keras_trainfix.data import is_text
from keras_trainfix.diagnosis.measure.stratified import few_of

TRAINED = 20  # steps
MOSTLY = 0.1  # share of the labels that count


def unmeasured(snapshot: Any) -> list[str]:
    """Sentences about outputs whose skill is unknown, or rests on a few samples.

    Args:
        snapshot: `Snapshot`.

    Returns:
        List of strings; empty before training, without targets, and where all is well.
    """
    if snapshot.iterations < TRAINED or not snapshot.layers:
        return []
    return [line for view in snapshot.views() for line in _of_output(view)]


def _of_output(view):
    if view.targets is None or is_text(view.targets):
        return
    if not np.isfinite(view.predictions).all():
        return  # KTF409
    of = f" of '{view.name}'" if len(view.names) > 1 else ""
    seen = view.skill
    if seen is None:
        by_loss = view.loss_skill
        known = "whether it has learned is unknown"
        if by_loss is not None and by_loss.reads_targets:
            known = (
                "all that is known of its skill is the loss against shuffled targets "
                f"({by_loss.value:.2f})"
            )
        yield f"The answers{of} cannot be compared with their targets: {known}."
        return
    if seen.kind != "regression":
        yield from _of_labels(view, seen, of)
    elif not np.isfinite(seen.value):
        yield f"The targets{of} do not vary, so no skill can be measured."


def _of_labels(view, seen, of):
    shares = np.array(seen.present or [])
    if seen.has_one_class:
        yield (
            f"All {seen.samples} labels{of} that count are of class "
            f"{int(shares.argmax())}, so no skill can be measured."
        )
        return
    size = view.labels.numbers
    if size is not None and seen.samples < MOSTLY * len(size):
        yield (
            f"Only {seen.samples / len(size):.1%} of the labels{of} count: the others "
            "are void, rows of zeros or without weight."
        )
    few = few_labels(view)
    if few:
        yield f"A few samples{of} decide what is said of rare classes: {few}."


def few_labels(view: Any) -> str:
    """Which classes of an output have few samples, in words; empty if none has.

    Args:
        view: `OutputView`.
    """
    seen = view.skill
    if seen is None or seen.kind != "classes":
        return ""
    counts = np.round(np.array(seen.present) * seen.samples).astype(int)
    return few_of(dict(enumerate(counts)))
