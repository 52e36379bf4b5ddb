"""KTF306 fresh-frozen-weights: frozen layers still have their initial weights."""

import keras

from keras_trainfix.diagnosis.experiments.instruments.fresh_weights import (
    FreshWeights,
    fresh_weights,
)
from keras_trainfix.diagnosis.fix_code import recompiled
from keras_trainfix.diagnosis.measure.learned import has_learned
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.thresholds import FRESH
from keras_trainfix.messages import listed

MANY = 3  # frozen kernels: nobody draws so many at random on purpose


@check(
    "KTF306",
    "fresh-frozen-weights",
    "error",
    action="load the pretrained weights, or train the frozen layers",
    scope="model",
    exact=True,
    of_degree=True,
    explains=ONE_ANSWER,
    persistent=True,
)
def fresh_frozen_weights(snapshot: Snapshot) -> Found | None:
    """The frozen layers were never trained: their weights are those of an initializer.

    ## What you see
    Transfer learning is no better than a small net, and the loss stops early. No error
    was shown when the weights were loaded.

    ## Why it happens
    The pretrained weights were not loaded: `weights=None`, `clone_model`, which draws
    new weights, `load_weights` with `skip_mismatch=True` or by names that differ, or a
    model that was built again after loading. A frozen layer stays random for ever.

    ## How to check
    Compare a kernel before and after loading, or look at the statistics of batch
    normalization: a mean of 0 and a variance of 1 are those of a new layer.

    ```python
    import keras, numpy as np

    x = np.random.default_rng(0).random((64, 16, 16, 3)).astype("float32")
    y = x.mean((1, 2))[:, :1]
    body = keras.Sequential([
        keras.Input((16, 16, 3)),
        keras.layers.Conv2D(16, 3, activation="relu"),
        keras.layers.Conv2D(16, 3, activation="relu"),
        keras.layers.GlobalAveragePooling2D(),
    ])
    body.trainable = False
    model = keras.Sequential([keras.Input((16, 16, 3)), body, keras.layers.Dense(1)])
    model.compile("adam", "mse")
    ```

    ## Fix
    Load the weights, and check that they changed; or train the layers.

    ```python
    body.trainable = True
    model.compile("adam", "mse")
    ```

    ## When this is not the cause
    It is a warning for one or two frozen layers of the model itself, which may be
    random on purpose, as in an extreme learning machine or an echo state network, and
    a note once the model has learned. One trained kernel in some looks like a fresh
    one; most of them do not.

    ## References
    [keras#9683](https://github.com/keras-team/keras/issues/9683)
    """
    fresh = fresh_weights(snapshot)
    if fresh is None or not fresh.fresh or fresh.share <= FRESH:
        return None
    if len(fresh.fresh) <= FRESH * fresh.layers:
        return None
    return found(
        _message(fresh),
        recompiled(
            snapshot.model,
            "for layer in model.layers:  # or load the pretrained weights\n"
            "    layer.trainable = True",
        ),
        severity=_severity(snapshot, fresh),
        fresh=len(fresh.fresh),
        frozen=fresh.layers,
        normalizations=fresh.normalizations,
        fresh_normalizations=fresh.fresh_normalizations,
        layers=[layer.name for layer in fresh.fresh],
    )


def _severity(snapshot, fresh):
    if has_learned(snapshot):
        return "note"
    own = {id(layer) for layer in snapshot.model.layers}
    is_nested = any(id(layer) not in own for layer in fresh.fresh)
    is_embedding = isinstance(fresh.fresh[0], keras.layers.Embedding)
    return None if is_nested or is_embedding or len(fresh.fresh) >= MANY else "warning"


def _message(fresh: FreshWeights) -> str:
    normal = (
        f", and {fresh.fresh_normalizations} of {fresh.normalizations} normalization "
        "layers have their initial values"
        if fresh.normalizations
        else ""
    )
    names = listed((layer.name for layer in fresh.fresh), most=3)
    return (
        f"The kernels of {len(fresh.fresh)} of {fresh.layers} frozen layers ({names}) "
        f"are still those of their initializers{normal}: no weights were loaded."
    )
