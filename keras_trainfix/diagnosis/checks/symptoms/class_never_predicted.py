"""KTF504: a class that a trained model never predicts."""

from keras_trainfix.diagnosis.checks.head_and_loss.head_code import with_loss
from keras_trainfix.diagnosis.checks.symptoms.collapse import (
    LONG,
    is_one_class,
    steps_and_skill,
)
from keras_trainfix.diagnosis.measure.eval_pairs import read
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView
from keras_trainfix.diagnosis.thresholds import UNDERRATED

OFTEN = 0.05  # share of the labels
TELLS_APART = 0.75  # area under the curve


@check(
    "KTF504",
    "class-never-predicted",
    "warning",
    action="give the missing class more weight",
    scope="output",
    before_training=False,
)
def class_never_predicted(view: OutputView) -> Found | None:
    """A class that is not rare is never predicted.

    ## What you see
    The recall of one class is 0 and its column in the confusion matrix is empty,
    although it has 5 % of the labels or more.

    ## Why it happens
    Its samples look like those of a more frequent class, or weigh less in the loss; or
    its labels are mixed up; or the training data contain too few of them.

    ## How to check
    ```python
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(0)
    y = rng.choice(3, 320, p=[0.6, 0.3, 0.1])
    x = rng.normal(3.0 * (y == 1)[:, None], 1, (320, 4)).astype("float32")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "softmax")])
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=32, epochs=25, verbose=0)
    print(np.bincount(model.predict(x, verbose=0).argmax(axis=-1), minlength=3))
    ```

    ## Fix
    Add inputs that separate the class from the others. If they already do, use class
    weights.

    ```python
    x[:, 2] += 3.0 * (y == 2)
    model.fit(x, y, batch_size=32, epochs=25, verbose=0)
    ```

    ## When this is not the cause
    If the score of the class is higher for its own samples, but never the highest (a
    note), it is a matter of the threshold, or the best answer to a weak signal. Then
    its probability is on average what its share of the labels is. One that is far lower
    is held down, as by class weights that are the wrong way round.

    ## References
    [Classification on imbalanced data](
    https://www.tensorflow.org/tutorials/structured_data/imbalanced_data)
    """
    steps, seen = steps_and_skill(view, LONG)
    if seen is None or seen.kind != "classes" or is_one_class(seen, steps):
        return None
    if seen.classes_present < 2:
        return None
    missing = [i for i in seen.never_predicted if seen.present[i] >= OFTEN]
    if not missing or (view.learnability is not None and view.learnability.is_absent):
        return None
    worst = max(missing, key=lambda i: seen.present[i])
    only_late = all(seen.auc[i] >= TELLS_APART for i in missing)
    only_late |= len(seen.classes_predicted) == 1  # and ranks, see `is_one_class`
    area = f"area under the curve of its score {seen.auc[worst]:.2f}"
    rating = mean_probability(view, worst) / seen.present[worst]
    is_underrated = rating < UNDERRATED
    why = (
        f" Its probability is {rating:.0%} of that share on average: weights, or the "
        "loss, hold it down."
        if is_underrated
        else ""
    )
    return found(
        f"After {steps} steps class {worst}, {seen.present[worst]:.0%} of the "
        f"{seen.samples} labels, is never predicted ({area}).{why}",
        _weighted(view, worst, only_late),
        severity="note" if only_late and not is_underrated else "warning",
        classes=missing[:20],
        label_shares=[seen.present[i] for i in missing[:20]],
        areas=[seen.auc[i] for i in missing[:20]],
        mean_probability_of_share=rating,
        iterations=steps,
    )


def mean_probability(view: OutputView, number: int) -> float:
    """The mean probability that a model gives a class; NaN if it has none.

    Args:
        view: `OutputView` of classes.
        number: Integer, the class.
    """
    pairs = read(view)
    is_known = view.head.is_probability or view.loss.from_logits
    if pairs is None or not is_known:
        return float("nan")
    return float(pairs.predictions[:, number].mean())


def _weighted(view, missing, has_scores):
    """Code that weighs the classes, for a loss that takes weights."""
    first = f"# its score separates class {missing}: lower its threshold, or weigh it"
    if not has_scores:
        first = f"# look at samples of class {missing}: do their inputs differ?"
    if len(view.names) > 1:
        return first
    scale = "" if view.head.is_probability else ", from_logits=True"
    number = max(2, view.head.units)
    weights = f"weights = keras_trainfix.class_weights_from_labels(y, {number})"
    loss = f"keras_trainfix.MaskedCrossentropy(class_weight=weights{scale})"
    return with_loss(view, loss, first=f"{first}\n{weights}")
