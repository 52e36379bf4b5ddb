"""Whether what a user passed as `model` is one, and if not, what to do."""

from pathlib import Path
from typing import Any

import keras

from keras_trainfix.data import is_array


def check_model(model: Any, *others: Any) -> None:
    """Raises unless `model` is a `keras.Model`.

    Args:
        model: What was passed as the model.
        *others: What was passed as the data; a model among them is in the wrong place.

    Raises:
        TypeError: If it is not.

    Examples:
        >>> check_model(keras.Sequential())
    """
    if isinstance(model, keras.Model):
        return
    raise TypeError(
        f"`model` must be a keras.Model. Received: {_shown(model)}. "
        f"{_way_out(model, others)}"
    )


def _shown(model: Any) -> str:
    if isinstance(model, str | Path):
        return repr(str(model))
    if model is None:
        return "None"
    if isinstance(model, type):
        return f"the class {model.__name__}"
    kind = type(model)
    shape = f" of shape {tuple(model.shape)}" if is_array(model) else ""
    return f"{kind.__module__.split('.')[0]}.{kind.__name__}{shape}"


def _way_out(model: Any, others: tuple[Any, ...]) -> str:
    if any(isinstance(other, keras.Model) for other in others):
        return "The model comes first: `(model, x, y)`."
    if isinstance(model, str | Path):
        return f"Load it first: `keras.models.load_model({str(model)!r})`."
    if isinstance(model, type) and issubclass(model, keras.Model):
        return f"Make a model of it: `{model.__name__}(...)`."
    if isinstance(model, keras.layers.Layer):
        return "Put the layer into a model: `keras.Sequential([layer])`."
    if type(model).__module__.startswith("tf_keras"):
        return "Models of tf_keras are Keras 2: build it with `import keras`."
    return "Models of other frameworks cannot be read."
