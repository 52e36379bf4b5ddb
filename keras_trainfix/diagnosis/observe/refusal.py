"""What a loss or metric of keras_trainfix says about labels that it cannot read.

Eager code raises. Compiled code cannot: there the loss or the metric is NaN.
"""

from typing import Any

from keras import ops

from keras_trainfix import backend
from keras_trainfix.diagnosis.observe.loss import is_function_of_ours, is_own, reader_of
from keras_trainfix.diagnosis.observe.metrics import compiled_metrics
from keras_trainfix.labels import LabelError
from keras_trainfix.metrics.count_metric import CountMetric

NAN_LOSS = " The loss raises, or is NaN in compiled code."
WITHOUT_AXIS = (
    "Keras removes the last axis of `y_pred`, of size 1, before it calls a function: "
    "compile the class {name}(), which gets all axes. "
)


def refusal(view: Any) -> str | None:
    """The error of the compiled loss about the labels of an output.

    Args:
        view: `OutputView`.

    Returns:
        String; None if the loss reads the labels, or is not of keras_trainfix.
    """
    reader, targets, answers = reader_of(view.loss.loss), view.targets, view.predictions
    if reader is None or targets is None:
        return None
    hint = ""
    if is_function_of_ours(view.loss.loss) and drops_axis(targets.shape, answers.shape):
        answers = answers[..., 0]
        hint = WITHOUT_AXIS.format(name=type(reader).__name__)
    try:
        with backend.no_gradient():
            reader.read(targets, answers)
    except LabelError as error:
        return f"{hint}{error}"
    except ValueError:
        return None  # about predictions, which other checks name
    return None


def drops_axis(labels: tuple[int, ...], predictions: tuple[int, ...]) -> bool:
    """Whether Keras squeezes predictions of these shapes before it calls a function."""
    return (
        len(labels) > 1 and len(predictions) == len(labels) + 1 and predictions[-1] == 1
    )


def refused_by_own_loss(view: Any) -> str | None:
    """As `refusal`, of a loss of the user's that calls one of keras_trainfix.

    Args:
        view: `OutputView`.
    """
    loss = view.loss.loss
    if not callable(loss) or not is_own(loss) or view.targets is None:
        return None
    try:
        with backend.no_gradient():
            loss(*map(ops.convert_to_tensor, (view.targets, view.predictions)))
    except LabelError as error:
        return str(error)
    except Exception:  # KTF211 says what raises
        return None
    return None


def error_of_metric(metric: Any, view: Any) -> str | None:
    """The error of a compiled metric of keras_trainfix about an output.

    Args:
        metric: A metric as `compile` got it.
        view: `OutputView` with targets.

    Returns:
        String; None if the metric counts labels and answers, or is of another kind.
    """
    if not isinstance(metric, CountMetric):
        return None
    new = type(metric).from_config(metric.get_config())
    try:
        new.update_state(view.targets, view.predictions)
    except ValueError as error:
        return str(error)
    return None


def refused_by_metric(view: Any) -> tuple[Any, str] | None:
    """The first compiled metric that cannot read an output, and its error.

    Args:
        view: `OutputView`.
    """
    if view.targets is None:
        return None
    for metric in compiled_metrics(view):
        error = error_of_metric(metric, view)
        if error is not None:
            return metric, error
    return None
