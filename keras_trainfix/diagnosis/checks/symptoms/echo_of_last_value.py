"""KTF506 echo-of-last-value: a forecast that repeats the last value of its window."""

from keras_trainfix.diagnosis.experiments.instruments.persistence import (
    Persistence,
    against_last_value,
)
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.thresholds import (
    LEAST_ECHO,
    LEAST_POSSIBLE,
    MOST_OF_CHANGE,
    MOST_OVER_LAST,
)

ERRORS = 4  # standard errors of what is possible beyond doubt
TRAINED = 200  # steps
HIGH = 0.9  # R2 of the last value that makes an R2 of a model look good


@check(
    "KTF506",
    "echo-of-last-value",
    "warning",
    action="predict the change, and not the value",
    scope="model",
)
def echo_of_last_value(snapshot: Snapshot) -> Found | None:
    """A forecast repeats the last value of its window, or is worse than it.

    ## What you see
    R2 is 0.99 and the plot of the forecasts looks perfect, but it is the plot of the
    series, one step late. Turning points are never foreseen.

    ## Why it happens
    In a slow series, the next value is close to the last one, so the last value is
    already a good answer and hides how little the model adds. The loss is made of the
    level of the series; the change, which is what matters, is a small part of it.

    ## How to check
    Compare with the last value of the window: a model must beat it. Then compare the
    changes: that of the forecast, and that which came.

    ```python
    import keras, numpy as np

    rng = np.random.default_rng(0)
    series = np.zeros(400, "float32")
    for i in range(2, 400):  # tomorrow's change is like today's
        series[i] = 1.7 * series[i - 1] - 0.72 * series[i - 2] + rng.normal()
    x = np.stack([series[i : i + 8] for i in range(392)])
    y = series[8:]
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)])
    model.layers[0].kernel.assign(np.eye(8)[:, 7:])
    model.compile("adam", "mse")
    change, forecast = y - x[:, -1], model.predict(x)[:, 0] - x[:, -1]
    print(np.mean(change**2), np.mean((change - forecast) ** 2))
    ```

    ## Fix
    Let the model predict the change, scaled to a spread of 1, and add the last value to
    its answers.

    ```python
    y = y - x[:, -1]
    ```

    ## When this is not the cause
    Nothing beats the last value of a random walk, such as most prices. It is a note
    where a linear model cannot predict the change either, and before training, to name
    the score that the model must beat.

    ## References
    [Hyndman and Koehler, 2006](https://doi.org/10.1016/j.ijforecast.2006.03.001).
    """
    for seen in against_last_value(snapshot) or ():
        is_level = -1 <= seen.skill <= MOST_OVER_LAST
        if is_level and seen.echo >= LEAST_ECHO and seen.change < MOST_OF_CHANGE:
            return _echo(seen)
        if snapshot.iterations >= TRAINED and seen.skill < -1:
            return _reported(
                seen,
                f"R2 of '{seen.output}' is {seen.model:.3g}, and the last value of "
                f"'{seen.input.name}' alone reaches {seen.last:.3g}.",
                "note",
            )
        if snapshot.iterations == 0 and seen.last >= HIGH:
            return _reported(
                seen,
                f"The last value of '{seen.input.name}' alone reaches R2 "
                f"{seen.last:.3g}: only a higher one shows that the model forecasts.",
                "note",
            )
    return None


def _echo(seen: Persistence) -> Found:
    message = (
        f"The answers of '{seen.output}' repeat the last value of '{seen.input.name}' "
        f"(correlation {seen.echo:.3g}) and are no better: R2 {seen.model:.3g}, and "
        f"{seen.last:.3g} of the last value. "
    )
    possible = seen.possible
    is_possible = possible is not None and possible.skill > max(
        LEAST_POSSIBLE, ERRORS * possible.error
    )
    if possible is not None and is_possible:
        more = f"A linear model foresees {possible.skill:.0%} of the variance of the "
        return _reported(seen, f"{message}{more}change.", None)
    return _reported(seen, f"{message}The series may be a random walk.", "note")


def _reported(seen: Persistence, message: str, severity: str | None) -> Found:
    code = seen.input.code
    last = f"{code}[:, -1, {seen.channel}]"
    if seen.input.values.ndim == 2:
        last = f"{code}[:, -1]"
    return found(
        message,
        "# predict the change, on the scale of the inputs; add the last value later\n"
        f"y = y - {last}.reshape(-1, *[1] * (y.ndim - 1))",
        severity,
        output=seen.output,
        input=seen.input.name,
        last_r2=seen.last,
        model_r2=seen.model,
        echo=seen.echo,
        change=seen.change,
        possible=None if seen.possible is None else seen.possible.skill,
    )
