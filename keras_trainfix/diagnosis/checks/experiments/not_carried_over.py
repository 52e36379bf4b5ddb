"""KTF603 not-carried-over: what steps learn does not hold for the validation data."""

import numpy as np

from keras_trainfix.data import leaves
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.thresholds import CARRIED_OVER, LEARNS

FEWEST = 50  # validation samples


@check(
    "KTF603",
    "not-carried-over",
    "warning",
    action="prepare training and validation data with the same code",
    scope="model",
    by_experiment=True,
    before_training=False,
)
def not_carried_over(snapshot: Snapshot) -> Found | None:
    """A few steps learn the training data, and nothing of that holds for validation.

    ## What you see
    The training loss falls, and so would that of held-out training samples. The
    validation loss does not, or rises from the first epoch.

    ## Why it happens
    Overfitting spoils held-out training samples as well. If only the validation data
    stay unpredictable, they are other data: their words, columns, channels or classes
    are numbered in another order, or they are scaled by their own statistics.

    ## How to check
    ```python
    import keras
    import numpy as np

    rng = np.random.default_rng(0)
    x = rng.normal(size=(640, 8)).astype("float32")
    y = x[:, :1] - x[:, 1:2]
    x_val = x[512:, [3, 0, 5, 7, 1, 2, 6, 4]]  # the columns in another order
    x, y, y_val = x[:512], y[:512], y[512:]
    keras.utils.set_random_seed(1)
    model = keras.Sequential([
        keras.Input((8,)),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(1),
    ])
    model.compile(keras.optimizers.Adam(0.01), "mse")
    validation_data = x_val, y_val  # pass them to `diagnose`, too
    ```

    ## Fix
    Prepare both by the same code, with what it learned from the training data alone:
    one vocabulary, one order of columns and classes, one scaling.

    ```python
    x_val = x_val[:, np.argsort([3, 0, 5, 7, 1, 2, 6, 4])]
    validation_data = x_val, y_val
    ```

    ## When this is not the cause
    Validation data of another time, place or group are harder by rights. Repeated
    samples make held-out training samples look better than they are.

    ## References
    [Sculley et al., 2015, on pipelines](https://papers.nips.cc/paper/5656)
    """
    experiments = snapshot.experiments
    if experiments is None or snapshot.validation is None:
        return None
    count = len(leaves(snapshot.validation.x)[0])
    control = experiments.control
    here, there = control.skill, control.elsewhere
    if count < FEWEST or not np.isfinite([here, there]).all() or here < LEARNS:
        return None
    if there >= CARRIED_OVER * here:
        return None
    return found(
        f"{experiments.steps} steps on training samples reach a skill of {here:.2f} on "
        f"other training samples, and of {max(there, 0):.2f} on {count} validation "
        "samples (0 is a constant answer, 1 is perfect): these are other data.",
        "# prepare training and validation data by the same code: one vocabulary,\n"
        "# one order of columns and classes, one scaling",
        skill=here,
        validation_skill=there,
        samples=count,
        steps=experiments.steps,
    )
