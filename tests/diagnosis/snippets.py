"""Runs the snippets of the documentation of checks."""

import re

import keras

FENCE = re.compile(r"```python\n(.*?)```", re.DOTALL)


def section(page, heading):
    """The text below a heading of a page."""
    assert f"## {heading}\n" in page, f"no heading '{heading}'"
    return page.partition(f"## {heading}\n")[2].partition("\n## ")[0]


def faulty_and_fixed(check):
    """Two namespaces, with `model`, `x` and `y`: of the fault, and of its repair."""
    return tuple(
        _run(section(check.page, heading)) for heading in ("How to check", "Fix")
    )


def _run(text):
    snippets = FENCE.findall(text)
    assert len(snippets) == 1, text
    keras.utils.set_random_seed(1)
    namespace = {}
    exec(snippets[0], namespace)
    assert {"model", "x", "y"} <= namespace.keys()
    return namespace
