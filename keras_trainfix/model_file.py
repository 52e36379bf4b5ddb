"""Loads a saved model without running any code that its file brings along.

The `safe_mode` of Keras is not enough: releases before 3.11 import, or call, whatever
the configuration names, and later ones refuse a list of names and allow the rest. So
the configuration is read first, and nothing is loaded that is not on the list below.
"""

import builtins
import json
import warnings
import zipfile
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

import keras

# The modules of Keras that a configuration may name.
TRUSTED_PARTS = (
    *("activations", "constraints", "dtype_policies", "initializers", "layers"),
    *("losses", "metrics", "models", "ops", "optimizers", "quantizers", "random"),
    "regularizers",
)
# Layers of Keras whose configuration contains code, or a path to it.
CODE_LAYERS = ("Lambda", "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer")


def load_untrusted(path: str | PathLike[str]) -> keras.Model:
    """Loads a model from a file of unknown origin.

    Args:
        path: String or `pathlib.Path` of a `.keras` file.

    Returns:
        A `keras.Model`.

    Raises:
        ValueError: If `path` is not such a file, if the model needs code other than
            that of Keras and of this package, or if Keras cannot load it.

    Examples:
        >>> load_untrusted("missing.keras")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        ValueError: Cannot read a model from 'missing.keras' ...
    """
    try:
        with zipfile.ZipFile(path) as file:
            config = json.loads(file.read("config.json"))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"Cannot read a model from '{path}' ({error}). Expected: what "
            "`model.save('MODEL.keras')` writes."
        ) from error
    if Path(path).suffix != ".keras":  # Keras would read another format
        raise ValueError(
            f"The name of a model file must end in '.keras'. Received: '{path}'. "
            "Rename the file."
        )
    foreign = sorted(set(_foreign(config)))
    if foreign:
        raise ValueError(
            f"'{path}' is not loaded, because it needs code that is not Keras' own: "
            f"{', '.join(foreign[:5])}. Call `diagnose(model, x, y)` in the program "
            "that builds the model."
        )
    try:
        with warnings.catch_warnings():
            # The optimizer of a model that was never trained has no state to load.
            skipped = "(?s).*Skipping variable loading for optimizer"
            warnings.filterwarnings("ignore", skipped)
            return keras.saving.load_model(path, safe_mode=True)
    except Exception as error:  # of any kind: the file is at fault
        raise ValueError(f"Keras cannot load '{path}': {error}") from error


def _foreign(config: Any) -> Iterator[str]:
    """Yields the names of all code that a configuration needs besides that of Keras."""
    if isinstance(config, dict):
        module, name = config.get("module"), config.get("class_name")
        if name == "function":
            name = config.get("config")
        names = (name, str(config.get("registered_name")).rpartition(">")[2])
        if "__lambda__" in names or any(layer in names for layer in CODE_LAYERS):
            yield str(name)
        elif isinstance(module, str) and not _is_trusted(f"{module}.{name}"):
            yield f"{module}.{name}"
        config = list(config.values())
    if isinstance(config, list):
        for entry in config:
            yield from _foreign(entry)


def _is_trusted(path: str) -> bool:
    first, *rest = path.split(".")
    if first == "keras":
        if rest[:2] == ["src", "backend"]:
            return rest[3:4] == ["optimizers"]
        rest = rest[1:] if rest[0] == "src" else rest
        return len(rest) == 1 or rest[0] in TRUSTED_PARTS
    if first == "builtins":  # Keras' module name for its own functions, as "relu"
        return not hasattr(builtins, rest[0])
    return first == "keras_trainfix"
