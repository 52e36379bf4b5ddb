"""Treatments of the weights of samples and classes."""

from collections.abc import Iterator

import numpy as np

from keras_trainfix.data import leaves
from keras_trainfix.diagnosis.experiments.treatment import Case, Variant, treatment
from keras_trainfix.diagnosis.fit_arguments import class_ids
from keras_trainfix.diagnosis.measure.label_gap import coding_of
from keras_trainfix.diagnosis.observe.sample import Sample


@treatment("no-sample-weights", 50, ("KTF145",))
def no_sample_weights(case: Case) -> Iterator[Variant]:
    """Neither sample weights nor class weights."""
    weights = leaves(case.training.train.sample_weight)
    if not weights or any((weight == 0).any() for weight in weights):
        return  # 0 leaves a sample out
    by_class = case.snapshot.fit.class_weight is not None
    yield Variant(
        "no class weights" if by_class else "no sample weights",
        case.training.with_weights(lambda sample: None),
        "model.fit(x, y)  # without `class_weight` and `sample_weight`",
    )


@treatment("balanced-class-weights", 51, ("KTF125", "KTF145", "KTF502", "KTF504"))
def balanced_class_weights(case: Case) -> Iterator[Variant]:
    """Each class with the same total weight."""
    views = case.snapshot.views()
    targets = leaves(case.training.train.y)
    if len(targets) != 1 or len(views) != 1:
        return
    if "classification" not in views[0].task or "multi-label" in views[0].task:
        return
    ids = _ids(targets[0])
    if ids is None:
        return
    classes, counts = np.unique(ids, return_counts=True)
    if not 2 <= len(classes) <= 50 or counts.min() * 2 > counts.max():
        return
    numbers = len(ids) / (len(classes) * counts)
    weights = dict(zip(classes.tolist(), np.round(numbers, 3).tolist(), strict=True))

    def balanced(sample: Sample) -> np.ndarray:
        found = _ids(leaves(sample.y)[0])
        return np.array([weights.get(i, 1.0) for i in found.tolist()], "float32")

    yield Variant(
        "balanced class weights",
        case.training.with_weights(balanced),
        f"model.fit(x, y, class_weight={weights})",
    )


def _ids(target):
    """The class of each sample, or None."""
    if coding_of(target) == "numbers":
        return None
    ids = class_ids(target)
    return ids if ids.ndim == 1 else None
