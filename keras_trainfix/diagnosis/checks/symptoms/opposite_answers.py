"""KTF509: answers of a trained model in the opposite order of the targets."""

from typing import Any

import numpy as np

from keras_trainfix.diagnosis.checks.symptoms.collapse import is_trained
from keras_trainfix.diagnosis.measure.aim import aims_at_targets
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView
from keras_trainfix.diagnosis.thresholds import OPPOSITE_AREA, OPPOSITE_ORDER

FEWEST = 32  # rows
FEW_OF_CLASS = 10  # rows of the rarest class


@check(
    "KTF509",
    "opposite-answers",
    "error",
    action="check the sign of the targets and of the loss",
    scope="output",
    order=700,
    overrules=("KTF505", "KTF507"),
    before_training=False,
)
def opposite_answers(view: OutputView) -> Found | None:
    """The answers of the trained model are in the opposite order of the targets.

    ## What you see
    The loss falls, and the score is worse than that of chance: an accuracy of 5 % in
    two balanced classes, a correlation of -0.9.

    ## Why it happens
    The model has learned, but the opposite: a loss with the wrong sign, labels that
    `fit` gets the other way round than these samples, or a loss of your own that
    takes 1 for the class that the labels call 0.

    ## How to check
    ```python
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    x = np.random.default_rng(0).normal(size=(256, 4)).astype("float32")
    y = (x[:, :1] > 0).astype("float32")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(0.05), "binary_crossentropy")
    model.fit(x, 1 - y, batch_size=16, epochs=20, verbose=0)
    print(((model.predict(x, verbose=0) > 0.5) == y).mean())
    ```

    ## Fix
    Find where targets or loss are turned round, between these samples and `fit`.

    ```python
    model.fit(x, y, batch_size=16, epochs=40, verbose=0)
    ```

    ## When this is not the cause
    An answer need not be in the order of the targets: a distance is small where the
    label for "similar" is 1. Only answers on a named scale are judged, such as
    probabilities, and numbers with a loss whose best answers are the targets.

    ## References
    [Zhang et al., 2017](https://arxiv.org/abs/1611.03530)
    """
    own = view.skill
    if not is_trained(view) or own is None or own.samples < FEWEST:
        return None
    measure = _opposite(own)
    if measure is None or not aims_at_targets(view):
        return None
    by_loss, loss = view.loss_skill, ""
    evidence: dict[str, Any] = {"iterations": view.iterations, **measure[1]}
    if by_loss is not None and np.isfinite(by_loss.value):
        evidence["loss_skill"] = by_loss.value
        sees = "it rewards this" if by_loss.value > 0 else "other targets fit better"
        loss = f" By the loss against shuffled targets: {by_loss.value:.2f}, {sees}."
    return found(
        f"After {view.iterations} steps the answers are in the opposite order of the "
        f"targets: {measure[0]}.{loss}",
        "print(y[:8], model.predict(x, verbose=0)[:8])\n"
        "# does fit get these targets? does the loss fall where both agree?",
        **evidence,
    )


def _opposite(own):
    """The measure in words and as evidence; None where the order is not opposite."""
    if own.kind == "regression":
        order = own.correlation
        is_opposite = own.value < 0 and order is not None and order < OPPOSITE_ORDER
        if not is_opposite:
            return None
        return f"rank correlation {order:.2f}", {"correlation": order}
    areas = np.array([area for area in own.auc or [] if np.isfinite(area)])
    shares = [share for share in own.present if share > 0]
    if not areas.size or min(shares) * own.samples < FEW_OF_CLASS:
        return None
    if own.value > 0 or not areas.max() < OPPOSITE_AREA:
        return None
    return f"area under the curve {areas.mean():.2f}", {"area": float(areas.mean())}
