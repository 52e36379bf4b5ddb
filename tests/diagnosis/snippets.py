"""Runs the snippets of the documentation of checks."""

import re

import keras

FENCE = re.compile(r"```python\n(.*?)```", re.DOTALL)


def section(page, heading):
    """The text below a heading of a page."""
    assert f"## {heading}\n" in page, f"no heading '{heading}'"
    return page.partition(f"## {heading}\n")[2].partition("\n## ")[0]


def faulty_and_fixed(check):
    """Two namespaces, with `model`, `x` and `y`: of the fault, and of its repair.

    The repair starts from a fault of its own, so that it may change the model.
    """
    return faulty(check), _run(check, "How to check", "Fix")


def faulty(check):
    """A namespace with `model`, `x` and `y` that show the fault."""
    return _run(check, "How to check")


def _run(check, *headings):
    keras.utils.set_random_seed(1)
    namespace = {}
    for heading in headings:
        (snippet,) = FENCE.findall(section(check.page, heading))
        exec(compile(snippet, f"{check.code}, {heading}", "exec"), namespace)
    assert {"model", "x", "y"} <= namespace.keys()
    return namespace
