"""KTF127 one-class-split: samples sorted by class."""

import keras
import numpy as np

from keras_trainfix.diagnosis.fit_arguments import BATCH
from keras_trainfix.diagnosis.measure.learned import has_learned_classes
from keras_trainfix.diagnosis.observe.batches import of_output
from keras_trainfix.diagnosis.observe.targets import FEWEST, read_targets
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView

PART = 0.2  # the usual `validation_split`


@check(
    "KTF127",
    "one-class-split",
    "warning",
    action="shuffle before splitting",
    scope="output",
    explains=("KTF502", "KTF504", "KTF505"),
    mild=True,
)
def one_class_split(view: OutputView) -> Found | None:
    """The samples are sorted by class, so a validation split lacks some classes.

    ## What you see
    With `validation_split`, the training accuracy rises and the validation accuracy
    stays at 0; or the model predicts one class only, that of the last samples it saw.

    ## Why it happens
    `validation_split` takes the last samples, before any shuffling. Files read folder
    by folder arrive class by class, so the last class occurs in the validation part
    only. With `shuffle=False`, or in a dataset that was not shuffled, each batch has
    one class, and the model follows the last one.

    ## How to check
    `np.flatnonzero(np.diff(y))` has few entries if the labels are sorted.

    ```python
    import keras, numpy as np

    x = np.random.default_rng(0).normal(size=(100, 4)).astype("float32")
    y = np.repeat(np.arange(5), 20)
    model = keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(5, activation="softmax"),
    ])
    model.compile("adam", "sparse_categorical_crossentropy")
    validation_split = 0.2
    print(np.flatnonzero(np.diff(y)))
    ```

    ## Fix
    Shuffle samples and labels together, once, before splitting them.

    ```python
    order = np.random.default_rng(1).permutation(len(x))
    x, y = x[order], y[order]
    ```

    ## When this is not the cause
    `fit` shuffles arrays itself: with your own `validation_data` and all classes in the
    training part, sorted arrays do no harm. So this is a warning only where
    `validation_split` or `shuffle=False` was given to `diagnose`, and a note otherwise.

    ## References
    [keras.Model.fit](https://keras.io/api/models/model_training_apis/#fit-method), on
    `validation_split`.
    """
    fit = view.snapshot.fit
    known = _ids(view) if view.snapshot.sample.ordered else None
    if known is None or not view.task.endswith("classification"):
        return None
    ids, cut = known
    changes, expected, is_sorted = _order(ids)
    if changes is None:
        return None
    first, last = set(ids[:cut].tolist()), set(ids[cut:].tolist())
    untrained, untested = sorted(last - first), sorted(first - last)
    if not untrained and not (is_sorted and untested):
        return None
    share, has_split = fit.validation_split or PART, bool(fit.validation_split)
    is_whole = not has_split or view.snapshot.validation is None
    if view.iterations and is_whole and has_learned_classes(view):
        return None
    apart = untrained or untested
    verb = ("are" if len(apart) > 1 else "is") if has_split else "would be"
    where = (
        "in the validation part only, and never trained"
        if untrained
        else "missing from the validation part"
    )
    message = (
        f"The labels change {changes} times in {ids.size} samples; shuffled ones would "
        f"change about {expected:.0f} times. "
        f"With validation_split={share:g}, {_listed(apart)} {verb} {where}."
    )
    follows = not fit.shuffle and _has_uniform_batches(view, changes)
    if follows:
        message += " With shuffle=False, most batches hold one class."
    return found(
        message,
        "order = np.random.default_rng(1).permutation(len(x))\n"
        "x, y = x[order], y[order]  # before they are split",
        severity="warning" if has_split or follows else "note",
        changes=changes,
        expected_changes=float(expected),
        only_in_last_part=untrained[:10],
        only_in_first_part=untested[:10],
    )


def is_split_by_class(view: OutputView) -> bool:
    """Whether `validation_split` cuts sorted labels, so that a part lacks classes."""
    finding = one_class_split(view) if view.snapshot.fit.validation_split else None
    return finding is not None


def _ids(view):
    """`(ids, cut)`: the classes in the order of the data, and where they are split."""
    if view.targets is None:
        return None
    share, validation = view.snapshot.fit.validation_split, view.snapshot.validation
    targets, read = view.targets, view.labels
    cut = round(len(targets) * (1 - (share or PART)))
    if share and validation is not None:  # else the samples are the whole
        held_out = of_output(validation.y, view)
        # As many of each part as in the data, so that the changes can be compared.
        rest = held_out[_evenly(len(held_out), len(targets) * share / (1 - share))]
        some = targets[_evenly(len(targets), len(held_out) * (1 - share) / share)]
        targets, cut = np.concatenate([some, rest]), len(some)
        shape = (len(targets), *view.predictions.shape[1:])
        ignored = view.loss.ignore_class
        read = read_targets(targets, shape, view.class_axis, ignored)
    ids = None if read is None else read.ids
    if ids is None or ids.size != len(targets) or ids.size < FEWEST:
        return None
    return ids, cut


def _evenly(size, most):
    return np.linspace(0, size - 1, max(1, min(size, round(most)))).astype(int)


def _order(ids):
    """`(changes, expected, is_sorted)`; no changes where labels lie as if shuffled."""
    classes, counts = np.unique(ids, return_counts=True)
    changes = int((np.diff(ids) != 0).sum())
    expected = ids.size - (counts**2).sum() / ids.size  # of shuffled labels
    is_sorted = changes == len(classes) - 1
    if len(classes) < 2 or expected < 8 or changes > (0.5 * expected):
        # With so many classes most have a sample or two: only a full order counts.
        steps = np.diff(ids)
        is_sorted = (steps >= 0).all() or (steps <= 0).all()
        if len(classes) < 8 or not is_sorted:
            return None, expected, is_sorted
    return changes, expected, is_sorted


def _has_uniform_batches(view, changes):
    """Whether a batch in the order of the data mostly lies within one class."""
    data = keras.tree.flatten(view.snapshot.given.x)[0]
    size = view.snapshot.fit.batch_size or BATCH
    return len(data) / (changes + 1) > size


def _listed(classes):
    some = ", ".join(map(str, classes[:5]))
    more = f" and {len(classes) - 5} more" if len(classes) > 5 else ""
    return f"class{'es' if len(classes) > 1 else ''} {some}{more}"
