"""KTF142 validation-labels-differ: validation targets of another coding or order."""

from keras_trainfix.diagnosis.checks.data.one_class_split import is_split_by_class
from keras_trainfix.diagnosis.checks.data.validation_differs import difference_of
from keras_trainfix.diagnosis.experiments.instruments.sample_gap import (
    SampleGap,
    validation_gap,
)
from keras_trainfix.diagnosis.measure.label_gap import LabelGap
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot

MOST = 5  # classes that are listed
FIX = """\
names = np.unique(y)  # once, from the training labels
def encode(labels):
    return np.searchsorted(names, labels)  # for training and validation"""


@check(
    "KTF142",
    "validation-labels-differ",
    "warning",
    action="encode the validation targets like the training targets",
    scope="model",
    exact=True,
    mild=True,
    overrules=("KTF603",),
)
def validation_labels_differ(snapshot: Snapshot) -> Found | None:
    """The validation targets are written in another way, or number other classes.

    ## What you see
    The training accuracy rises, and the validation accuracy stays at chance or below,
    while a look at single predictions shows that they are right.

    ## Why it happens
    Each part was encoded by itself: an encoder fitted twice, folders listed in another
    order, a class that one part lacks so that later ids move, one-hot rows in one part
    and ids in the other.

    ## How to check
    `np.unique(y, return_counts=True)` for both, and what each id stands for.

    ```python
    import keras, numpy as np

    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 240)
    table = np.eye(3)[labels] * 3 + rng.normal(size=(240, 3))
    x, y = table[:160].astype("float32"), labels[:160]
    order = np.array([1, 2, 0])
    validation_data = table[160:].astype("float32"), order[labels[160:]]
    model = keras.Sequential([
        keras.Input((3,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(3, activation="softmax"),
    ])
    model.compile("adam", "sparse_categorical_crossentropy")
    print(np.bincount(y), np.bincount(validation_data[1]))
    ```

    ## Fix
    Encode both parts with one table of classes.

    ```python
    validation_data = table[160:].astype("float32"), labels[160:]
    ```

    ## When this is not the cause
    A class that is left out of the training on purpose, to see how the model deals with
    what it does not know.

    ## References
    [sklearn.preprocessing.LabelEncoder](https://scikit-learn.org/stable/modules/generated/sklearn.preprocessing.LabelEncoder.html).
    """
    gap = validation_gap(snapshot)
    said = None if gap is None else labels_differ(gap, "validation")
    if gap is None or said is None or any(map(is_split_by_class, snapshot.views())):
        return None
    output, message = said
    return found(message, FIX, output=output, **_evidence(gap, output))


def labels_differ(gap: SampleGap, second: str) -> tuple[str, str] | None:
    """The first output whose targets differ, and how, in a sentence.

    Args:
        gap: `SampleGap`.
        second: String, what the other samples are: `"validation"`.

    Returns:
        `(output, sentence)`, or None.
    """
    for name, labels in gap.labels.items():
        if not labels.is_none:
            return name, _sentence(labels, second)
    for name, numbers in gap.numbers.items():
        said = difference_of(numbers, second)
        if said is not None:
            return name, f"Targets: {said[0]}"
    return None


def _sentence(gap: LabelGap, second: str) -> str:
    if gap.codings[0] != gap.codings[1]:
        return (
            f"The training targets are {gap.codings[0]}, the {second} targets are "
            f"{gap.codings[1]}."
        )
    if gap.offset:
        return f"The {second} ids are those of the training plus {gap.offset}."
    if gap.order:
        some = ", ".join(f"{one} to {two}" for one, two in gap.order[:MOST])
        return (
            f"The {second} targets number the classes in another order: what the "
            f"inputs show changes from class {some}."
        )
    parts = []
    for classes, part in ((gap.only_second, second), (gap.only_first, "training")):
        if classes:
            listed = ", ".join(map(str, classes[:MOST]))
            parts.append(f"class {listed} only among the {part} targets")
    return f"There is {', and '.join(parts)}."


def _evidence(gap: SampleGap, output: str) -> dict:
    labels = gap.labels.get(output)
    if labels is None:
        numbers = gap.numbers[output]
        return {"shift": numbers.shift, "scale": numbers.scale}
    return {
        "codings": list(labels.codings),
        "offset": labels.offset,
        "only_in_training": list(labels.only_first[:MOST]),
        "only_in_validation": list(labels.only_second[:MOST]),
        "order": [list(pair) for pair in labels.order[:MOST]],
    }
