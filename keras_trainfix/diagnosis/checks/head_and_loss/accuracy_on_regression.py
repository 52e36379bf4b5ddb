"""KTF207: an accuracy as a metric of a regression."""

import numpy as np

from keras_trainfix.diagnosis.fix_code import recompiled
from keras_trainfix.diagnosis.observe.metrics import compiled_metrics
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView

ACCURACIES = (
    "acc",
    "accuracy",
    "binary_accuracy",
    "categorical_accuracy",
    "sparse_categorical_accuracy",
    "top_k_categorical_accuracy",
    "sparse_top_k_categorical_accuracy",
)
ACCURACY_CLASSES = (
    "Accuracy",
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "SparseCategoricalAccuracy",
    "TopKCategoricalAccuracy",
    "SparseTopKCategoricalAccuracy",
)


@check(
    "KTF207",
    "accuracy-on-regression",
    "warning",
    action="replace accuracy with an error",
    scope="output",
    mild=True,
)
def accuracy_on_regression(view: OutputView) -> Found | None:
    """Accuracy is measured on a regression, where it has no meaning.

    ## What you see
    The accuracy stays at or near 0 for all epochs, although the loss falls.

    ## Why it happens
    Accuracy counts predictions that equal the target, after a threshold or an arg-max.
    A real number never equals a class.

    ## How to check
    The targets are real numbers, and `compile` got `metrics=["accuracy"]`.

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    y = x.sum(axis=1, keepdims=True)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("adam", "mse", metrics=["accuracy"])
    ```

    ## Fix
    Measure an error, or R2.

    ```python
    model.compile("adam", "mse", metrics=["mae", keras.metrics.R2Score()])
    ```

    ## When this is not the cause
    The metric does not affect training. If the loss does not fall either, there is
    another fault.

    ## References
    - [Accuracy metrics of Keras](https://keras.io/api/metrics/accuracy_metrics/)
    """
    if view.labels is None or view.task != "regression":
        return None
    many = view.labels.form == "ids" and max(view.labels.classes, default=0) > 1
    if view.labels.form != "real" and not (many and view.head.units == 1):
        return None
    names = [name for name in map(_accuracy, compiled_metrics(view)) if name]
    if not names:
        return None
    targets = np.asarray(view.targets)
    metrics = '["mae", keras.metrics.R2Score()]' if targets.ndim == 2 else '["mae"]'
    if len(view.names) > 1:
        metrics = f'{{"{view.name}": {metrics}}}'
    return found(
        f"The metric {names[0]!r} counts exact hits, and the targets are "
        f"{len(np.unique(targets))} distinct numbers from {targets.min():.4g} to "
        f"{targets.max():.4g}.",
        f"{recompiled(view.model, '')[:-1]}, metrics={metrics})",
        metrics=names,
        distinct_targets=len(np.unique(targets)),
    )


def _accuracy(metric):
    """The name of a metric if it is an accuracy of Keras, or None."""
    if isinstance(metric, str):
        return metric if metric.lower() in ACCURACIES else None
    kind = metric if isinstance(metric, type) else type(metric)
    if kind.__module__.startswith("keras."):
        if kind.__name__ in ACCURACY_CLASSES:
            return getattr(metric, "name", kind.__name__)
        return None
    name = getattr(metric, "__name__", "")
    is_keras = str(getattr(metric, "__module__", "")).startswith("keras.")
    return name if is_keras and name in ACCURACIES else None
