"""KTF215: a metric that does not see that answers are right."""

import warnings
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_trainfix.backend import to_numpy
from keras_trainfix.diagnosis.fix_code import recompiled
from keras_trainfix.diagnosis.observe.metrics import compiled_metrics
from keras_trainfix.diagnosis.observe.refusal import refused_by_metric
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView

CONFIDENCE = 0.9  # of the answers that a metric is tried on
NEARLY = 0.02  # from 1 for right answers, and from 0 for wrong ones
ACCURACIES = (
    "Accuracy",
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "SparseCategoricalAccuracy",
)
OVERLAPS = ("MeanIoU", "OneHotMeanIoU")
NAMES = ("accuracy", "acc")  # Keras takes the kind that fits


@check(
    "KTF215",
    "metric-does-not-fit-labels",
    "warning",
    action="choose a metric that fits the labels",
    scope="output",
    mild=True,
)
def metric_does_not_fit_labels(view: OutputView) -> Found | None:
    """A metric is low for answers that are right, or high for wrong ones.

    ## What you see
    The accuracy is 0, or stays at one value, while the loss falls. Or it is 0.9 from
    the first epoch on, although the model has learned nothing.

    ## Why it happens
    Each metric reads labels and answers in its own form. `Accuracy()` counts equal
    numbers, and a probability never equals a class. `CategoricalAccuracy` takes one-hot
    rows, the sparse one class ids. `BinaryAccuracy` counts each column of one-hot rows,
    most of which are 0. `MeanIoU` takes class ids for predictions.

    ## How to check
    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    y = np.eye(4)[x.argmax(1)]
    model = keras.Sequential([
        keras.Input((4,)), keras.layers.Dense(4, activation="softmax")
    ])
    model.compile(
        "adam", "categorical_crossentropy", metrics=[keras.metrics.Accuracy()]
    )
    ```

    ## Fix
    Let Keras choose the accuracy that fits, or take `keras_trainfix.MeanIoU`, which
    reads every form.

    ```python
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    ```

    ## When this is not the cause
    A metric does not affect training. If the loss does not fall either, there is
    another fault.

    ## References
    - [Accuracy metrics of Keras](https://keras.io/api/metrics/accuracy_metrics/)
    """
    refused = None if view.label_faults else refused_by_metric(view)
    if refused is not None:
        metric, error = refused
        return found(
            f"The metric `{metric.name}` cannot read labels and answers: it raises, or "
            f"is NaN in compiled code. {error}",
            "print(y.shape, np.unique(y), model.predict(x, verbose=0).shape)",
            severity="warning" if view.snapshot.step_failure is None else "error",
            metric=type(metric).__name__,
            error=error,
        )
    answers = _answers(view)
    if answers is None:
        return None
    for metric in compiled_metrics(view):
        kind = _kind(metric)
        if kind is None:
            continue
        try:
            right, wrong = (_value(metric, view.targets, one) for one in answers)
        except Exception:  # KTF211 says what raises
            continue
        is_low = right < 1 - NEARLY
        if not is_low and not (kind in ACCURACIES and wrong > NEARLY):
            continue
        better = "keras_trainfix.MeanIoU(...)" if kind in OVERLAPS else '"accuracy"'
        return found(
            f"The metric `{kind}` is {right:.2f} if all answers are right with a "
            f"probability of {CONFIDENCE:.0%}, and {wrong:.2f} if all are wrong: it "
            "takes labels and answers in another form.",
            f"{recompiled(view.model, '')[:-1]}, metrics=[{better}])",
            metric=kind,
            of_right=right,
            of_wrong=wrong,
        )
    return None


class _Answers(NamedTuple):
    """Answers of the shape of the predictions, to the targets of a view."""

    right: np.ndarray
    wrong: np.ndarray


def _answers(view: OutputView) -> _Answers | None:
    """Sure answers, all right and all wrong; None where there are no classes."""
    labels, shape = view.labels, view.predictions.shape
    if labels is None or labels.numbers is None or not labels.valid.all():
        return None
    if view.task in ("regression", "unknown") or view.class_axis != len(shape) - 1:
        return None
    if labels.is_rows and labels.numbers.shape[1] != labels.units:
        return None
    if labels.form not in ("binary", "ids", "one-hot") or labels.units != shape[-1]:
        return None
    ids = labels.ids
    if labels.units == 1:
        if labels.is_rows or not set(labels.classes) <= {0, 1}:
            return None
        right = np.where(ids == 1, CONFIDENCE, 1 - CONFIDENCE)
        parts = [right, 1 - right]
    else:
        rest = (1 - CONFIDENCE) / (labels.units - 1)
        parts = [
            np.where(
                np.eye(labels.units, dtype=bool)[(ids + shift) % labels.units],
                CONFIDENCE,
                rest,
            )
            for shift in (0, 1)
        ]
    if not view.head.is_probability:
        parts = [np.log(p) - np.log1p(-p) for p in parts]
    return _Answers(*(part.reshape(shape).astype("float32") for part in parts))


def _kind(metric: Any) -> str | None:
    """The class of a metric whose best value is 1, or None."""
    if isinstance(metric, str):
        if metric.lower() in NAMES:
            return None
        metric = keras.metrics.get(metric)
    name = metric.__name__ if hasattr(metric, "__name__") else type(metric).__name__
    if not _module(metric).startswith("keras."):
        return None
    name = name if name[0].isupper() else name.title().replace("_", "")
    return name if name in (*ACCURACIES, *OVERLAPS) else None


def _module(metric: Any) -> str:
    owner = metric if hasattr(metric, "__name__") else type(metric)
    return str(owner.__module__)


def _value(metric: Any, targets: Any, answers: np.ndarray) -> float:
    """What a new metric of the same settings says."""
    if isinstance(metric, keras.Metric):
        new = type(metric).from_config(metric.get_config())
    elif isinstance(metric, type):
        new = metric()
    else:
        new = keras.metrics.get(metric)
        if not isinstance(new, keras.Metric):
            new = keras.metrics.MeanMetricWrapper(new)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the metric has to say, `fit` shows
        new.update_state(np.asarray(targets), answers)
        return float(to_numpy(new.result()))
