"""What is raised where Keras or its backend is missing or too old."""

import importlib.util
import os

import keras
import pytest

from keras_trainfix.backend.requirement import require_keras
from tests.test_import import python


def test_without_keras_the_error_says_what_to_install():
    result = python(
        """
        import sys
        sys.modules["keras"] = None  # makes `import keras` fail
        import keras_trainfix
        """
    )
    assert "keras_trainfix needs Keras 3.6 or later" in result.stderr
    assert "pip install keras" in result.stderr


def test_without_the_backend_the_error_says_what_to_install():
    result = python(
        """
        import sys
        for name in ("tensorflow", "jax", "torch"):
            sys.modules[name] = None
        import keras_trainfix
        """
    )
    assert "ImportError: keras_trainfix needs the backend that Keras" in result.stderr
    assert f"KERAS_BACKEND={os.environ['KERAS_BACKEND']}" in result.stderr


def test_keras_2_is_refused(tmp_path):
    (tmp_path / "keras.py").write_text('__version__ = "2.15.0"\n')
    result = python("import keras_trainfix", PYTHONPATH=str(tmp_path))
    assert "needs Keras 3.6 or later. Received: keras==2.15.0" in result.stderr


def test_what_is_installed_is_enough():
    require_keras()


@pytest.mark.parametrize(
    ("version", "is_enough"), [("3.5.9", False), ("3.6.0", True), ("4.0.0rc1", True)]
)
def test_the_lowest_version(version, is_enough, monkeypatch):
    monkeypatch.setattr(keras, "__version__", version)
    if is_enough:
        require_keras()
    else:
        with pytest.raises(ImportError, match=f"Received: keras=={version}"):
            require_keras()


def test_the_error_names_the_backends_that_are_installed(monkeypatch):
    def find_spec(name):
        return True if name in ("keras", "jax") else None

    def no_keras(name, *args, **kwargs):
        if name == "keras":
            raise ImportError("no backend", name="tensorflow")
        return real_import(name, *args, **kwargs)

    real_import = __import__
    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    monkeypatch.setattr("builtins.__import__", no_keras)
    with pytest.raises(ImportError, match="one that is installed: jax"):
        require_keras()
