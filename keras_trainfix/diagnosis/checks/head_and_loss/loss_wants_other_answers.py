"""KTF216: a loss that is lowest for other answers than the targets."""

from keras_trainfix.diagnosis.experiments.instruments.gradients_by_answer import (
    answer_gradients,
)
from keras_trainfix.diagnosis.experiments.instruments.wanted_answers import (
    wanted_answers,
)
from keras_trainfix.diagnosis.fix_code import compiled_with
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView
from keras_trainfix.diagnosis.thresholds import ASKED_FOR, NO_CHANGE


@check(
    "KTF216",
    "loss-wants-other-answers",
    "error",
    action="correct the loss function",
    scope="output",
    explains=ONE_ANSWER,
    persistent=True,
)
def loss_wants_other_answers(view: OutputView) -> Found | None:
    """The own loss leads to other answers than the targets, whatever the network is.

    ## What you see
    The loss falls as it should, and the answers get no better, or worse.

    ## Why it happens
    A term has the wrong sign, a logarithm is missing, targets and predictions are in
    each other's place, or something is divided that should be multiplied. The network
    does what the loss asks for.

    ## How to check
    Leave the network out: take free numbers for the answers, move them downhill by the
    gradient of the loss, and see where they end.

    ```python
    import keras
    import numpy as np

    def divergence(y_true, y_pred):  # the logarithm of `y_pred` is missing
        y_true = keras.ops.cast(y_true, y_pred.dtype)
        terms = y_true * (keras.ops.log(y_true + 1e-7) - y_pred)
        return keras.ops.sum(terms, axis=-1)

    x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
    y = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    model = keras.Sequential([
        keras.Input((4,)), keras.layers.Dense(4, activation="softmax")
    ])
    model.compile("adam", divergence)
    ```

    ## Fix
    Correct the loss, or take one of Keras.

    ```python
    model.compile("adam", "kl_divergence")
    ```

    ## When this is not the cause
    Only losses of your own are judged, and only where targets and answers are of one
    kind: numbers of the same shape, or class ids beside scores. A loss whose targets
    are stand-ins for something else can ask for other answers on purpose.

    ## References
    [Gneiting and Raftery, 2007](https://doi.org/10.1198/016214506000001437), on losses
    that are lowest for the truth
    """
    wanted = (wanted_answers(view.snapshot) or {}).get(view.name)
    if wanted is None or wanted.fit >= ASKED_FOR:
        return None
    pulled = (answer_gradients(view.snapshot) or {}).get(view.name)
    if pulled is not None and (pulled.is_flat or pulled.change <= NO_CHANGE):
        return None  # KTF405 and KTF212
    fix = "# in the loss: a sign, a logarithm, or the order of y_true and y_pred"
    if view.task == "regression":
        fix += "\n" + compiled_with(view.model, '"mean_squared_error"')
    return found(
        f"The loss `{view.loss.name}` asks for other answers than the targets. Free "
        f"numbers that follow its gradient fit the targets of {wanted.samples} samples "
        f"by {wanted.fit:.2f} (0 is chance, 1 is perfect).",
        fix,
        fit=wanted.fit,
        samples=wanted.samples,
    )
