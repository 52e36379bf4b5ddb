"""The two orders of numbered files: by number, and by name."""

from typing import NamedTuple

import numpy as np

FIRST = (0, 1)  # number of the first file


class FileOrder(NamedTuple):
    """Rows of the targets, if one of two lists is by number and the other by name.

    Attributes:
        rows: Array of integers: for each row of the inputs that of its target.
        words: String that says which list is by name.
        code: String that puts the targets `y` in order.
    """

    rows: np.ndarray
    words: str
    code: str


def file_orders(count: int) -> list[FileOrder]:
    """The ways in which two lists of numbered files do not match.

    Sorted by name, `10.png` comes before `2.png`.

    Args:
        count: Integer, how many files there are.

    Returns:
        List of `FileOrder`; empty where both orders are the same.

    Examples:
        >>> file_orders(11)[0].rows
        array([ 0,  1, 10,  2,  3,  4,  5,  6,  7,  8,  9])
    """
    found = []
    for first in FIRST:
        names = [str(number) for number in range(first, count + first)]
        by_name = np.argsort(names, kind="stable")
        if (by_name == np.arange(count)).all():
            continue
        start = ", ".join(names[row] for row in by_name[:4])
        code = f"np.argsort([str(j + {first}) for j in range(len(y))])"
        found += [
            FileOrder(
                by_name,
                f"if the files of the inputs are sorted by name ({start}, ...) and "
                "those of the targets by number",
                f"y = y[{code}]",
            ),
            FileOrder(
                np.argsort(by_name),
                f"if the files of the targets are sorted by name ({start}, ...) and "
                "those of the inputs by number",
                f"y = y[np.argsort({code})]",
            ),
        ]
    return found
