"""Does a forecast do better than the last value of its window?"""

from typing import NamedTuple

import numpy as np

from keras_trainfix.diagnosis.experiments.answers import Input, inputs_of
from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.measure.linear_and_knn import (
    Learner,
    Scores,
    mean_of_others,
    ridge,
)
from keras_trainfix.diagnosis.snapshot import OutputView, Snapshot

FEWEST = 60
FEWEST_STEPS = 4
MOST_FEATURES = 512  # of a window
LEAST_PERSISTENT = 0.5  # R2 of the last value
PENALTIES = (0.01, 0.1, 1.0)


class Persistence(NamedTuple):
    """A forecast against the last value of its window.

    Attributes:
        output: Name of the output.
        input: `Input`.
        channel: Integer, the feature of a step that is forecast.
        last: Float, R2 of the last value, scaled and shifted.
        model: Float, R2 of the answers of the model.
        echo: Float, the correlation of the answers with the last value.
        change: Float, the correlation of the change from the last value that the model
            predicts with the change that follows.
        possible: `Learner`: what of the change a linear model predicts on held-out
            windows; None where a window is too long for one.
    """

    output: str
    input: Input
    channel: int
    last: float
    model: float
    echo: float
    change: float
    possible: Learner | None

    @property
    def skill(self) -> float:
        """1 minus the squared error over that of the last value."""
        return 1 - (1 - self.model) / max(1 - self.last, 1e-12)


@instrument("last value of the window")
def against_last_value(snapshot: Snapshot) -> list[Persistence] | None:
    """Each output that forecasts a series whose last value says much; else None.

    Args:
        snapshot: `Snapshot`.
    """
    found = [
        seen
        for view in snapshot.views()
        for one in inputs_of(snapshot)
        if (seen := _compared(view, one)) is not None
    ]
    return found or None


def _compared(view: OutputView, one: Input) -> Persistence | None:
    y, p, values = view.targets, view.predictions, one.values
    if y is None or view.task != "regression" or y.dtype.kind not in "biuf":
        return None
    y, p = np.asarray(y, "float64"), p.astype("float64")
    if y.size != p.size or len(y) < FEWEST or values.ndim not in (2, 3):
        return None
    if values.dtype.kind != "f" or values.shape[1] < FEWEST_STEPS:
        return None
    if values.ndim == 3 and y.ndim > 1 and y.shape[1] == values.shape[1]:
        return None  # a target for each step
    windows = values.astype("float64").reshape(*values.shape[:2], -1)
    y, p = y.reshape(len(y), -1)[:, 0], p.reshape(len(p), -1)[:, 0]  # the next value
    if not all(np.isfinite(part).all() for part in (windows, y, p)) or y.std() == 0:
        return None
    channel = _persistent(windows, y)
    if channel is None:
        return None
    last = fitted(windows[:, -1, channel], y)
    return Persistence(
        view.name,
        one,
        channel,
        _r2(last, y),
        _r2(p, y),
        correlation(p, last),
        correlation(p - last, y - last),
        _possible(windows, y - last),
    )


def _persistent(windows: np.ndarray, y: np.ndarray) -> int | None:
    """The channel whose last value is nearest to the target; None if none is near.

    In a series, a step says the more about the next value the later it is.
    """
    by_step = np.array(
        [
            [correlation(column, y) for column in steps.T]
            for steps in windows.transpose(1, 0, 2)
        ]
    )
    shares = np.where(by_step > 0, by_step, 0) ** 2
    channel = int(shares[-1].argmax())
    of_channel = shares[:, channel]
    is_series = of_channel[-1] >= of_channel.max() > of_channel[0]
    own = _lag_one(windows[..., channel])
    if of_channel[-1] < LEAST_PERSISTENT or not is_series or own < LEAST_PERSISTENT:
        return None
    return channel


def _lag_one(series: np.ndarray) -> float:
    """The share of a step that the step before it explains."""
    return max(0.0, correlation(series[:, 1:].ravel(), series[:, :-1].ravel())) ** 2


def fitted(values: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The line through `values` that is nearest to `y`; targets may be scaled."""
    centered = values - values.mean()
    power = centered @ centered
    slope = (centered @ y) / power if power else 0.0
    return y.mean() + slope * centered


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """The correlation of two arrays; 0 if one of them is constant.

    Examples:
        >>> rise = np.arange(5.0)
        >>> correlation(rise, 3 - rise), correlation(rise, np.ones(5))
        (-1.0, 0.0)
    """
    a, b = one - one.mean(), other - other.mean()
    size = np.sqrt((a @ a) * (b @ b))
    return float(round((a @ b) / size, 9)) if size > 0 else 0.0


def _r2(p, y):
    return float(1 - ((p - y) ** 2).mean() / y.var())


def _possible(windows, change) -> Learner | None:
    """How well a linear model predicts the change, on held-out windows."""
    features = np.diff(windows, axis=1).reshape(len(windows), -1)
    features = np.concatenate([features, windows[:, -1]], 1)
    if features.shape[1] > MOST_FEATURES or change.std() == 0:
        return None
    spread = features.std(0)
    features = (features - features.mean(0)) / np.where(spread > 0, spread, 1)
    products = features @ features.T
    products /= max(np.trace(products) / len(products), 1e-30)
    counted, constant = np.ones(len(change), bool), mean_of_others(len(change), 1)
    mean = change.mean(keepdims=True)
    scores = Scores("regression", (change - mean)[:, None], mean, counted, constant, 1)
    return scores.best(ridge(products, penalty, 1) for penalty in PENALTIES)
