"""KTF418: float16 without the numbers that the model needs."""

from keras_trainfix.diagnosis.experiments.instruments.mixed_precision import (
    HalfPrecision,
    half_precision,
)
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.thresholds import LOSS_SCALE


@check(
    "KTF418",
    "loss-scale-at-floor",
    "error",
    action="train in bfloat16 or float32",
    scope="model",
    order=411,
    exact=True,
    # A rate that is too high leaves weights whose gradients no scale makes finite.
    follows=lambda other: other.code == "KTF401" and other.severity == "error",
    explains=ONE_ANSWER,
    persistent=True,
)
def loss_scale_at_floor(snapshot: Snapshot) -> Found | None:
    """In float16 the gradient is not finite, so that steps are skipped.

    ## What you see
    With `mixed_float16` the loss stays exactly where it is, or is `nan`. In float32 the
    same model learns.

    ## Why it happens
    float16 ends at 65504 and begins at 6e-8. A constant such as `1e-8` is 0 there, and
    `1e9` is infinite; a sum of squares overflows at 65504. The optimizer skips a step
    whose gradient is not finite and halves the scale of the loss, again and again.

    ## How to check
    Compute outputs and gradients once in float16 and once in float32.

    ```python
    import keras
    import numpy as np

    class Normalize(keras.layers.Layer):
        def call(self, x):
            square = keras.ops.sum(keras.ops.square(x), axis=-1, keepdims=True)
            return x / (keras.ops.sqrt(square) + 1e-8)  # 0 in float16

    def model_of(policy):
        model = keras.Sequential([
            keras.Input((4,), dtype="float32"),
            Normalize(dtype=policy),
            keras.layers.Dense(8, activation="relu", dtype=policy),
            keras.layers.Dense(1, dtype="float32"),
        ])
        model.compile("adam", "mse")
        return model

    model = model_of("mixed_float16")
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    x[:4] = 0
    y = x[:, :1]
    ```

    ## Fix
    Let the layer compute in float32, or take a constant that float16 has, such as
    `1e-4`. `mixed_bfloat16` has the range of float32.

    ```python
    model = model_of("float32")
    ```

    ## When this is not the cause
    Some skipped steps in the beginning are normal: the scale starts high and is halved
    until gradients fit. If float32 does not help, the fault is another one.

    ## References
    [Mixed precision](https://keras.io/api/mixed_precision/);
    [Micikevicius et al., 2018](https://arxiv.org/abs/1710.03740)
    """
    seen = half_precision(snapshot)
    if seen is None:
        return None
    if not seen.is_finite and seen.is_finite_in_float32:
        where = f" from layer '{seen.layer}' on" if seen.layer else ""
        message = (
            f"In float16 outputs or gradients are not finite{where}, and in float32 "
            "they are: a constant or a sum has no number in float16, which reaches "
            "from 6e-8 to 65504."
        )
    elif seen.scale < LOSS_SCALE:
        message = (
            f"The loss scale has fallen to {seen.scale:.3g}, from 32768: gradients in "
            "float16 are not finite whatever the scale, and all steps are skipped."
        )
    else:
        return None
    return found(
        message,
        _fix(seen),
        layer=seen.layer,
        loss_scale=seen.scale,
        is_finite_in_float32=seen.is_finite_in_float32,
    )


def _fix(seen: HalfPrecision) -> str:
    which = f"the layer '{seen.layer}'" if seen.layer else "the layer that overflows"
    return (
        f'# create {which} with dtype="float32", or for the whole model, before it is\n'
        '# built: keras.config.set_dtype_policy("mixed_bfloat16")'
    )
