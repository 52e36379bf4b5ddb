"""KTF204: probabilities in a loss that takes logits."""

from keras_trainfix.diagnosis.change import Change, with_logits
from keras_trainfix.diagnosis.checks.head_and_loss.head_code import (
    present_loss,
    with_activation,
    with_loss,
)
from keras_trainfix.diagnosis.checks.head_and_loss.probabilities import (
    is_constant_softmax,
    sums_to_one,
)
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView


def _take_probabilities(case):
    loss = with_logits(case.loss.loss, False)
    return "the loss is your own" if loss is None else Change(None, loss)


@check(
    "KTF204",
    "probabilities-into-logits-loss",
    "warning",
    action="make the head and the loss agree on logits",
    scope="output",
    explains=("KTF502", "KTF503", "KTF505"),
    repair=_take_probabilities,
)
def probabilities_into_logits_loss(view: OutputView) -> Found | None:
    """The loss has `from_logits=True`, but the head gives probabilities.

    ## What you see
    The loss falls slowly and stops far above 0, and all predictions favor the most
    frequent class. TensorFlow may print a warning.

    ## Why it happens
    The loss applies a second sigmoid or softmax. A sigmoid maps numbers between 0 and 1
    to between 0.5 and 0.73, and a softmax of 10 classes to at most 0.23. The loss
    cannot become small, and its gradient is weak. TensorFlow often undoes it, JAX and
    torch do not.

    ## How to check
    The last activation is `softmax` or `sigmoid`, and the loss has `from_logits=True`.

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    y = np.arange(64) % 3
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, activation="softmax")]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    ```

    ## Fix
    Keep only one of the two. Logits are numerically more accurate.

    ```python
    model.layers[-1].activation = keras.activations.linear
    model.compile("adam", loss)
    ```

    ## When this is not the cause
    A model that learns well on TensorFlow loses nothing there.

    ## References
    - [Probabilistic losses of Keras](https://keras.io/api/losses/probabilistic_losses/)
    """
    loss, head = view.loss, view.head
    p = view.predictions
    activation = "softmax" if sums_to_one(view) else head.activation
    is_probability = head.is_probability or activation == "softmax"
    if not loss.from_logits or not is_probability or is_constant_softmax(view):
        return None
    plain = None if loss.kind == "sum" else present_loss(view, from_logits=False)
    return found(
        f"{loss.name} has from_logits=True, and a {activation} gives it "
        f"probabilities, from {p.min():.3g} to {p.max():.3g}: they are squashed twice.",
        with_loss(view, plain) if plain else with_activation(view, "linear"),
        lowest=float(p.min()),
        highest=float(p.max()),
        units=head.units,
    )
