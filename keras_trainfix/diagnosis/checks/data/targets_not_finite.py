"""KTF113 targets-not-finite: NaN or infinity among the targets."""

import keras
import numpy as np

from keras_trainfix import backend
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView


@check(
    "KTF113",
    "targets-not-finite",
    "error",
    action="remove NaN and infinity from the targets",
    scope="output",
)
def targets_not_finite(view: OutputView) -> Found | None:
    """Some targets are NaN or infinite.

    ## What you see
    The loss is NaN from the first epoch on, and so are all later predictions.

    ## Why it happens
    The error of a NaN is NaN. It spreads to the mean over its batch, and through the
    gradient to every weight. A sample weight of 0 does not help, since `0 * NaN` is
    NaN. NaN comes from missing measurements, from `log(0)`, and from shifted series
    whose ends are empty.

    ## How to check
    `np.isfinite(y).all()`.

    ```python
    import keras, numpy as np

    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x[:, :1].copy()
    y[7] = np.nan
    model = keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(1),
    ])
    model.compile("adam", "mse")
    print(np.flatnonzero(~np.isfinite(y).all(1)))
    ```

    ## Fix
    Remove the samples without a target. In label maps, mark unlabeled pixels with an id
    of their own and pass it to the loss as `ignore_class`.

    ```python
    known = np.isfinite(y).all(1)
    x, y = x[known], y[known]
    ```

    ## When this is not the cause
    There is no finding for a custom loss that masks NaN and returns a finite number.
    Make sure that it masks before the arithmetic: otherwise its gradient is still NaN.

    ## References
    [JAX FAQ: gradients contain NaN where using where](https://docs.jax.dev/en/latest/faq.html#gradients-contain-nan-where-using-where).
    """
    y = view.targets
    if y is None or y.dtype.kind != "f":
        return None
    bad = ~np.isfinite(y)
    if not bad.any() or _loss_masks(view):
        return None
    samples = np.flatnonzero(bad.reshape(len(bad), -1).any(1))
    infinite = int(np.isinf(y).sum())
    fix = "known = np.isfinite(y).reshape(len(y), -1).all(1)\nx, y = x[known], y[known]"
    return found(
        f"{int(bad.sum())} of {bad.size} targets are NaN or infinite, in "
        f"{len(samples)} of {len(bad)} samples: one is enough to turn all weights into "
        "NaN.",
        fix,
        not_finite=int(bad.sum()),
        nan=int(bad.sum()) - infinite,
        infinite=infinite,
        samples=len(samples),
        first_samples=samples[:8].tolist(),
    )


def _loss_masks(view):
    """Whether a custom loss returns a finite number in spite of NaN."""
    if view.loss.kind != "custom":
        return False
    try:
        with backend.no_gradient():
            loss = keras.losses.get(view.loss.loss)
            y = keras.ops.convert_to_tensor(view.targets.astype("float32"))
            value = loss(y, keras.ops.convert_to_tensor(view.predictions))
        return bool(np.isfinite(backend.to_numpy(value)).all())
    except Exception:  # a loss that expects something else
        return False
