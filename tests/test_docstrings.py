"""The examples in the docstrings run."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_trainfix

MODULES = [
    module.name
    for module in pkgutil.walk_packages(keras_trainfix.__path__, "keras_trainfix.")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    names = {"keras": keras, "np": np}
    result = doctest.testmod(importlib.import_module(name), extraglobs=names)
    assert result.failed == 0


def test_every_public_name_has_its_place_in_the_documentation():
    page = (Path(__file__).parent.parent / "docs" / "api.md").read_text()
    for name in keras_trainfix.__all__:
        assert f"::: keras_trainfix.{name}\n" in page


def test_every_public_name_has_an_example():
    for name in keras_trainfix.__all__:
        docstring = getattr(keras_trainfix, name).__doc__
        assert ">>>" in docstring, name
        assert "Args:" in docstring, name
