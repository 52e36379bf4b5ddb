"""What a repair of one finding gets, and what it changes in a copy of the model."""

from typing import Any, NamedTuple

import keras

BINARY, SPARSE = "binary_crossentropy", "sparse_categorical_crossentropy"
CATEGORICAL = "categorical_crossentropy"


class RepairCase(NamedTuple):
    """What a repair gets; the first four fields only for a check of an output.

    Attributes:
        loss: `LossFacts` of the loss.
        activation: String, the name of the present activation.
        units: Integer.
        task: String, as `infer_task` has it.
        evidence: Dict of the `Finding`.
    """

    loss: Any
    activation: str
    units: int
    task: str
    evidence: dict


class Change(NamedTuple):
    """What to change; None and False leave things as they are.

    Attributes:
        activation: String, of the head of an output.
        loss: A loss as `compile` takes it, of an output.
        trainable: Whether all layers become trainable.
        frozen_statistics: Whether batch normalization is frozen.
        learning_rate: Float.
        compiled: Whether compiling the copy is enough.
    """

    activation: str | None = None
    loss: Any = None
    trainable: bool = False
    frozen_statistics: bool = False
    learning_rate: float | None = None
    compiled: bool = False


def freeze_statistics(case: RepairCase) -> Change:
    """Batch normalization with the same statistics in training and inference."""
    return Change(frozen_statistics=True)


def take_better_rate(case: RepairCase) -> Change | str:
    """The learning rate with the better result in the trial."""
    rate = case.evidence.get("better_rate")
    return Change(learning_rate=rate) if rate else "no better rate is known"


def one_unit(case: RepairCase) -> Change | str:
    """The activation and the loss of a single unit, by its task."""
    if case.task == "regression":
        loss = None if case.loss.kind == "regression" else "mean_squared_error"
        return Change("linear", loss)
    if case.evidence.get("classes", 2) > 2:
        return other_units(case.evidence["classes"])
    loss = None if case.loss.kind in ("binary", "region", "masked") else BINARY
    return Change("sigmoid", loss)


def other_units(number: int) -> str:
    """Why a head with another number of units is left to the user."""
    return f"the head needs {number} units, which are new weights"


def same_scale(facts: Any, name: str) -> Any:
    """The loss with this name, on logits if the present one takes logits."""
    return with_logits(name, True) if facts.from_logits else name


def with_logits(loss: Any, from_logits: bool) -> Any:
    """The same loss with this `from_logits`; None if it has no such argument."""
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", None)
    if not isinstance(loss, keras.Loss):
        kind = getattr(keras.losses, class_name(name or ""), None)
        if kind is None:
            return None
        loss = kind()
    config = loss.get_config()
    if "from_logits" not in config:
        return None
    return type(loss).from_config({**config, "from_logits": from_logits})


def class_name(name: str) -> str:
    """The class of a loss by the name of its function."""
    return "".join(word.capitalize() for word in name.split("_"))
