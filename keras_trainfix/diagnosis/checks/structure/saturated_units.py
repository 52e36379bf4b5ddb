"""KTF404 saturated-units: sigmoid and tanh layers at their bounds."""

import numpy as np

from keras_trainfix.diagnosis.measure.learned import has_learned
from keras_trainfix.diagnosis.observe.head import activation_of
from keras_trainfix.diagnosis.observe.layers import CELLS, FEW_ROWS
from keras_trainfix.diagnosis.observe.variation import (
    answer_layers,
    calls_by_layer,
    inputs_vary,
    is_output,
)
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot

SATURATED = 0.9  # share of the outputs
NEAR_BOUND = 0.01  # distance of an output from a bound


@check(
    "KTF404",
    "saturated-units",
    "warning",
    action="scale the inputs of the saturated layers",
    scope="model",
    order=8,
    explains=ONE_ANSWER,
    rate="lower",
)
def saturated_units(snapshot: Snapshot) -> Found | None:
    """Nearly all outputs of a sigmoid or tanh layer are at a bound, where it is flat.

    ## What you see
    The loss falls very slowly or not at all, and the layers before the saturated one
    hardly change.

    ## Why it happens
    Inputs or weights are so large that the activation is within 0.01 of its bound
    almost everywhere. Its slope there is below 0.02, and 0 further out, and the
    gradients of all earlier layers are multiplied by it.

    ## How to check
    Measure the share of outputs near a bound.

    ```python
    import keras
    import numpy as np

    hidden = keras.layers.Dense(16, "tanh")
    model = keras.Sequential([keras.Input((4,)), hidden, keras.layers.Dense(1)])
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(1e4, 1e3, size=(64, 4)).astype("float32")
    y = x[:, :1] / 1e4
    features = keras.ops.convert_to_numpy(hidden(x))
    print((np.abs(features) > 0.99).mean())
    ```

    ## Fix
    Scale the inputs. Between layers, use `BatchNormalization` or `LayerNormalization`.

    ```python
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    ```

    ## When this is not the cause
    A gate that has learned to be open or closed is at its bounds on purpose: once the
    model has learned its task, it is a note. The head is not judged: a confident
    classifier is near 0 and 1.

    ## References
    [Glorot and Bengio, 2010](https://proceedings.mlr.press/v9/glorot10a.html)
    """
    if not snapshot.layers or not inputs_vary(snapshot):
        return None
    heads = answer_layers(snapshot)
    for layer, calls in calls_by_layer(snapshot.layers):
        low = {"sigmoid": 0, "tanh": -1}.get(activation_of(layer))
        is_head = any(is_output(snapshot, values) for values in calls)
        if low is None or is_head or layer.name in heads or isinstance(layer, CELLS):
            continue
        values = np.concatenate([call.ravel() for call in calls])
        share = (values < low + NEAR_BOUND) | (values > 1 - NEAR_BOUND)
        if values.size >= FEW_ROWS and share.mean() > SATURATED:
            return found(
                f"{share.mean():.0%} of the outputs of the {activation_of(layer)} "
                f"layer '{layer.name}' are within {NEAR_BOUND} of a bound, where the "
                "slope is nearly 0.",
                "x = (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-7)\n"
                f"# or keras.layers.LayerNormalization() before '{layer.name}', or a "
                "ReLU instead of its activation",
                severity="note" if has_learned(snapshot) else None,
                saturated_share=float(share.mean()),
                outputs=int(values.size),
            )
    return None
