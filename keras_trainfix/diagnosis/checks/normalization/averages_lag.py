"""KTF308: moving averages that a training is too short to fill."""

import numpy as np

from keras_trainfix.diagnosis.fix_code import recompiled
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.thresholds import AVERAGE_IS_OLD, LOST_BY_LAG
from keras_trainfix.models.averages import average_of_weights

LOWEST = 0.5  # momentum
LEFT = 1e-4  # share of the initial value, with a fitting momentum


@check(
    "KTF308",
    "averages-lag",
    "error",
    scope="model",
    action="choose a momentum that fits the number of steps",
    explains=(*ONE_ANSWER, "KTF504"),
    by_experiment=True,
)
def averages_lag(snapshot: Snapshot) -> Found | None:
    """At the end of `fit`, averages are still near their initial values.

    ## What you see
    The loss of training falls, and `evaluate` and `predict` are as bad as at the
    start, on the same data. With more epochs it would suddenly work.

    ## Why it happens
    A moving average with momentum `m` keeps the share `m ** steps` of its initial
    value. Batch normalization has a momentum of 0.99: after 75 steps, nearly half of
    each statistic is still the 0 or the 1 it began with. An optimizer with
    `use_ema=True` even gives the average of the weights to the model in the end.

    ## How to check
    Count the steps: epochs times samples by batch size.

    ```python
    import keras
    import numpy as np

    def network(momentum):
        keras.utils.set_random_seed(1)
        optimizer = keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=momentum)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        model.compile(optimizer, "mse")
        return model

    x = np.random.default_rng(0).normal(size=(256, 4)).astype("float32")
    y = 3 * x[:, :1]
    planned_steps = 20 * 8  # of 20 epochs of `fit`
    model = network(momentum=0.9999)
    ```

    ## Fix
    Choose a momentum that fits the number of steps, or train for longer.

    ```python
    model = network(momentum=0.95)
    ```

    ## When this is not the cause
    Statistics of batch normalization matter only where those of the data are far from
    0 and 1. They are reported only where weights that learned in a trial lose their
    skill with the averages that `fit` will end with.

    ## References
    [BatchNormalization](https://keras.io/api/layers/normalization_layers/batch_normalization/)
    """
    steps = max(snapshot.iterations, snapshot.fit.planned_steps or 0)
    if not steps:
        return None
    return _of_weights(snapshot, steps) or _of_statistics(snapshot, steps)


def _of_weights(snapshot: Snapshot, steps: int) -> Found | None:
    average = average_of_weights(getattr(snapshot.model, "optimizer", None))
    kept = 0.0 if average is None else average.momentum**steps
    if average is None or not kept > AVERAGE_IS_OLD:
        return None
    every = f"every {average.every} steps" if average.every else "at the end of `fit`"
    return found(
        f"The optimizer replaces the weights by their average {every}. With "
        f"ema_momentum={average.momentum:g} the average of {steps} steps is "
        f"{kept:.0%} the weights that the training began with.",
        recompiled(snapshot.model, "", settings=f"ema_momentum={_fitting(steps):.2g}"),
        momentum=average.momentum,
        steps=steps,
        kept=kept,
    )


def _of_statistics(snapshot: Snapshot, steps: int) -> Found | None:
    lag = None if snapshot.experiments is None else snapshot.experiments.lag
    if lag is None or not lag.in_training - lag.in_inference > LOST_BY_LAG:
        return None
    return found(
        f"`fit` makes {steps} steps, after which moving statistics of batch "
        f"normalization are {lag.kept:.0%} their initial 0 and 1. Tried: weights that "
        f"reach skill {lag.in_training:.2f} with the statistics of the batch, as in "
        f"training, reach {lag.in_inference:.2f} with those averages, as in inference.",
        "for layer in model.layers:  # before `fit`\n"
        "    if isinstance(layer, keras.layers.BatchNormalization):\n"
        f"        layer.momentum = {_fitting(steps):.2g}",
        severity="warning",
        steps=steps,
        kept=lag.kept,
        in_training=lag.in_training,
        in_inference=lag.in_inference,
    )


def _fitting(steps: int) -> float:
    """A momentum that has forgotten the beginning by the end of the training."""
    return float(max(LOWEST, min(0.99, np.floor(100 * LEFT ** (1 / steps)) / 100)))
