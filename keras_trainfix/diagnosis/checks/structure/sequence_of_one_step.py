"""KTF433: a recurrent layer whose sequences have a single step."""

from typing import Any

from keras import layers

from keras_trainfix.diagnosis.experiments.instruments.layer_calls import layer_calls
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.thresholds import LEARNS

WITH_STEPS = (layers.RNN, layers.Bidirectional, layers.MultiHeadAttention)


@check(
    "KTF433",
    "sequence-of-one-step",
    "warning",
    scope="model",
    action="give the layer more than one step",
    exact=True,
    by_experiment=True,
)
def sequence_of_one_step(snapshot: Snapshot) -> Found | None:
    """A recurrent layer, or attention, gets sequences of one step.

    ## What you see
    A forecast of a series is flat, or a step behind, however large the LSTM is.

    ## Why it happens
    The windows are one step long, or the steps were made features: `reshape(n, 1, 12)`
    for 12 values of one series, where `reshape(n, 12, 1)` was meant. With one step
    there is nothing to remember: the layer is an expensive `Dense`.

    ## How to check
    Look at the second number of the shape of the inputs: `(samples, steps, features)`.

    ```python
    import keras
    import numpy as np
    from keras import layers

    series = np.sin(2 * np.pi * np.arange(700) / 40)

    def windows(steps):
        ends = np.arange(20, 640)
        x = np.stack([series[end - steps:end] for end in ends])[..., None]
        return x.astype("float32"), series[ends + 9][:, None].astype("float32")

    def network(steps):
        keras.utils.set_random_seed(1)
        model = keras.Sequential(
            [keras.Input((steps, 1)), layers.LSTM(16), layers.Dense(1)]
        )
        model.compile(keras.optimizers.Adam(0.01), "mse")
        return model

    (x, y), model = windows(1), network(1)
    ```

    ## Fix
    Give the layer the steps that the answer depends on.

    ```python
    (x, y), model = windows(12), network(12)
    ```

    ## When this is not the cause
    A stateful layer remembers from batch to batch, and is not reported. Where the model
    learns, the finding is a note.

    ## References
    [Time series forecasting](https://www.tensorflow.org/tutorials/structured_data/time_series)
    """
    if snapshot.experiments is None and not snapshot.iterations:
        return None  # whether it learns is not known yet
    calls = layer_calls(snapshot)
    one_step = [
        call
        for call in (calls.layers if calls else ())
        if isinstance(call.layer, WITH_STEPS) and _has_one_step(call)
    ]
    if not one_step:
        return None
    layer, shape = one_step[0].layer, one_step[0].inputs[0].shape
    learns = snapshot.least_skill > LEARNS
    if snapshot.experiments is not None:
        learns |= snapshot.experiments.learns
    features = shape[-1]
    fix = "# make windows of several steps: x of shape (samples, steps, features)"
    if features > 1:
        fix = (
            f"# if the {features} features are steps of one series:\n"
            f"# x = x.reshape(len(x), {features}, 1), with keras.Input(({features}, 1))"
        )
    return found(
        f"'{layer.name}' gets sequences of 1 step, of shape {tuple(shape)}: there is "
        "nothing to remember, and no order.",
        fix,
        severity="note" if learns else None,
        layer=layer.name,
        steps=1,
        features=int(features),
    )


def _has_one_step(call: Any) -> bool:
    if getattr(call.layer, "stateful", False) or not call.inputs:
        return False
    return all(part.ndim == 3 and part.shape[1] == 1 for part in call.inputs)
