"""The one module that may know which backend runs."""

import contextlib
import importlib.util
import os

MINIMUM_KERAS = (3, 6)
BACKENDS = ("tensorflow", "jax", "torch")


def require_keras():
    """Raises one clear ImportError unless Keras 3 and a backend can be imported."""
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
            else "Install one: `pip install tensorflow`, `pip install jax` or "
            "`pip install torch`, and set KERAS_BACKEND to its name."
        )
        raise ImportError(
            "keras_trainfix needs the backend that Keras is set to use, and it could "
            f"not be imported ({error}). Received: KERAS_BACKEND={asked}. {way_out}"
        ) from error
    version = tuple(int(part) for part in keras.__version__.split(".")[:2])
    if version < MINIMUM_KERAS:
        raise ImportError(
            f"keras_trainfix needs Keras {minimum} or later. Received: "
            f"keras=={keras.__version__}. Run `pip install --upgrade keras`; "
            "code written for Keras 2 (`tf.keras`) has to move to Keras 3 first."
        )


require_keras()

import keras  # noqa: E402 - nothing of Keras may be imported before the check


@contextlib.contextmanager
def no_gradient():
    """Runs eager code without recording it for a gradient (only torch records)."""
    if keras.backend.backend() != "torch":
        yield
        return
    import torch

    with torch.no_grad():
        yield


def to_numpy(tensor):
    """A NumPy copy of a tensor or variable, with its dtype."""
    # A variable on its own makes NumPy 2 warn about Keras' `__array__`.
    return keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(tensor))


def is_concrete(tensor):
    """Whether the values of `tensor` can be read now: not while a graph is traced."""
    if isinstance(tensor, keras.KerasTensor):
        return False
    if isinstance(tensor, keras.Variable):
        tensor = tensor.value
    if not keras.ops.is_tensor(tensor):
        return True
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return not tf.is_symbolic_tensor(tensor)
    if backend == "jax":
        import jax

        if isinstance(tensor, jax.core.Tracer):
            return False
        # An array over several hosts cannot be read from one of them.
        return getattr(tensor, "is_fully_addressable", True)
    import torch

    return not torch.compiler.is_compiling() and tensor.device.type != "meta"
