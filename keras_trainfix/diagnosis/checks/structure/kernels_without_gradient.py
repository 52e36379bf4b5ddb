"""KTF414: layers that are called, and that no gradient reaches."""

from keras_trainfix.diagnosis.experiments.instruments.gradients_missing import (
    missing_gradients,
)
from keras_trainfix.diagnosis.fix_code import layer_of, recompiled
from keras_trainfix.diagnosis.measure.learned import has_learned
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.messages import listed

MOST_OF_IT = 0.5  # of the weights


@check(
    "KTF414",
    "kernels-without-gradient",
    "error",
    action="connect all layers to the loss",
    scope="model",
    persistent=True,
)
def kernels_without_gradient(snapshot: Snapshot) -> Found | None:
    """Some layers are called and trainable, but the loss does not depend on them.

    ## What you see
    The model learns less than it should. Some kernels are after training what they were
    before it.

    ## Why it happens
    Between these layers and the loss there is an operation without a gradient:
    `stop_gradient`, `argmax`, a comparison, a cast to integers, on torch `detach()`. Or
    their output goes nowhere, since another variable was meant.

    ## How to check
    Ask for the gradient of each kernel: for some there is none.

    ```python
    import keras
    import numpy as np
    from keras import layers, ops

    class Cut(layers.Layer):
        def call(self, x):
            return ops.stop_gradient(x)

    def model_with(between):
        image = keras.Input((6,))
        left = between(layers.Dense(32, activation="relu", name="left")(image))
        right = layers.Dense(8, activation="relu", name="right")(image)
        model = keras.Model(image, layers.Dense(1)(layers.concatenate([left, right])))
        model.compile("adam", "mse")
        return model

    model = model_with(Cut())
    x = np.random.default_rng(0).normal(size=(64, 6)).astype("float32")
    y = x[:, :1]
    ```

    ## Fix
    Take the operation away, or say that the layers are frozen: `trainable = False`.

    ```python
    model = model_with(layers.Identity())
    ```

    ## When this is not the cause
    A gradient that is 0 by its numbers, behind dead units for example, is another
    finding.

    ## References
    [keras.ops.stop_gradient](https://keras.io/api/ops/core/#stop_gradient-function)
    """
    seen = missing_gradients(snapshot)
    if seen is None or not 0 < len(seen.layers) < seen.kernels:
        return None
    severity = "error" if seen.share > MOST_OF_IT else "warning"
    return found(
        f"No gradient reaches {len(seen.layers)} of {seen.kernels} layers with kernels "
        f"({listed(seen.layers)}), {seen.share:.0%} of their weights: neither the loss "
        "nor an output depends on them.",
        _fix(snapshot, seen.layers),
        severity="note" if has_learned(snapshot) else severity,
        layers=seen.layers[:10],
        kernels=seen.kernels,
        share=seen.share,
    )


def _fix(snapshot: Snapshot, names: list[str]) -> str:
    """Code that freezes the layers, as long as nothing is changed at the cut."""
    layers = [layer_of(snapshot.model, name) for name in names]
    lines = [f"{layer}.trainable = False" for layer in layers if layer is not None]
    why = "# take away what cuts them off, such as stop_gradient or a cast"
    return recompiled(snapshot.model, "\n".join([why, "# or freeze them:", *lines]))
