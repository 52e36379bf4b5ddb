"""Every public function says what it takes and what it returns: the wheel is typed."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "keras_trainfix"


def public_functions(body, owner=None):
    """`(name, function, owner)` of public functions and methods, and constructors."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node.body, node.name)
        elif isinstance(node, ast.FunctionDef) and (
            not node.name.startswith("_") or (owner and node.name == "__init__")
        ):
            yield node, owner


def unannotated(function, owner):
    """The names of arguments without an annotation, and `return`."""
    arguments = function.args
    listed = [*arguments.posonlyargs, *arguments.args]
    decorators = {getattr(d, "id", "") for d in function.decorator_list}
    if owner and "staticmethod" not in decorators:
        listed = listed[1:]  # self
    listed += [
        *arguments.kwonlyargs,
        *filter(None, (arguments.vararg, arguments.kwarg)),
    ]
    names = [argument.arg for argument in listed if argument.annotation is None]
    is_silent = function.returns is None and function.name != "__init__"
    return names + ["return"] * is_silent


def test_public_functions_are_annotated():
    missing = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for function, owner in public_functions(tree.body):
            names = unannotated(function, owner)
            if names:
                place = f"{path.relative_to(PACKAGE)}:{function.lineno}"
                missing[f"{place} {function.name}"] = names
    assert not missing


def test_what_counts_as_unannotated():
    tree = ast.parse(
        "def f(a: int, b, *c, d: str, **e): ...\n"
        "def _g(a): ...\n"
        "class A:\n"
        "    def __init__(self, a): ...\n"
        "    def h(self, a: int) -> None: ...\n"
        "    @staticmethod\n"
        "    def k(a): ...\n"
    )
    found = {f.name: unannotated(f, owner) for f, owner in public_functions(tree.body)}
    assert found == {
        "f": ["b", "c", "e", "return"],
        "__init__": ["a"],
        "h": [],
        "k": ["a", "return"],
    }
