"""The metrics of a model as they were passed to `compile`."""

from typing import Any

import keras

from keras_trainfix.keras_internals import compile_arguments

# Parts of the names of scores that end at 1.
UP_TO_ONE = ("acc", "auc", "precision", "recall", "iou", "dice", "f1")


def compiled_metrics(view: Any) -> list[Any]:
    """The metrics of an output: strings, functions, classes and `keras.Metric`s.

    Args:
        view: `OutputView`.
    """
    arguments = compile_arguments(view.model)
    return [
        metric
        for key in ("metrics", "weighted_metrics")
        for metric in _of_output(arguments.get(key), view)
    ]


def _of_output(metrics: Any, view: Any) -> list[Any]:
    is_single = len(view.names) == 1
    if isinstance(metrics, dict) and not is_single:
        metrics = metrics.get(view.name)
    elif isinstance(metrics, (list, tuple)) and not is_single:
        metrics = metrics[view.index] if len(metrics) == len(view.names) else None
    return [] if metrics is None else keras.tree.flatten(metrics)
