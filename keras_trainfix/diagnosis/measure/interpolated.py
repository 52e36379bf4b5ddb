"""Were masks of class ids made smaller or larger by averaging?"""

from typing import NamedTuple

import numpy as np


class Between(NamedTuple):
    """Places at which the id changes twice within three pixels.

    Attributes:
        number: Integer, how many there are with three different ids.
        share: Float, of these, those whose middle id lies between the outer two: a
            third by chance, all of them where ids were averaged.
        ids: Array of the ids that are found in the middle, the most frequent first.
    """

    number: int
    share: float
    ids: np.ndarray


def between(masks: np.ndarray) -> Between:
    """Looks for ids that lie between those of the pixels on both sides.

    Where both changes are by one, as in maps of levels, it does not count.

    Args:
        masks: Integer array `(N, height, width)`.

    Examples:
        >>> mask = np.repeat([[0, 0, 2, 4, 4, 1, 0]], 5, axis=0)[None]
        >>> between(mask).number, between(mask).share, between(mask).ids.tolist()
        (10, 1.0, [1, 2])
    """
    number, ordered, middles = 0, 0, []
    for turned in (masks, masks.swapaxes(1, 2)):
        before, middle, after = turned[..., :-2], turned[..., 1:-1], turned[..., 2:]
        differ = (before != middle) & (middle != after) & (before != after)
        differ &= np.maximum(abs(middle - before), abs(after - middle)) > 1
        is_between = (np.minimum(before, after) < middle) & (
            middle < np.maximum(before, after)
        )
        number += int(differ.sum())
        ordered += int((differ & is_between).sum())
        middles.append(middle[differ & is_between])
    ids, counts = np.unique(np.concatenate(middles), return_counts=True)
    return Between(number, ordered / max(1, number), ids[np.argsort(-counts)])
