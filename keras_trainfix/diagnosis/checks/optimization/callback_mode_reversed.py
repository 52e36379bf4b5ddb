"""KTF419 callback-mode-reversed: a callback takes a better score for a worse one."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from keras import ops

from keras_trainfix.backend import no_gradient, to_numpy
from keras_trainfix.data import leaves
from keras_trainfix.diagnosis.observe.metrics import UP_TO_ONE
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.keras_internals import compile_arguments, direction_of

UP = (*UP_TO_ONE, "r2_score")
DOWN = ("loss", "error", "mae", "mse", "crossentropy", "divergence")


@check(
    "KTF419",
    "callback-mode-reversed",
    "error",
    action="correct the `mode` of the callback",
    scope="model",
    exact=True,
)
def callback_mode_reversed(snapshot: Snapshot) -> Found | None:
    """A callback of `fit` waits for a metric to move in the wrong direction.

    ## What you see
    `ReduceLROnPlateau` lowers the learning rate to nothing, or `EarlyStopping` ends
    training after a few epochs, although the metric improves. `ModelCheckpoint` keeps
    the worst weights.

    ## Why it happens
    With `mode="min"` a score that rises counts as no improvement, and with
    `mode="max"` a loss that falls.

    ## How to check
    Pass the callbacks to `diagnose`, as you do to `fit`.

    ```python
    import keras
    import numpy as np
    from keras_trainfix import diagnose

    x = np.random.default_rng(0).normal(size=(256, 4)).astype("float32")
    y = (x[:, :1] > 0).astype("float32")
    model = keras.Sequential([
        keras.Input((4,)), keras.layers.Dense(1, activation="sigmoid")
    ])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    plateau = keras.callbacks.ReduceLROnPlateau(monitor="accuracy", mode="min")
    callbacks = [plateau]
    ```

    ## Fix
    ```python
    callbacks = [keras.callbacks.ReduceLROnPlateau(monitor="accuracy", mode="max")]
    ```

    ## When this is not the cause
    The direction of a function of yours is measured: it is called with the targets as
    answers, and with shuffled ones. Where that shows nothing, its name decides; an
    unknown one is not judged.

    ## References
    [EarlyStopping](https://keras.io/api/callbacks/early_stopping/)
    """
    for callback in snapshot.fit.callbacks:
        monitor, mode = (getattr(callback, key, None) for key in ("monitor", "mode"))
        if not isinstance(monitor, str) or mode not in ("min", "max"):
            continue
        better = _direction(snapshot, monitor.removeprefix("val_"))
        if better is None or better == mode:
            continue
        kind = type(callback).__name__
        verb = "higher" if better == "max" else "lower"
        return found(
            f"`{kind}` takes a better `{monitor}` for a worse one: it has "
            f"mode={mode!r}, and {verb} is better.",
            f"# {kind}(monitor={monitor!r}, mode={better!r})",
            severity=None if hasattr(callback, "patience") else "warning",
            callback=kind,
            monitor=monitor,
            mode=mode,
        )
    return None


def _direction(snapshot: Snapshot, name: str) -> str | None:
    """`"max"` where a higher value is better, `"min"` where a lower one is; or None."""
    for metric in _metrics(snapshot.model):
        own = _name_of(metric)
        if not own or not (name == own or name.endswith(f"_{own}")):
            continue
        known = direction_of(metric) or _measured(snapshot, metric)
        if known is not None:
            return known
    words = name.lower()
    if any(word in words for word in DOWN):
        return "min"
    return "max" if any(word in words for word in UP) else None


def _metrics(model: Any) -> Iterator[Any]:
    given = compile_arguments(model)
    for key in ("metrics", "weighted_metrics"):
        yield from leaves(given.get(key) or [])


def _name_of(metric: Any) -> str | None:
    if isinstance(metric, str):
        return metric
    return getattr(metric, "name", None) or getattr(metric, "__name__", None)


def _measured(snapshot: Snapshot, metric: Any) -> str | None:
    """Whether a function is higher for the targets than for shuffled ones."""
    views = snapshot.views()
    if isinstance(metric, str) or not callable(metric) or len(views) != 1:
        return None
    targets, answers = views[0].targets, views[0].predictions
    if targets is None or np.shape(targets) != answers.shape:
        return None
    try:
        y = ops.convert_to_tensor(np.asarray(targets, "float32"))
        order = np.random.default_rng(0).permutation(len(targets))
        other = ops.convert_to_tensor(np.asarray(targets[order], "float32"))
        with no_gradient():
            best, shuffled = (
                float(np.mean(to_numpy(metric(y, p)))) for p in (y, other)
            )
    except Exception:  # the user's code
        return None
    if not np.isfinite([best, shuffled]).all() or best == shuffled:
        return None
    return "max" if best > shuffled else "min"
