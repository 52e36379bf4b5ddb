"""What could not be measured of a model, or only on a few samples."""

from typing import Any

import numpy as np

from keras_trainfix.data import is_text
from keras_trainfix.diagnosis.measure.stratified import few_of
from keras_trainfix.diagnosis.observe.loss import loss_facts, losses_of

TRAINED = 20  # steps
MOSTLY = 0.1  # share of the labels that count


def without_targets(snapshot: Any) -> str:
    """What a diagnosis without targets rests on, and how to get more.

    Args:
        snapshot: `Snapshot` without targets.
    """
    losses = [one for one in losses_of(snapshot.model, snapshot.names) if one]
    seen = "inputs and layers" if snapshot.trial is None else "inputs, layers and steps"
    if losses:
        names = ", ".join(dict.fromkeys(f"'{loss_facts(one).name}'" for one in losses))
        why = f"The compiled loss {names} compares answers with them: pass `y`."
    else:
        why = (
            "No loss is compiled that compares answers with any, so whether the model "
            "learns is unknown."
        )
    return f"No targets: only {seen} were checked. {why}"


def unjudged(snapshot: Any) -> list[str]:
    """Sentences about outputs whose answers cannot be compared with any target.

    Args:
        snapshot: `Snapshot`.

    Returns:
        List of strings; empty where all outputs can be judged, and without any targets:
        see `without_targets`.
    """
    if not snapshot.layers or not snapshot.has_targets:
        return []
    return list(filter(None, map(_unjudged, snapshot.views())))


def _unjudged(view):
    of = f" of '{view.name}'" if len(view.names) > 1 else ""
    if view.targets is None:
        others = [one for one in view.snapshot.views() if one.loss.kind != "none"]
        if others and view.loss.kind == "none":
            return None  # an output that is not trained
        return f"There are no targets{of}: its answers were not judged."
    if is_text(view.targets) or not np.isfinite(view.predictions).all():
        return None  # KTF206, KTF409
    hard = view.hard_answers
    if view.skill is not None or (hard is not None and hard.kind != "same label"):
        return None
    by_loss = view.loss_skill
    known = "whether the model learns is unknown"
    if by_loss is not None and by_loss.reads_targets:
        known = (
            "all that is known of its skill is the loss against shuffled targets "
            f"({by_loss.value:.2f})"
        )
    if hard is not None:
        known += f"; {hard.words}"
    shapes = f"{np.shape(view.predictions)} and {np.shape(view.targets)}"
    return (
        f"The answers{of} cannot be compared with their targets (shapes {shapes}): "
        f"{known}."
    )


def unmeasured(snapshot: Any) -> list[str]:
    """Sentences about skill that is unknown, or rests on a few samples.

    Args:
        snapshot: `Snapshot`.

    Returns:
        List of strings; empty before training, without targets, and where all is well.
    """
    if snapshot.iterations < TRAINED or not snapshot.layers:
        return []
    return [line for view in snapshot.views() for line in _of_output(view)]


def _of_output(view):
    seen = view.skill
    if seen is None or is_text(view.targets):
        return
    of = f" of '{view.name}'" if len(view.names) > 1 else ""
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
