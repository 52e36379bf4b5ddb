"""KTF103 inputs-constant: inputs or features that are the same for all samples."""

import numpy as np

from keras_trainfix.diagnosis.measure.learned import has_learned
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot

FEW = 4  # samples: fewer may be equal by chance


@check(
    "KTF103",
    "inputs-constant",
    "error",
    action="find out why the inputs are the same",
    scope="model",
    explains=ONE_ANSWER,
    inputs_only=True,
)
def inputs_constant(snapshot: Snapshot) -> Found | None:
    """The inputs are the same for all samples, or most features are.

    ## What you see
    The model gives one answer for all samples, and no choice of layers, loss or
    learning rate changes it.

    ## Why it happens
    Equal inputs give equal outputs, so the best the model can learn is a constant.
    Images divided by 255 as integers are all 0; a generator may return its first sample
    again and again; a table may have lost its columns in a merge.

    ## How to check
    `(x == x[:1]).all()` is True for inputs that do not vary. Constant pixels, such as a
    black border, and rare words or categories are normal and do not count.

    ```python
    import keras, numpy as np

    pixels = np.random.default_rng(0).integers(0, 255, (64, 8, 8, 1)).astype("uint8")
    y = (pixels.mean((1, 2, 3)) > 127).astype("float32")
    x = (pixels // 255).astype("float32")  # all 0
    model = keras.Sequential([
        keras.Input((8, 8, 1)),
        keras.layers.Flatten(),
        keras.layers.Dense(8, activation="relu"),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    model.compile("adam", "binary_crossentropy")
    print((x == x[:1]).all())
    ```

    ## Fix
    Repair the code that makes the inputs. Here, convert to floats before dividing.

    ```python
    x = pixels.astype("float32") / 255
    ```

    ## When this is not the cause
    One constant input beside others that vary (positions, a mask of ones) is harmless,
    and so are a few constant columns. If inputs vary and predictions do not, the fault
    is between them.

    ## References
    [sklearn.feature_selection.VarianceThreshold](https://scikit-learn.org/stable/modules/generated/sklearn.feature_selection.VarianceThreshold.html).
    """
    arrays = {name: a for name, a in snapshot.inputs.items() if np.ndim(a)}
    same = {name: _same(a) for name, a in arrays.items()}
    if not arrays or any(len(a) < FEW for a in arrays.values()):
        return None
    if all(whole.all() for whole in same.values()):
        samples = len(next(iter(arrays.values())))
        return found(
            f"All {samples} samples have the same inputs, so the best the model can "
            "learn is a constant.",
            "print((x == x[:1]).all(), x.min(), x.max())  # look where x is made",
            samples=samples,
            constant_share=1.0,
        )
    for name, array in arrays.items():
        finding = array.ndim == 2 and _constant_features(
            snapshot, name, array, same[name]
        )
        if finding:
            return finding
    return None


def _same(array):
    """Which features are the same for all samples; infinite ones do not count."""
    same = np.asarray(array == array[:1]).all(0)
    return same & np.isfinite(array[0]) if array.dtype.kind == "f" else same


def _constant_features(snapshot, name, array, same):
    columns = array.shape[1]
    counted = same
    if array.dtype.kind in "biuf" and not same.all():
        varying = array[:, ~same]
        if (varying == 0).mean() > 0.2:  # sparse: rare features may be missing here
            counted = same & (array[0] != 0)
    share = float(counted.mean())
    if columns < 2 or share < 0.1 or same.all():
        return None
    constant = np.flatnonzero(counted)
    return found(
        f"{len(constant)} of {columns} features of '{name}' are the same for all "
        f"{len(array)} samples: the model learns nothing from them.",
        "print(np.flatnonzero(x.std(0) == 0))  # were these columns lost on the way?",
        "warning" if share > 0.5 and not has_learned(snapshot) else "note",
        samples=len(array),
        constant_share=share,
        features=constant[:8].tolist(),
    )
