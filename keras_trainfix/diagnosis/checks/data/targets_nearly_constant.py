"""KTF112 targets-nearly-constant: targets that hardly vary."""

import numpy as np

from keras_trainfix.diagnosis.fix_code import STANDARDIZED
from keras_trainfix.diagnosis.measure.learned import has_learned
from keras_trainfix.diagnosis.observe.targets import FEWEST, real_targets
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView

NEAR = 3  # standard deviations of the targets, from their mean to the predictions


@check(
    "KTF112",
    "targets-nearly-constant",
    "warning",
    action="standardize the targets",
    scope="output",
    explains=("KTF501",),
)
def targets_nearly_constant(view: OutputView) -> Found | None:
    """The targets hardly vary, so a constant answer is almost perfect.

    ## What you see
    The loss becomes tiny within an epoch, and all predictions are the same.

    ## Why it happens
    The loss measures absolute errors. If targets spread over a thousandth of their
    mean, or nearly always have one value, a constant has hardly any error left, and the
    gradient of the remaining error is lost in noise.

    ## How to check
    Compare `y.std()` with `abs(y.mean())`, and count the most frequent value.

    ```python
    import keras, numpy as np

    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = (5 + 0.01 * x[:, :1]).astype("float32")
    model = keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(1),
    ])
    model.compile("adam", "mse")
    print(y.std() / abs(y.mean()))
    ```

    ## Fix
    Subtract the mean and divide by the standard deviation. If one value dominates, give
    the other samples more weight, or first predict whether a target has that value.

    ```python
    y = (y - y.mean(0)) / y.std(0)
    ```

    ## When this is not the cause
    If the small differences are measurement noise, there is nothing to learn, and the
    constant is the right answer. Once the model has learned them, it is a note.

    ## References
    [sklearn.dummy.DummyRegressor](https://scikit-learn.org/stable/modules/generated/sklearn.dummy.DummyRegressor.html),
    the constant to compare with.
    """
    y = real_targets(view)
    if y is None or len(y) < FEWEST or not np.isfinite(y).all():
        return None
    mean, spread = y.mean(0), y.std(0)
    if view.loss.kind in ("custom", "none") and not spread.any():
        return None  # a placeholder, for a loss of the predictions alone
    shares = np.array([_most_frequent(column)[1] for column in y.T])
    tight = (spread < 0.01 * np.abs(mean)) & ~_is_met(view, mean, spread)
    flat = tight | (shares > 0.98)
    if flat.mean() < 0.5:
        return None
    column = int(np.flatnonzero(flat)[0])
    value, share = _most_frequent(y[:, column])
    if share > 0.98:
        message = f"{share:.1%} of the targets are {value:.4g}"
        fix = "# give rare targets more weight\nsample_weight = np.where(y == "
        fix += (
            f"{value:.6g}, 1.0, {min(1000, max(2, share / max(1 - share, 1e-3))):.0f}"
        )
        fix += ".0).ravel()"
    else:
        message = (
            f"The targets have standard deviation {spread[column]:.3g} around a mean "
            f"of {mean[column]:.4g}"
        )
        fix = STANDARDIZED
    return found(
        message + ": a constant answer is almost perfect.",
        fix,
        severity="note" if has_learned(view.snapshot) else None,
        mean=float(mean[column]),
        std=float(spread[column]),
        most_frequent=float(value),
        most_frequent_share=float(share),
        column=column,
    )


def _is_met(view, mean, spread):
    """The columns whose predictions are among the targets, as with a suitable bias."""
    answers = view.predictions.reshape(-1, len(mean)).astype("float64").mean(0)
    return np.abs(answers - mean) < NEAR * spread


def _most_frequent(column):
    values, counts = np.unique(column, return_counts=True)
    return values[counts.argmax()], counts.max() / len(column)
