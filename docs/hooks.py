"""Adds a page for each code of a diagnosis, and the table of all, to the site."""

from mkdocs.structure.files import File

import keras_trainfix.diagnosis.diagnose  # noqa: F401
from keras_trainfix.diagnosis.registry import CHECKS

FAMILIES = {
    "KTF1": "Data",
    "KTF2": "Head, loss and labels",
    "KTF3": "Normalization and freezing",
    "KTF4": "Weights and optimization",
    "KTF5": "Collapse: the symptoms",
}
INTRODUCTION = """# Codes

What a [diagnosis](../diagnosis.md) can find. An *error* keeps a model from learning, a
*warning* costs something or may, a *note* is good to know. Codes and names do not
change. `python -m keras_trainfix explain KTF501` prints a page.
"""


def on_files(files, config):
    """Called by mkdocs with the files of the site."""
    pages = {check.code: _page(check) for check in CHECKS.values()}
    for name, content in {"index": _index(), **pages}.items():
        files.append(File.generated(config, f"codes/{name}.md", content=content))
    return files


def _page(check):
    title, _, text = check.page.partition("\n\n")
    return f"{title}\n\n*{check.severity}* · [all codes](index.md)\n\n{text}"


def _index():
    lines = [INTRODUCTION]
    for prefix, family in FAMILIES.items():
        lines += [f"## {family}\n", "| code | name | | what is wrong |", "|-|-|-|-|"]
        lines += [
            f"| [{code}]({code}.md) | {check.name} | {check.severity} | "
            f"{check.summary} |"
            for code, check in sorted(CHECKS.items())
            if code.startswith(prefix)
        ]
        lines.append("")
    return "\n".join(lines)
