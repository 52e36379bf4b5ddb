"""KTF102 inputs-not-finite: NaN or infinity among the inputs."""

import numpy as np

from keras_trainfix.diagnosis.observe.inputs import numeric_inputs
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot


@check(
    "KTF102",
    "inputs-not-finite",
    "error",
    action="remove NaN and infinity from the inputs",
    scope="model",
    inputs_only=True,
)
def inputs_not_finite(snapshot: Snapshot) -> Found | None:
    """Some inputs are NaN or infinite, and so is everything computed from them.

    ## What you see
    The loss is NaN, from the first step or from some step of the first epoch on. After
    that every prediction is NaN, even for clean samples.

    ## Why it happens
    A single NaN in a batch makes its loss NaN, hence every gradient, hence every
    weight. NaN comes from empty cells of a table, from a division by a standard
    deviation of 0, and from the logarithm of 0. Infinity comes from float16 and from
    divisions by 0.

    ## How to check
    `np.isfinite(x).all()`. For a table, `~np.isfinite(x).all(0)` shows the columns.

    ```python
    import keras, numpy as np

    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x[:, :1].copy()
    x[5, 2] = np.nan
    model = keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(8, activation="relu"),
        keras.layers.Dense(1),
    ])
    model.compile("adam", "mse")
    print((~np.isfinite(x)).sum(), np.flatnonzero(~np.isfinite(x).all(0)))
    ```

    ## Fix
    Fill in missing values (or drop those samples), and repair what divides by 0.

    ```python
    x = np.where(np.isfinite(x), x, 0.0).astype("float32")
    ```

    ## When this is not the cause
    There is no finding for a model that replaces NaN itself. If inputs and targets are
    finite and the loss becomes NaN, look at the learning rate and at logarithms in the
    loss.

    ## References
    [keras.callbacks.TerminateOnNaN](https://keras.io/api/callbacks/terminate_on_nan/).
    """
    for name, array in numeric_inputs(snapshot).items():
        finite = np.isfinite(array)
        if finite.all() or _replaces_nan(snapshot, array):
            continue
        bad = ~finite
        samples = np.flatnonzero(bad.reshape(len(bad), -1).any(1))
        features = np.flatnonzero(bad.reshape(-1, bad.shape[-1]).any(0))
        infinite = int(np.isinf(array).sum())
        axis = f" They are at {features[:8].tolist()} of the last axis."
        return found(
            f"{int(bad.sum())} of {bad.size} values of '{name}' are NaN or infinite, "
            f"in {len(samples)} of {len(bad)} samples: one is enough to turn all "
            "weights into NaN." + (axis if array.ndim > 1 else ""),
            "x = np.where(np.isfinite(x), x, 0.0)  # or fill in a mean, or drop rows",
            not_finite=int(bad.sum()),
            nan=int(bad.sum()) - infinite,
            infinite=infinite,
            samples=len(samples),
            first_samples=samples[:8].tolist(),
            features=features[:8].tolist(),
        )
    return None


def _replaces_nan(snapshot, array):
    """Whether the model replaces the NaN of its inputs itself."""
    if np.isinf(array).any():
        return False
    arrays = [output.values for output in snapshot.layers]
    arrays += [np.asarray(y) for y in snapshot.predictions]
    return all(np.isfinite(a).all() for a in arrays)
