"""What cannot be seen of a training with the samples at hand, each in one line."""

from collections.abc import Sequence

import numpy as np

from keras_trainfix.callbacks.collapse.samples import (
    is_fitting,
    unseen,
    without_targets,
)
from keras_trainfix.callbacks.collapse.watch import Watch
from keras_trainfix.messages import count

ONE_CLASS = (
    "CollapseDetector: all samples of `probe` have one class, so a model that always "
    "answers it looks like a good one."
)
NO_TARGETS = (
    "CollapseDetector: `probe` has no targets, so only predictions that are not finite "
    "can be seen."
)


def limits(watch: Watch) -> tuple[list[str], list[str]]:
    """What cannot be seen, before training.

    Args:
        watch: `Watch`.

    Returns:
        `(loud, quiet)`: lines to warn of, and lines to print.
    """
    views = watch.first.views()
    with_loss = [view for view in views if view.loss.kind != "none"]
    views = with_loss or views  # some outputs have no loss, and that is meant
    lines = []
    for is_own in (False, True):  # a loss of the user's may take any targets
        chosen = [view for view in views if (view.loss.kind == "custom") == is_own]
        lines.append(" ".join(filter(None, map(unseen, chosen))))
    loud = [lines[0]] if lines[0] else []
    quiet = [f"CollapseDetector: {lines[1]}"] if lines[1] else []
    if has_one_class(watch):
        quiet.append(ONE_CLASS)
    if watch.sample.y is None:
        quiet.append(NO_TARGETS)
    return loud, quiet


def has_one_class(watch: Watch) -> bool:
    """Whether all samples have one class, at any output."""
    scores = [view.skill for view in watch.first.views()]
    return any(score is not None and score.has_one_class for score in scores)


def without_misfits(watch: Watch) -> Watch:
    """A `Watch` without the targets that cannot be compared with the predictions."""
    views = watch.first.views()
    misfits = {view.name for view in views if not is_fitting(view)}
    if not misfits:
        return watch
    sample = without_targets(watch.sample, watch.first.names, misfits)
    other = Watch(watch.model, sample, watch.show_progress, watch.fit)
    other.was_dead = watch.was_dead
    return other


def unmeasured_line(skills: Sequence[float]) -> str | None:
    """One line if there was no look at which skill was a number; else None.

    Examples:
        >>> unmeasured_line([0.1, float("nan")]) is None
        True
    """
    if not skills or not np.isnan(skills).all():
        return None
    return (
        "CollapseDetector: predictions and targets of `probe` could be compared at "
        f"none of {count(len(skills), 'look')}, so a model without skill would not be "
        "seen. Look for targets that are masked or missing."
    )
