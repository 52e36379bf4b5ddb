"""KTF210: an overlap as the only loss of a segmentation."""

from typing import Any

from keras_trainfix.diagnosis.checks.head_and_loss.head_code import (
    dice_and_cross_entropy,
    with_loss,
)
from keras_trainfix.diagnosis.checks.head_and_loss.probabilities import SURE
from keras_trainfix.diagnosis.measure.eval_pairs import read
from keras_trainfix.diagnosis.observe.loss import is_overlap
from keras_trainfix.diagnosis.observe.loss_value import value_of_answers
from keras_trainfix.diagnosis.observe.variation import varies
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView
from keras_trainfix.models.optimizers import rate_of

TRAINED, SOME, LONG = 20, 100, 200  # steps
NEARLY_ALL = 0.98  # of the pixels
HALF = 0.5  # of the foreground: a few pixels by chance are no mask
MIXED = 0.9  # share of the foreground up to which full masks are wrong
RARE = 0.02  # share of the foreground
OFTEN_EMPTY = 0.25  # share of the masks
TELLS_APART = 0.75  # area under the curve
SURER, SAME = 1e-6, 0.1  # probability of the right class, and change of the loss
FLAT = 0.9  # probability beyond which a sigmoid has little slope


@check(
    "KTF210",
    "dice-alone",
    "warning",
    action="add cross-entropy to the loss",
    scope="output",
    explains=("KTF503",),
)
def dice_alone(view: OutputView) -> Found | None:
    """A Dice or Tversky loss alone can end in a mask that is the same everywhere.

    ## What you see
    The loss falls at first and then stays, and masks are all foreground: their IoU is
    the share of the foreground. Or all masks are empty.

    ## Why it happens
    A full mask gets a Dice of `2 f / (1 + f)` for a share `f` of foreground, which is
    0.58 at 41 %. In an untrained model all outputs rise together toward it. Once the
    sigmoid is near 1, its slope is near 0 and nothing leads back. For an empty mask the
    gradient of Dice is exactly 0. A cross-entropy has no such places.

    ## How to check
    Compare `(model.predict(x) > 0.5).mean()` with `y.mean()`.

    ```python
    import keras
    import numpy as np

    head = keras.layers.Conv2D(1, 1, activation="sigmoid")
    model = keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            keras.layers.Conv2D(8, 3, padding="same", activation="relu"),
            head,
        ]
    )
    model.compile("adam", keras.losses.Dice())
    x = np.random.default_rng(0).normal(size=(32, 16, 16, 1)).astype("float32")
    y = (np.roll(x, 5, axis=1) > 0.5).astype("float32")  # beyond what the net sees
    head.bias.assign([9.0])  # as some large steps leave it
    model.fit(x, y, batch_size=4, epochs=4, verbose=0)
    print((model.predict(x, verbose=0) > 0.5).mean(), y.mean())
    ```

    ## Fix
    Use Dice and cross-entropy together, from new weights, with a smaller learning rate.

    ```python
    import keras_trainfix as kt

    model = keras.models.clone_model(model)
    loss = kt.WeightedSum([kt.MaskedSoftDice(), kt.MaskedCrossentropy()])
    model.compile("adam", loss)
    y = (x > 0.5).astype("float32")
    model.fit(x, y, batch_size=4, epochs=4, verbose=0)
    ```

    ## When this is not the cause
    Many models learn well with Dice alone and pass through full masks on the way. While
    probabilities are higher where the foreground is, the finding is a note. Before
    training it is also a note, where the foreground is rare or missing in many images.

    ## References
    - [Taghanaki et al., 2019](https://arxiv.org/abs/1805.02798)
    """
    if view.task != "segmentation" or view.label_faults or not _is_dice_alone(view):
        return None
    pairs: Any = read(view)
    seen: Any = view.skill
    if (
        pairs is None
        or seen is None
        or seen.kind != "classes"
        or len(seen.present) != 2
    ):
        return None
    share, predicted = seen.present[1], seen.predicted[1]
    steps = view.iterations
    evidence = {"foreground_share": share, "iterations": steps}
    if steps < TRAINED:
        empty = _share_of_empty(view)
        if not (0 < share < RARE or empty > OFTEN_EMPTY):
            return None
        return found(
            f"{view.loss.name} is the only loss, {100 * share:.2g} % of the pixels "
            f"are foreground, and {empty:.0%} of the masks have none: it may end in "
            "masks that are the same everywhere.",
            with_loss(view, dice_and_cross_entropy(view)),
            severity="note",
            empty_share=empty,
            **evidence,
        )
    if not share:
        return None
    area = float(seen.auc[1])
    is_full = predicted > NEARLY_ALL and 0 < share < MIXED
    wrong = pairs.targets[:, 0 if is_full else 1] > 0.5
    # How sure the net is where it is wrong: there its sigmoid is flat.
    sure = float(pairs.predictions[wrong, 1 if is_full else 0].mean())
    is_hopeless = sure > FLAT and area < TELLS_APART
    is_empty = predicted < (HALF if is_hopeless else 1 - NEARLY_ALL) * share
    if not (is_full or is_empty) or not _features_vary(view):
        return None
    mask = "empty" if is_empty else "full"
    slower = rate_of(view.model.optimizer) / 10
    return found(
        f"After {steps} steps with {view.loss.name} alone {predicted:.1%} of the "
        f"pixels are predicted as foreground, and {share:.1%} are: masks are {mask}, "
        f"with a mean probability of {sure:.2f} where that is wrong (area under the "
        f"curve {area:.2f}).",
        with_loss(view, dice_and_cross_entropy(view), rate=slower),
        severity=_severity_of_mask(steps, sure, area),
        predicted_share=predicted,
        wrong_probability=sure,
        area=area,
        **evidence,
    )


def _is_dice_alone(view):
    """Whether the loss is an overlap and nothing else, with a head that suits it."""
    loss, head = view.loss, view.head
    if not is_overlap(loss):
        return False
    takes_logits = loss.from_logits and not head.is_probability
    takes_probabilities = head.is_probability and not loss.from_logits
    if not (takes_probabilities or takes_logits):
        return False
    if head.activation == "softmax" and head.units == 1:
        return False
    if loss.kind == "region":
        return True
    # An overlap has bounds; a cross-entropy is the larger the surer a wrong answer is.
    if loss.kind != "custom":
        return False
    right, wrong, surely = (
        value_of_answers(view, wrongness) for wrongness in (SURE, 1 - SURE, 1 - SURER)
    )
    if None in (right, wrong, surely) or not wrong > right + 0.2:
        return False
    return surely - wrong < SAME * (wrong - right)


def _severity_of_mask(steps, sure, area):
    knows = area >= TELLS_APART
    if sure > FLAT and not knows:
        return "error"
    late = steps >= (LONG if knows else SOME)
    return "warning" if late else "note"


def _features_vary(view):
    """Whether what reaches the head differs: if not, something else came first."""
    names = [output.layer.name for output in view.layers]
    if view.head.layer not in names or not names.index(view.head.layer):
        return True
    return varies(view.layers[names.index(view.head.layer) - 1].values)


def _share_of_empty(view):
    """Share of the masks without foreground, void left out."""
    targets = view.labels
    numbers = targets.numbers[:, 1] if targets.is_rows else targets.numbers
    is_on = (numbers > 0.5) & targets.valid
    return float((~is_on.reshape(len(view.targets), -1).any(1)).mean())
