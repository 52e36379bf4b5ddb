"""The examples in the docstrings run."""

import doctest
import importlib
import pkgutil
import re
import runpy
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_trainfix
from keras_trainfix.diagnosis.findings import DOCUMENTATION
from keras_trainfix.diagnosis.registry import CHECKS

DOCS = Path(__file__).parent.parent / "docs"
HEADINGS = {
    "What you see": 0,
    "Why it happens": 0,
    "How to check": 1,
    "Fix": 1,
    "When this is not the cause": 0,
    "References": 0,
}
MODULES = [
    module.name
    for module in pkgutil.walk_packages(keras_trainfix.__path__, "keras_trainfix.")
]


@pytest.mark.every_backend
@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name, monkeypatch):
    # A progress bar on a slow machine is no part of what an example prints.
    shown_after = "keras_trainfix.diagnosis.trial.runner.SHOWN_AFTER"
    monkeypatch.setattr(shown_after, float("inf"))
    names = {"keras": keras, "np": np}
    result = doctest.testmod(importlib.import_module(name), extraglobs=names)
    assert result.failed == 0


def test_every_public_name_has_an_example():
    for name in keras_trainfix.__all__:
        docstring = getattr(keras_trainfix, name).__doc__
        assert ">>>" in docstring, name
        assert "Args:" in docstring, name


@pytest.mark.parametrize("code", CHECKS)
def test_the_page_of_a_code(code):
    check = CHECKS[code]
    title, _, text = check.page.partition("\n\n")
    assert title == f"# {code} {check.name}"
    first, *sections = re.split(r"^## ", text, flags=re.MULTILINE)
    assert check.summary.endswith(".")
    assert first.startswith(f"{check.summary}\n\n")
    snippets = {}
    for section in sections:
        heading, _, body = section.partition("\n")
        assert body.strip(), heading
        assert body.count("```") == 2 * body.count("```python\n"), heading
        snippets[heading] = body.count("```python\n")
    assert list(snippets.items()) == list(HEADINGS.items())


@pytest.fixture
def hooks():
    pytest.importorskip("mkdocs")
    return runpy.run_path(str(DOCS / "hooks.py"))


@pytest.fixture
def pages(hooks):
    """Dict of the address of each page that is made to the page."""
    from mkdocs.config import load_config
    from mkdocs.structure.files import Files

    config = load_config(str(DOCS.parent / "mkdocs.yml"))
    config.plugins._current_plugin = None  # as mkdocs has it outside of a plugin
    return {page.url: page for page in hooks["on_files"](Files([]), config)}


def test_the_site_has_the_page_that_a_finding_links_to(pages):
    base = DOCUMENTATION.split("/", 3)[3]  # without the site
    of_codes = {url for url in pages if url.startswith(base)}
    assert of_codes == {base, *(f"{base}{code}/" for code in CHECKS)}
    index = pages[base].content_string
    assert all(index.count(f"({code}.md)") == 1 for code in CHECKS)
    assert pages[f"{base}KTF501/"].content_string.startswith("# KTF501 constant")


def test_the_site_has_a_page_of_each_public_name(pages):
    index = pages["api/"].content_string
    for name in keras_trainfix.__all__:
        content = pages[f"api/{name}/"].content_string
        assert f"::: keras_trainfix.{name}\n" in content
        assert index.count(f"({name}.md)") == 1


def test_the_site_is_not_built_without_a_page_of_a_public_name(hooks, monkeypatch):
    from mkdocs.exceptions import PluginError

    monkeypatch.setattr(keras_trainfix, "__all__", [*keras_trainfix.__all__, "new"])
    with pytest.raises(PluginError, match="differ: {'new'}"):
        hooks["on_files"](None, None)


def test_the_site_is_not_built_without_a_docstring(hooks, monkeypatch):
    from mkdocs.exceptions import PluginError

    monkeypatch.setattr(keras_trainfix.diagnose, "__doc__", None)
    with pytest.raises(PluginError, match="no docstring for diagnose"):
        hooks["on_files"](None, None)


def test_every_page_is_in_the_navigation():
    navigation = (DOCS.parent / "mkdocs.yml").read_text("utf-8")
    for page in DOCS.glob("*.md"):
        assert f": {page.name}\n" in navigation
