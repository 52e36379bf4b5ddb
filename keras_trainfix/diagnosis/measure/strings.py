"""Strings of symbols: decoded from a CTC head, and compared by their edit distance.

A string is a row of ids; 0 is the blank of `keras.losses.CTC`, and pads.
"""

import numpy as np

CANDIDATES = 32  # constant strings that are tried


def greedy_strings(scores: np.ndarray) -> np.ndarray:
    """The best path of a CTC head: repeats merged, blanks left out.

    Args:
        scores: Array `(N, steps, symbols)`, logits or probabilities.

    Returns:
        Integer array `(N, steps)`, padded with 0.

    Examples:
        >>> greedy_strings(np.eye(3)[[[1, 1, 0, 1, 2]]]).tolist()
        [[1, 1, 2, 0, 0]]

    Reference:

    - [Graves et al., 2006](https://doi.org/10.1145/1143844.1143891)
    """
    path = scores.argmax(-1)
    is_new = np.diff(path, axis=1, prepend=0) != 0
    return left_aligned(np.where(is_new, path, 0))


def left_aligned(strings: np.ndarray) -> np.ndarray:
    """The strings with their symbols first and the padding behind them."""
    order = np.argsort(strings == 0, axis=1, kind="stable")
    return np.take_along_axis(strings, order, 1)


def edit_distances(strings: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Levenshtein's distance of each string to the other of its row.

    Args:
        strings: Integer array `(N, L)`, left-aligned.
        others: Integer array `(N, M)`, left-aligned.

    Returns:
        Integer array `(N,)`: the fewest symbols to insert, delete and replace.

    Examples:
        >>> edit_distances(np.array([[1, 2, 3]]), np.array([[1, 3, 0, 0]])).tolist()
        [1]
    """
    width = others.shape[1]
    lengths, goals = (strings != 0).sum(1), (others != 0).sum(1)
    steps = np.arange(width + 1)
    row = np.tile(steps, (len(strings), 1))
    for number in range(1, strings.shape[1] + 1):
        differs = strings[:, number - 1 : number] != others
        best = np.minimum(row[:, 1:] + 1, row[:, :-1] + differs)
        best = np.concatenate([np.full((len(row), 1), number), best], 1)
        # An insertion costs 1 for each place that it moves to the right.
        best = np.minimum.accumulate(best - steps, axis=1) + steps
        row = np.where((number <= lengths)[:, None], best, row)
    return row[np.arange(len(row)), goals]


def best_constant_string(strings: np.ndarray) -> np.ndarray:
    """The string that has the fewest errors as the answer for all samples.

    The nearest of all strings is hard to find. Tried are some of the strings, the most
    frequent symbol of each place, and the empty one.

    Args:
        strings: Integer array `(N, L)`, left-aligned.

    Returns:
        Integer array `(L,)`.

    Examples:
        >>> best_constant_string(np.array([[1, 2], [1, 2], [1, 3], [4, 0]])).tolist()
        [1, 2]
    """
    unique, counts = np.unique(strings, axis=0, return_counts=True)
    some = unique[np.argsort(-counts, kind="stable")[:CANDIDATES]]
    frequent = [np.bincount(column).argmax() for column in strings.T]
    places = left_aligned(np.array([frequent]))
    tried = np.concatenate([some, places, np.zeros_like(places)])
    errors = [
        edit_distances(np.broadcast_to(one, strings.shape), strings).sum()
        for one in tried
    ]
    return tried[int(np.argmin(errors))]
