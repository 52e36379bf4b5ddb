"""KTF128 ids-layer-on-real-values: an `Embedding` on values that are not ids."""

from typing import Any

import keras
import numpy as np

from keras_trainfix import backend
from keras_trainfix.diagnosis.observe.inputs import numeric_inputs
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.models.batch_norm_layers import all_layers


@check(
    "KTF128",
    "ids-layer-on-real-values",
    "error",
    action="pass integer ids to the `Embedding`",
    scope="model",
    explains=ONE_ANSWER,
    inputs_only=True,
)
def ids_layer_on_real_values(snapshot: Snapshot) -> Found | None:
    """An `Embedding` receives values that are not ids from 0 to `input_dim - 1`.

    ## What you see
    Predictions hardly differ between samples, or are NaN (JAX), or the first step
    raises an error about an index out of range. Nothing warns that fractions were cut
    off.

    ## Why it happens
    An `Embedding` looks up one row for each integer. It truncates real values, so 0.2,
    0.7 and 0.99 all select row 0; it counts -1 from the end; and an id of `input_dim`
    or more has no row. Scaled features and TF-IDF vectors are not ids.

    ## How to check
    Ids are whole numbers, not negative, and below `input_dim`, which is the largest id
    plus 1.

    ```python
    import keras, numpy as np

    x = np.random.default_rng(0).random((64, 6)).astype("float32")
    y = (x[:, 0] > 0.5).astype("float32")
    model = keras.Sequential([
        keras.Input((6,)),
        keras.layers.Embedding(100, 8),
        keras.layers.GlobalAveragePooling1D(),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    model.compile("adam", "binary_crossentropy")
    print((x % 1 != 0).mean(), x.min(), x.max())
    ```

    ## Fix
    Real features need no `Embedding`. Turn words or categories into ids with
    `keras.layers.TextVectorization`, `StringLookup` or `IntegerLookup`.

    ```python
    model = keras.Sequential([
        keras.Input((6,)),
        keras.layers.Dense(8, activation="relu"),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    model.compile("adam", "binary_crossentropy")
    ```

    ## When this is not the cause
    Whole numbers in a float array are fine. Values that other layers turn into ids
    before the `Embedding` are not examined.

    ## References
    [keras.layers.Embedding](https://keras.io/api/layers/core_layers/embedding/).
    """
    for name, array in numeric_inputs(snapshot).items():
        for layer in _embeddings_of(snapshot, array):
            finding = _no_ids(name, array, layer)
            if finding:
                return finding
    return None


def _embeddings_of(snapshot, array):
    """The embeddings that an input goes to; all of them if the call failed."""
    kind = keras.layers.Embedding
    if not snapshot.layers:
        return [
            layer for layer in all_layers(snapshot.model) if isinstance(layer, kind)
        ]
    return [
        output.layer
        for output in snapshot.layers
        if isinstance(output.layer, kind) and _looked_up(output, array)
    ]


def _looked_up(output, array):
    """Whether an `Embedding` received `array`: it returned the rows of its ids."""
    values = output.values
    if values.ndim != array.ndim + 1 or values.shape[1:-1] != array.shape[1:]:
        return False
    table = _table(output.layer)
    numbers = np.nan_to_num(array[: len(values)].astype("float64"))
    ids = np.trunc(np.clip(numbers, -(2**31), 2**31 - 1)).astype("int64")
    inside = (ids >= -len(table)) & (ids < len(table))
    if not inside.any():  # JAX returns NaN for these
        return bool(np.isnan(values).all())
    return np.allclose(table[ids[inside]], values[inside], rtol=1e-2, atol=1e-4)


def _table(layer):
    return backend.to_numpy(layer.embeddings).astype("float32")


def _no_ids(name, array, layer):
    numbers = array.astype("float64")
    finite = numbers[np.isfinite(numbers)]
    rows = int(layer.input_dim)
    real = float((finite != np.floor(finite)).mean()) if finite.size else 0.0
    negative = int((finite < 0).sum())
    beyond = int((finite >= rows).sum())
    if not (real or negative or beyond):
        return None
    lowest, highest = float(finite.min()), float(finite.max())
    ids = int(np.unique(np.trunc(finite)).size)
    evidence: dict[str, Any] = {
        "min": lowest,
        "max": highest,
        "input_dim": rows,
        "real_share": real,
        "negative": negative,
        "beyond": beyond,
        "distinct_ids": ids,
    }
    where = f"'{layer.name}' receives '{name}', from {lowest:.4g} to {highest:.4g}"
    if real:
        return found(
            f"{where}: {real:.0%} are not whole numbers. They are truncated, "
            f"which leaves {ids} different ids.",
            f"# real features need a keras.layers.Dense(16) instead of '{layer.name}'",
            **evidence,
        )
    needed = max(rows, int(highest) + 1)
    return found(
        f"{where}: {negative} ids are negative and {beyond} are {rows} "
        "(its input_dim) or more.",
        f"# instead of '{layer.name}', for ids from 0 to {needed - 1}:\n"
        f"# keras.layers.Embedding({needed}, {int(layer.output_dim)})",
        **evidence,
    )
