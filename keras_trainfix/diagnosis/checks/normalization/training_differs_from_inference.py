"""KTF305 training-differs-from-inference: a layer destroys its input in training."""

from keras_trainfix.diagnosis.experiments.instruments.training_difference import (
    TrainingDifference,
    training_difference,
)
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.thresholds import BLANK, FLAT, TRAINING_R2

FAR = 10  # times the threshold for dropout and noise, which are large on purpose


@check(
    "KTF305",
    "training-differs-from-inference",
    "error",
    action="weaken the layer that destroys its input in training",
    scope="model",
    exact=True,
    explains=(*ONE_ANSWER, "KTF301"),
    persistent=True,
)
def training_differs_from_inference(snapshot: Snapshot) -> Found | None:
    """In training, a layer leaves next to nothing of its input; in inference, all.

    ## What you see
    The loss of training stays where it is, or is far above that of `evaluate` on the
    same samples. Without augmentation or dropout the model learns.

    ## Why it happens
    An augmentation expects another range: `RandomBrightness` moves images of 0 to 1 by
    up to 76, unless it is given `value_range=(0, 1)`, and they become black or white.
    Or the rate of a dropout, or the spread of a noise, is far too large: `rate` is the
    share that is dropped, not kept.

    ## How to check
    Compare `layer(x, training=True)` with `layer(x, training=False)`.

    ```python
    import keras, numpy as np

    x = np.random.default_rng(0).random((64, 8, 8, 3)).astype("float32")
    y = x.mean((1, 2, 3))[:, None]
    model = keras.Sequential([
        keras.Input((8, 8, 3)),
        keras.layers.RandomBrightness(0.3),  # of images from 0 to 255
        keras.layers.Flatten(),
        keras.layers.Dense(1),
    ])
    model.compile("adam", "mse")
    ```

    ## Fix
    Give the layer the range, the rate or the spread that fits what it gets.

    ```python
    model = keras.Sequential([
        keras.Input((8, 8, 3)),
        keras.layers.RandomBrightness(0.3, value_range=(0, 1)),
        keras.layers.Flatten(),
        keras.layers.Dense(1),
    ])
    model.compile("adam", "mse")
    ```

    ## When this is not the cause
    A rate of dropout below 0.98 is not judged here: where it keeps a model from
    learning, that is [KTF408](KTF408.md). Batch normalization has its own finding,
    [KTF301](KTF301.md). Layers that draw samples, as in a variational autoencoder, are
    left out.

    ## References
    [keras.layers.RandomBrightness](
    https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_brightness/)
    """
    destroyed = [one for one in training_difference(snapshot) or [] if _loss(one)]
    worst = max(destroyed, key=_loss, default=None)
    if worst is None:
        return None
    return found(
        _message(worst),
        _fix(worst),
        layer=worst.layer.name,
        r2=worst.r2,
        blank=worst.blank,
        training_range=worst.training,
        inference_range=worst.inference,
    )


def _loss(one: TrainingDifference) -> float:
    """How much of its input a layer destroys; 0 if it leaves enough."""
    line = FAR * TRAINING_R2 if one.is_noise else TRAINING_R2
    if one.r2 < line:
        return 1 - one.r2
    return 1.0 if _is_blank(one) or _is_flat(one) else 0.0


def _is_blank(one):
    return not one.is_noise and one.blank > BLANK


def _is_flat(one):
    """Whether next to nothing is left of the range, as behind a wrong clip."""
    (low, high), (low_in, high_in) = one.inference, one.training
    return not one.is_noise and high_in - low_in < FLAT * (high - low)


def _message(one):
    kind = type(one.layer).__name__
    low, high = (f"{value:.3g}" for value in one.inference)
    low_in, high_in = (f"{value:.3g}" for value in one.training)
    text = (
        f"{kind} '{one.layer.name}' gives {low} to {high} in inference, and {low_in} "
        f"to {high_in} in training for the same samples"
    )
    if one.r2 < TRAINING_R2:
        return f"{text}: the change is {(1 - one.r2) ** 0.5:.1f} times the input."
    if _is_blank(one):
        return f"{text}: {one.blank:.0%} of them become a single value."
    return f"{text}."


def _fix(one):
    low, high = one.inference
    name = one.layer.name
    if hasattr(one.layer, "value_range"):
        expected = (0, 1) if low >= 0 and high <= 1 else (round(low), round(high))
        return f"# create '{name}' with value_range={expected}"
    if hasattr(one.layer, "rate"):
        return (
            f"# create '{name}' with a rate of 0.5 at most: the share that is dropped"
        )
    if hasattr(one.layer, "stddev"):
        return f"# create '{name}' with a spread below {0.1 * (high - low):.2g}"
    return f"# leave '{name}' out, or give it inputs of the range that it expects"
