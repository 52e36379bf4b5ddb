"""Checks that Keras can be used, without importing anything else of it."""

import importlib.util
import os

MINIMUM_KERAS = (3, 6)
BACKENDS = ("tensorflow", "jax", "torch")


def require_keras() -> None:
    """Raises a clear error unless Keras and its backend can be imported.

    Raises:
        ImportError: If Keras is not installed or too old, or if the backend that it is
            set to use cannot be imported.

    Examples:
        >>> require_keras()
    """
    minimum = ".".join(map(str, MINIMUM_KERAS))
    try:
        import keras
    except ImportError as error:
        if error.name == "keras" or importlib.util.find_spec("keras") is None:
            raise ImportError(
                f"keras_trainfix needs Keras {minimum} or later, and Keras is not "
                "installed. Run `pip install keras`."
            ) from error
        asked = os.environ.get("KERAS_BACKEND", "not set")
        found = [name for name in BACKENDS if importlib.util.find_spec(name)]
        way_out = (
            f"Set KERAS_BACKEND to one that is installed: {', '.join(found)}."
            if found
            else "Install one (`pip install tensorflow`, `pip install jax` or "
            "`pip install torch`), and set KERAS_BACKEND to its name."
        )
        raise ImportError(
            "keras_trainfix needs the backend that Keras is set to use, which could "
            f"not be imported ({error}). Received: KERAS_BACKEND={asked}. {way_out}"
        ) from error
    version = tuple(int(part) for part in keras.__version__.split(".")[:2])
    if version < MINIMUM_KERAS:
        raise ImportError(
            f"keras_trainfix needs Keras {minimum} or later. Received: "
            f"keras=={keras.__version__}. Run `pip install --upgrade keras`; port "
            "code written for Keras 2 (`tf.keras`) to Keras 3 first."
        )
