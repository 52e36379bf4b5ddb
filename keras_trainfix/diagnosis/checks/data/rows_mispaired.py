"""KTF139 rows-mispaired: inputs belong to the targets of other rows."""

from keras_trainfix.diagnosis.experiments.instruments.other_pairings import (
    other_pairings,
)
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView
from keras_trainfix.diagnosis.thresholds import PAIRING_GAIN


@check(
    "KTF139",
    "rows-mispaired",
    "error",
    action="match the rows of inputs and targets",
    scope="output",
    explains=("KTF131", "KTF501", "KTF502", "KTF504", "KTF505"),
    exact=True,
)
def rows_mispaired(view: OutputView) -> Found | None:
    """Inputs do not belong to the targets of their row, but to those of another.

    ## What you see
    The model predicts the mean or the largest class, or memorizes the training data,
    and is at chance on all others.

    ## Why it happens
    One of two arrays lost its first row (a header, a file that could not be read), was
    reversed, or has several rows for each row of the other.

    ## How to check
    Fit a linear model to the targets as they are, and moved by one row.

    ```python
    import keras, numpy as np

    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 4)).astype("float32")
    y = np.roll(x[:, :1] + 0.1 * rng.normal(size=(200, 1)), 1, axis=0)
    model = keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(1),
    ])
    model.compile("adam", "mse")
    print(np.corrcoef(x[:-1, 0], y[1:, 0])[0, 1])
    ```

    ## Fix
    Build inputs and targets in one loop, or join them by a key.

    ```python
    x, y = x[:-1], y[1:]
    ```

    ## When this is not the cause
    A series whose rows are steps of time: then the inputs of a row often contain the
    target of another. Rows that resemble their neighbors are not examined.

    ## References
    [pandas: merging by key](https://pandas.pydata.org/docs/user_guide/merging.html).
    """
    answers = other_pairings(view.snapshot)
    seen = None if answers is None else answers[view.index]
    if seen is None or seen.gain < PAIRING_GAIN:
        return None
    return found(
        f"The inputs of row i predict the target of {seen.which}: held-out R2 "
        f"{seen.best:.2f} in {seen.samples} rows, {seen.as_given:.2f} for that of "
        "their own row.",
        seen.code,
        as_given=seen.as_given,
        best=seen.best,
        rows=seen.rows,
        samples=seen.samples,
    )
