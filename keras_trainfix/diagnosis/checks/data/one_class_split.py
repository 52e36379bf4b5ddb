"""KTF127 one-class-split: samples sorted by class."""

import numpy as np

from keras_trainfix.diagnosis.measure.learned import has_learned_classes
from keras_trainfix.diagnosis.observe.targets import FEWEST
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView

PART = 0.2  # the usual `validation_split`


@check(
    "KTF127",
    "one-class-split",
    "warning",
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
    training part, sorted arrays do no harm.

    ## References
    [keras.Model.fit](https://keras.io/api/models/model_training_apis/#fit-method), on
    `validation_split`.
    """
    task = view.task
    if not view.snapshot.sample.ordered or not task.endswith("classification"):
        return None
    ids = None if view.labels is None else view.labels.ids
    if view.iterations and has_learned_classes(view):
        return None
    if ids is None or ids.size != len(view.targets) or ids.size < FEWEST:
        return None
    classes, counts = np.unique(ids, return_counts=True)
    changes = int((np.diff(ids) != 0).sum())
    expected = ids.size - (counts**2).sum() / ids.size  # of shuffled labels
    is_sorted = changes == len(classes) - 1
    if len(classes) < 2 or expected < 8 or changes > (0.5 * expected):
        # With so many classes most have a sample or two: only a full order counts.
        steps = np.diff(ids)
        is_sorted = (steps >= 0).all() or (steps <= 0).all()
        if len(classes) < 8 or not is_sorted:
            return None
    cut = round(ids.size * (1 - PART))
    first, last = set(ids[:cut].tolist()), set(ids[cut:].tolist())
    untrained, untested = sorted(last - first), sorted(first - last)
    if not untrained and not (is_sorted and untested):
        return None
    message = (
        f"The labels change {changes} times in {ids.size} samples; shuffled ones would "
        f"change about {expected:.0f} times. "
    )
    message += (
        f"With validation_split={PART}, {_listed(untrained)} would be in the "
        "validation part only, and never trained."
        if untrained
        else f"With validation_split={PART}, {_listed(untested)} would be missing from "
        "the validation part."
    )
    return found(
        message,
        "order = np.random.default_rng(1).permutation(len(x))\n"
        "x, y = x[order], y[order]  # before they are split",
        changes=changes,
        expected_changes=float(expected),
        only_in_last_part=untrained[:10],
        only_in_first_part=untested[:10],
    )


def _listed(classes):
    some = ", ".join(map(str, classes[:5]))
    more = f" and {len(classes) - 5} more" if len(classes) > 5 else ""
    return f"class{'es' if len(classes) > 1 else ''} {some}{more}"
