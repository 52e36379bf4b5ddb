"""What is drawn of a snapshot, beside predictions and layers: gathered, not drawn."""

from collections.abc import Callable
from typing import Any

import numpy as np

from keras_trainfix.diagnosis.findings import (
    Confusion,
    Figures,
    MaskExamples,
    RateCurve,
)
from keras_trainfix.diagnosis.measure.eval_pairs import read

MOST_CLASSES = 12  # of a confusion matrix
MOST_IMAGES = 4
MOST_PIXELS = 96  # on each side
VOID = -1


def figures_of(snapshot: Any) -> Figures:
    """The `Figures` of a `Snapshot`; what cannot be drawn is left out."""
    views = snapshot.views()
    terms = _or_none(loss_terms, snapshot) or ()
    return Figures(
        tuple(filter(None, (_or_none(confusion, view) for view in views))),
        tuple(filter(None, (_or_none(mask_examples, view) for view in views))),
        _or_none(rate_curve, snapshot),
        terms,
    )


def confusion(view: Any) -> Confusion | None:
    """The `Confusion` of a classifier of few classes, or None.

    Args:
        view: `OutputView`.
    """
    answers = read(view)
    if answers is None or answers.kind != "classes":
        return None
    classes = answers.targets.shape[1]
    if not 2 <= classes <= MOST_CLASSES:
        return None
    labels, predicted = answers.targets.argmax(1), answers.predictions.argmax(1)
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (labels, predicted), 1)
    return Confusion(view.name, counts)


def mask_examples(view: Any) -> MaskExamples | None:
    """The first images with label and prediction, or None where there are no masks.

    Args:
        view: `OutputView`.
    """
    images = next((a for a in view.inputs.values() if _is_images(a)), None)
    if view.targets is None or images is None or view.predictions.ndim != 4:
        return None
    answers = np.moveaxis(view.predictions, view.class_axis, -1)[:MOST_IMAGES]
    labels = _ids(view, answers.shape)
    if labels is None:
        return None
    units = answers.shape[-1]
    is_void = (labels < 0) | (labels >= max(2, units))
    labels = np.where(is_void, VOID, labels).astype(int)
    if units == 1:
        shown = answers[..., 0].astype(float)
        if shown.min() < 0 or shown.max() > 1:
            shown = 1 / (1 + np.exp(-np.clip(shown, -50, 50)))
        classes = (shown > 0.5).astype(int)
    else:
        shown = classes = answers.argmax(-1)
    scores = tuple(map(_mean_iou, labels, classes))
    return MaskExamples(
        view.name,
        _reduced(_as_pictures(images[:MOST_IMAGES])),
        _reduced(labels),
        _reduced(shown),
        scores,
    )


def rate_curve(snapshot: Any) -> RateCurve | None:
    """The `RateCurve` of the trial of a `Snapshot`, or None without one."""
    trial = snapshot.trial
    if trial is None:
        return None
    runs = sorted(
        (run for run in trial.runs.values() if not run.is_cut),
        key=lambda run: run.factor,
    )
    if len(runs) < 2:
        return None
    return RateCurve(
        tuple(float(trial.rate * run.factor) for run in runs),
        tuple(float(run.end) for run in runs),
        float(trial.start),
        float(trial.rate),
        int(trial.steps),
    )


def loss_terms(snapshot: Any) -> tuple[tuple[str, float], ...]:
    """How hard each term of the loss pulls, where there are several."""
    terms = snapshot.measured.get("share of each loss term") or []
    pulls = tuple(
        (term.name, float(np.sqrt(sum(pull**2 for pull in term.pulls.values()))))
        for term in terms
    )
    return pulls if len(pulls) > 1 else ()


def _or_none(gather: Callable, subject: Any) -> Any:
    try:
        return gather(subject)
    except Exception:  # a picture less must not hide what was found
        return None


def _is_images(array: np.ndarray) -> bool:
    is_image = array.ndim == 4 and min(array.shape[1:3]) > 1 and array.shape[3] <= 4
    return is_image and array.dtype.kind in "uif"


def _ids(view: Any, shape: tuple[int, ...]) -> np.ndarray | None:
    """The class of each pixel as `(n, H, W)`, or None for other targets."""
    targets = np.asarray(view.targets)[: shape[0]]
    if targets.dtype.kind not in "buif":
        return None
    if targets.shape == shape[:3]:
        return np.nan_to_num(targets, nan=VOID)
    if targets.ndim != 4:
        return None
    targets = np.moveaxis(targets, view.class_axis, -1)
    if targets.shape[:3] != shape[:3]:
        return None
    if targets.shape[-1] == 1:
        return np.nan_to_num(targets[..., 0], nan=VOID)
    return targets.argmax(-1) if targets.shape[-1] == shape[-1] else None


def _mean_iou(labels: np.ndarray, predicted: np.ndarray) -> float:
    """The mean over the classes that occur, void left out; NaN without a pixel."""
    known = labels != VOID
    labels, predicted = labels[known], predicted[known]
    scores = [
        ((labels == c) & (predicted == c)).sum()
        / ((labels == c) | (predicted == c)).sum()
        for c in np.union1d(labels, predicted)
    ]
    return float(np.mean(scores)) if scores else float("nan")


def _as_pictures(images: np.ndarray) -> np.ndarray:
    """Uint8 of three channels, each image over its own range."""
    images = np.nan_to_num(images[..., :3].astype("float64"))
    if images.shape[-1] != 3:
        images = np.repeat(images[..., :1], 3, axis=-1)
    low = images.min((1, 2, 3), keepdims=True)
    size = images.max((1, 2, 3), keepdims=True) - low
    return (255 * (images - low) / np.where(size > 0, size, 1)).astype("uint8")


def _reduced(array: np.ndarray) -> np.ndarray:
    """Every k-th pixel, so that no side has more than `MOST_PIXELS`."""
    step = max(1, -(-max(array.shape[1:3]) // MOST_PIXELS))
    return array[:, ::step, ::step].copy()
