"""KTF423 untracked-weights: the model uses weights that it does not know of."""

from keras_trainfix.diagnosis.experiments.instruments.untracked_weights import (
    untracked_weights as instrument,
)
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.messages import count, listed


@check(
    "KTF423",
    "untracked-weights",
    "error",
    action="make Keras track all layers",
    scope="model",
    exact=True,
    explains=("KTF501", "KTF502", "KTF505"),
    persistent=True,
)
def untracked_weights(snapshot: Snapshot) -> Found | None:
    """The model calls layers whose weights it does not track, so `fit` leaves them out.

    ## What you see
    `model.summary()` shows fewer weights than the model uses, or none. The loss falls
    as far as the other layers can bring it. A saved model has lost these weights.

    ## Why it happens
    Keras tracks layers that are attributes of a layer, also in lists and dicts. It does
    not see those in an object of a plain class, in a closure or global variable that a
    `Lambda` or `call` uses, or those that `call` creates, which are new each time.

    ## How to check
    `len(model.trainable_variables)` against the weights that you expect.

    ```python
    import keras, numpy as np

    class Trunk:  # not a keras.layers.Layer
        def __init__(self):
            self.hidden = keras.layers.Dense(16, activation="relu")

    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.trunk = Trunk()
            self.head = keras.layers.Dense(1)

        def call(self, x):
            return self.head(self.trunk.hidden(x))

    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x[:, :1] * x[:, 1:2]
    model = Net()
    model(x[:1])
    model.compile("adam", "mse")
    print(len(model.trainable_variables))  # 2, not 4
    ```

    ## Fix
    Make the layers attributes of the model, or their owner a `keras.layers.Layer`.

    ```python
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden = keras.layers.Dense(16, activation="relu")
            self.head = keras.layers.Dense(1)

        def call(self, x):
            return self.head(self.hidden(x))

    model = Net()
    model(x[:1])
    model.compile("adam", "mse")
    ```

    ## When this is not the cause
    A frozen net that is meant to stay as it is, such as the one of a perceptual loss,
    is left out: set `trainable = False` on it.

    ## References
    [Keras: making new layers and models](
    https://keras.io/guides/making_new_layers_and_models_via_subclassing/)
    """
    layers = instrument(snapshot)
    if not layers:
        return None
    numbers = sum(layer.numbers for layer in layers)
    names = listed(layer.name for layer in layers)
    are = "is" if len(layers) == 1 else "are"
    new = [layer for layer in layers if layer.is_new]
    more = (
        f" {count(len(new), 'layer')} of these {'is' if len(new) == 1 else 'are'} "
        "created again in each call."
        if new
        else ""
    )
    return found(
        f"The model calls {names} with {numbers} trainable numbers, which {are} not in "
        f"`model.variables`: `fit` does not train them and `save` does not keep them."
        f"{more}",
        "# in __init__, for each of these layers: self.layer = layer\n"
        "print([weight.path for weight in model.variables])  # what the model knows",
        layers=[layer.name for layer in layers],
        kinds=[layer.kind for layer in layers],
        numbers=numbers,
        created_in_call=len(new),
    )
