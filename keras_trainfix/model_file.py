"""Saved models, loaded without running anything that they bring along."""

import builtins
import json
import warnings
import zipfile
from pathlib import Path

import keras

# What a configuration may name. Releases of Keras before 3.11 import, or call, whatever
# else stands there, in safe mode as well.
TRUSTED_PARTS = (
    *("activations", "constraints", "dtype_policies", "initializers", "layers"),
    *("losses", "metrics", "models", "ops", "optimizers", "quantizers", "random"),
    "regularizers",
)
# Layers of Keras whose configuration holds code, or a path to it.
CODE_LAYERS = ("Lambda", "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer")


def load_untrusted(path):
    """Loads a model of which nothing is known.

    Args:
        path: String or `pathlib.Path` of a `.keras` file.

    Returns:
        A `keras.Model`.

    Raises:
        ValueError: If it is no such file, if it needs code other than that of Keras, or
            if Keras cannot load it.
    """
    try:
        with zipfile.ZipFile(path) as file:
            config = json.loads(file.read("config.json"))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"Cannot read a model from '{path}' ({error}). Expected: what "
            "`model.save('MODEL.keras')` writes."
        ) from error
    if Path(path).suffix != ".keras":  # Keras would take it for another format
        raise ValueError(f"The name of a model must end in '.keras': '{path}'.")
    foreign = sorted(set(_foreign(config)))
    if foreign:
        raise ValueError(
            f"'{path}' is not loaded, for it needs code that is not Keras' own: "
            f"{', '.join(foreign[:5])}. Call `diagnose(model, x, y)` in the program "
            "that makes the model."
        )
    try:
        with warnings.catch_warnings():
            # Of a model that was compiled and never trained: there is nothing to load.
            skipped = "(?s).*Skipping variable loading for optimizer"
            warnings.filterwarnings("ignore", skipped)
            return keras.saving.load_model(path, safe_mode=True)
    except Exception as error:  # of whatever kind: the file is at fault
        raise ValueError(f"Keras cannot load '{path}': {error}") from error


def _foreign(config):
    """Yields the names of what a configuration needs besides Keras."""
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


def _is_trusted(path):
    first, *rest = path.split(".")
    if first == "keras":
        if rest[:2] == ["src", "backend"]:
            return rest[3:4] == ["optimizers"]
        rest = rest[1:] if rest[0] == "src" else rest
        return len(rest) == 1 or rest[0] in TRUSTED_PARTS
    if first == "builtins":  # so Keras calls its own functions, such as "relu"
        return not hasattr(builtins, rest[0])
    return first == "keras_trainfix"
