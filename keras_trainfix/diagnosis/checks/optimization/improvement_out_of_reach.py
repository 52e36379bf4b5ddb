"""KTF420: a callback that waits for an improvement there is no room for."""

from typing import Any

from keras_trainfix.diagnosis.observe.loss_value import loss_value, value_of_answers
from keras_trainfix.diagnosis.observe.metrics import UP_TO_ONE
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot

LEAST = 2  # improvements of `min_delta` that there must be room for


@check(
    "KTF420",
    "improvement-out-of-reach",
    "error",
    action="lower the `min_delta` of the callback",
    scope="model",
    exact=True,
)
def improvement_out_of_reach(snapshot: Snapshot) -> Found | None:
    """The `min_delta` of a callback is as large as all that the score can improve.

    ## What you see
    `EarlyStopping` ends the training after `patience` epochs, or `ReduceLROnPlateau`
    lowers the learning rate again and again, although the loss falls steadily.

    ## Why it happens
    Only an improvement of more than `min_delta` counts as one. A number that suits a
    cross-entropy is too large for the squared error of small targets, and one in
    percent for an accuracy that ends at 1.

    ## How to check
    Compare `min_delta` with the first loss: the callbacks go to `diagnose` as to `fit`.

    ```python
    import keras
    import numpy as np
    from keras_trainfix import diagnose

    x = np.random.default_rng(0).normal(size=(256, 4)).astype("float32")
    y = 0.01 * x[:, :1]
    model = keras.Sequential([
        keras.Input((4,)), keras.layers.Dense(1, kernel_initializer="zeros")
    ])
    model.compile("adam", "mse")
    callbacks = [keras.callbacks.EarlyStopping("loss", min_delta=0.1, patience=3)]
    ```

    ## Fix
    ```python
    callbacks = [keras.callbacks.EarlyStopping("loss", patience=3)]
    ```

    ## When this is not the cause
    It is judged for the compiled loss of a model with one output, and for scores that
    end at 1. A loss with penalties is not judged.

    ## References
    [EarlyStopping](https://keras.io/api/callbacks/early_stopping/)
    """
    for callback in snapshot.fit.callbacks:
        monitor, delta = (getattr(callback, k, None) for k in ("monitor", "min_delta"))
        if not isinstance(monitor, str) or not isinstance(delta, (int, float)):
            continue
        room = _room(snapshot, monitor.removeprefix("val_"))
        if not delta or room is None or room >= LEAST * abs(delta):
            continue
        kind = type(callback).__name__
        return found(
            f"`{kind}` counts an improvement of `{monitor}` from min_delta="
            f"{abs(delta):g} on, and from its first value it can improve by {room:.3g} "
            "in all.",
            f"# {kind}(monitor={monitor!r}, min_delta={abs(room) / 1000:.1g})",
            callback=kind,
            monitor=monitor,
            min_delta=abs(delta),
            room=room,
        )
    return None


def _room(snapshot: Snapshot, name: str) -> Any:
    """How much a monitored value can improve at most; None if that is not known."""
    views = snapshot.views()
    if name != "loss":
        return 1.0 if any(word in name.lower() for word in UP_TO_ONE) else None
    if len(views) > 1 or snapshot.iterations or _has_penalties(snapshot):
        return None
    first, perfect = loss_value(views[0]), value_of_answers(views[0])
    if first is None or perfect is None or perfect > first:
        return None
    return first - perfect


def _has_penalties(snapshot: Snapshot) -> bool:
    return any(v.regularizer is not None for v in snapshot.model.trainable_variables)
