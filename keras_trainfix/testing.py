"""A gate for tests: a model that cannot learn fails them."""

from collections.abc import Collection
from typing import Any

import keras

from keras_trainfix.diagnosis.diagnose import diagnose
from keras_trainfix.diagnosis.findings import Diagnosis
from keras_trainfix.diagnosis.registry import find_check

NEEDED = ("targets", "trial")  # what must have been judged


def assert_learns(
    model: keras.Model,
    x: Any,
    y: Any = None,
    *,
    ignore: Collection[str] = (),
    **fit: Any,
) -> Diagnosis:
    """Fails if something keeps a model from learning, and says what.

    It calls `diagnose`, which leaves the model as it is. What could not be judged, such
    as a model that is not compiled, fails as well.

    Args:
        model: A built and compiled `keras.Model`.
        x: As for `diagnose`.
        y: As for `diagnose`.
        ignore: Codes or names of findings that are accepted.
        **fit: The other arguments of `diagnose`.

    Returns:
        `Diagnosis`.

    Raises:
        AssertionError: If a finding is worse than a note, with the diagnosis as text.
        ValueError: If a code in `ignore` is unknown.

    Examples:
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        >>> model.compile(keras.optimizers.Adam(0.01), "mse")
        >>> x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
        >>> assert_learns(model, x, x[:, :1] + x[:, 1:2] ** 2, verbose=0).ok
        True
    """
    accepted = {_code(word) for word in ignore}
    diagnosis = diagnose(model, x, y, **fit)
    bad = [f for f in diagnosis.findings if f.severity != "note"]
    needed = [p for p in NEEDED if p != "trial" or fit.get("fit", True)]
    if any(part in diagnosis.skipped for part in needed) or any(
        finding.code not in accepted for finding in bad
    ):
        raise AssertionError(str(diagnosis))
    return diagnosis


def _code(word: str) -> str:
    check = find_check(word)
    if check is None:
        raise ValueError(
            "`ignore` must hold codes or names of findings, such as 'KTF501'. "
            f"Received: {word!r}. `python -m keras_trainfix codes` lists them."
        )
    return check.code
