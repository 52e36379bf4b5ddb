"""KTF501: a trained model that predicts one number."""

from typing import Any

import numpy as np

from keras_trainfix.diagnosis.checks.symptoms.collapse import (
    CONSTANT,
    TRAINED,
    from_the_start,
    is_blank,
    is_improving,
    steps_and_skill,
)
from keras_trainfix.diagnosis.fix_code import STANDARDIZED
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView
from keras_trainfix.messages import as_much, skill_in_words

VERY_LONG = 500  # steps
NO_FIT = 0.05  # coefficient of determination


@check(
    "KTF501",
    "constant-prediction",
    "error",
    action="start from new weights with smaller steps",
    scope="output",
    collapse=True,
    before_training=False,
)
def constant_prediction(view: OutputView) -> Found | None:
    """The trained model predicts the same number for every sample.

    ## What you see
    `model.predict` returns one value again and again, often near the mean or median of
    the targets, while the loss may have fallen to that of this constant.

    ## Why it happens
    No information from the input reaches the output: the head can only give one number,
    the ReLU units are dead, inputs or targets are on an extreme scale, or there is too
    much regularization. Or the inputs carry no information about the targets: then the
    constant is the right answer.

    ## How to check
    ```python
    import keras
    import numpy as np

    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(16), keras.layers.Dense(1, "relu")]
    )
    model.compile(keras.optimizers.Adam(0.1), "mse")
    x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
    y = x[:, :1] - 10  # a ReLU cannot answer these
    model.fit(x, y, batch_size=32, epochs=10, verbose=0)
    print(model.predict(x, verbose=0).std() / y.std())
    ```

    ## Fix
    Repair the first cause in the diagnosis: here the head.

    ```python
    keras.utils.set_random_seed(1)
    model = keras.models.clone_model(model)
    model.layers[-1].activation = keras.activations.linear
    model.compile(keras.optimizers.Adam(0.1), "mse")
    model.fit(x, y, batch_size=32, epochs=10, verbose=0)
    ```

    ## When this is not the cause
    Predictions that vary little, but in the order of the targets, are early ones:
    continue training. Only after 500 steps is this a warning, of too much
    regularization.

    ## References
    [Lu et al., 2019](https://arxiv.org/abs/1903.06733)
    """
    steps, seen = steps_and_skill(view, TRAINED)
    if seen is None or seen.kind == "classes":
        return None
    fits = seen.kind == "regression" and seen.r2 >= NO_FIT
    if not seen.std_ratio < CONSTANT or fits:
        return None
    if steps < VERY_LONG and is_improving(view):
        return None  # it still approaches the mean
    if seen.is_informative and steps < VERY_LONG and not is_blank(seen, steps):
        return None
    evidence: dict[str, Any] = {
        "std_ratio": seen.std_ratio,
        "r2": seen.r2,
        "iterations": steps,
    }
    evidence |= {"prediction_mean": float(np.mean(view.predictions, dtype="float64"))}
    if seen.correlation is not None:
        evidence["correlation"] = seen.correlation
    vary = f"predictions vary {as_much(seen.std_ratio)} as targets"
    vary = vary if seen.std_ratio >= 1e-4 else "predictions do not vary"
    what = (
        f"After {steps} steps {vary} (R2 {skill_in_words(seen.r2)}, mean prediction "
        f"{evidence['prediction_mean']:.4g})"
    )
    if seen.is_informative:
        return found(
            f"{what}. They are in the order of the targets, but shrunk to a constant.",
            f"# less regularization, a higher rate, or scaled targets:\n{STANDARDIZED}"
            if len(view.names) == 1
            else "# less regularization, a higher rate, or scaled targets",
            severity="warning",
            **evidence,
        )
    return found(
        f"{what}: one answer for every sample.",
        from_the_start(view),
        **evidence,
    )
