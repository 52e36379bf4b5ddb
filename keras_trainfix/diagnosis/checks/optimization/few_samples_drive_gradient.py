"""KTF413: a loss of which a few samples have all of the gradient."""

import numpy as np

from keras_trainfix.diagnosis.experiments.instruments.gradients_by_answer import (
    AnswerGradients,
    answer_gradients,
)
from keras_trainfix.diagnosis.fix_code import compiled_with
from keras_trainfix.diagnosis.measure.learned import has_learned
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView
from keras_trainfix.diagnosis.thresholds import FEW_DRIVE

MOST_NAMED = 4  # rows


@check(
    "KTF413",
    "few-samples-drive-gradient",
    "warning",
    action="use a loss that weighs all samples alike",
    scope="output",
    exact=True,
    at_start=True,
    explains=ONE_ANSWER,
    persistent=True,
)
def few_samples_drive_gradient(view: OutputView) -> Found | None:
    """A tenth of the samples has nearly all of the gradient, whatever the answers.

    ## What you see
    The loss is huge, or falls to a plateau, and the predictions serve a few samples:
    with a percentage error they go to 0.

    ## Why it happens
    The loss divides by something that is nearly 0 for these samples, as a percentage
    error does for targets of 0, or a few targets are larger than all others by orders
    of magnitude. Their gradient is so large that the others do not count.

    ## How to check
    Compare the loss of single samples.

    ```python
    import keras
    import numpy as np

    model = keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(1),
    ])
    model.compile("adam", "mean_absolute_percentage_error")
    x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
    y = np.abs(x[:, :1]) + 1
    y[:5] = 0
    ```

    ## Fix
    Take a loss that weighs all samples alike.

    ```python
    model.compile("adam", "mean_absolute_error")
    ```

    ## When this is not the cause
    Samples without any gradient, such as unlabeled ones, are not counted. A model that
    has learned its task has errors in few samples by rights: then it is not reported.

    ## References
    [keras#2908](https://github.com/keras-team/keras/issues/2908)
    """
    seen = (answer_gradients(view.snapshot) or {}).get(view.name)
    if seen is None or has_learned(view.snapshot):
        return None
    if seen.rows:
        return _by_row(view, seen)
    if not seen.share > FEW_DRIVE:
        return None
    few = len(seen.largest)
    return found(
        f"{few} of {seen.samples} samples have {_percent(seen.share)} of the gradient "
        f"of the loss '{view.loss.name}'; the others hardly count. "
        f"{_targets(view, seen)}",
        _fix(view),
        share=seen.share,
        samples=seen.samples,
        largest=[int(number) for number in seen.largest[:10]],
    )


def _by_row(view: OutputView, seen: AnswerGradients) -> Found:
    rows = ", ".join(map(str, seen.rows[:MOST_NAMED]))
    several = "rows" if len(seen.rows) > 1 else "row"
    return found(
        f"Only {several} {rows} of a batch of {seen.samples} have a gradient of the "
        f"loss '{view.loss.name}', whichever samples are there: the loss indexes the "
        "batch, which is axis 0, where it means columns or steps.",
        "# in the loss: y_true[:, 0] is the first column, y_true[0] the first sample",
        severity="error",
        rows=list(seen.rows),
        samples=seen.samples,
    )


def _percent(share: float) -> str:
    return f"{share:.2%}" if share < 0.9999 else "more than 99.99%"


def _targets(view: OutputView, seen: AnswerGradients) -> str:
    """What the targets of these samples have in common."""
    sizes = np.abs(view.targets.reshape(len(view.targets), -1).astype("float64"))
    few, all_sizes = sizes[seen.largest].max(1), sizes.max(1)
    if np.median(few) == 0 and np.median(all_sizes):
        return "Most of their targets are 0."
    return (
        f"The median size of their targets is {np.median(few):.3g}, that of all "
        f"samples {np.median(all_sizes):.3g}."
    )


def _fix(view: OutputView) -> str:
    loss = '"mean_absolute_error"'
    if len(view.names) > 1:
        return f'# loss={loss} for the output "{view.name}"'
    return compiled_with(view.model, loss)
