"""How often each class was taken for which, as a table in HTML."""

from collections.abc import Sequence
from html import escape

import numpy as np

from keras_trainfix.diagnosis.findings import Confusion
from keras_trainfix.diagnosis.report.mask_picture import name_of

RIGHT, WRONG = "26,116,54", "179,32,42"


def draw_confusion(
    confusion: Confusion, of: str = "", class_names: Sequence[str] | None = None
) -> str:
    """A row for each label, a column for each prediction, shares as shades.

    Args:
        confusion: `Confusion`.
        of: String that names the output in the title, or `""`.
        class_names: List of strings, or None.
    """
    counts = confusion.counts
    totals = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    shares = counts / totals
    names = [escape(name_of(number, class_names)) for number in range(len(counts))]
    head = "".join(f"<th scope='col'>{name}</th>" for name in names)
    rows = []
    for number, name in enumerate(names):
        cells = "".join(
            _cell(int(count), float(share), number == column)
            for column, (count, share) in enumerate(
                zip(counts[number], shares[number], strict=True)
            )
        )
        rows.append(f"<tr><th scope='row'>{name}</th>{cells}</tr>")
    return (
        f"<figure class='ktf-confusion'><figcaption>Labels (rows) and predictions "
        f"(columns){escape(of)}</figcaption>"
        f"<table><tr><td></td>{head}</tr>{''.join(rows)}</table></figure>"
    )


def _cell(count: int, share: float, is_right: bool) -> str:
    color = RIGHT if is_right else WRONG
    # So faint that text of either theme keeps its contrast.
    return f"<td style='background-color:rgba({color},{0.35 * share:.2f})'>{count}</td>"
