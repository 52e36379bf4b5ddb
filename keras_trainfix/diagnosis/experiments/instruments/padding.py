"""Do the answers depend on the tokens, or only on the padding around them?"""

from typing import NamedTuple

import numpy as np

from keras_trainfix.diagnosis.experiments.answers import (
    FEW,
    FEWEST,
    Input,
    answers_to,
    inputs_of,
    movement,
    replaced,
    some,
)
from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.snapshot import Snapshot

LEAST_PADDED = 0.5  # share of the samples that end, or begin, with padding
MOST_INSIDE = 0.05  # share of the other tokens that are the padding value
FEWEST_STEPS = 4


class Padding(NamedTuple):
    """Sequences of different lengths, filled up with one value.

    Attributes:
        is_behind: Whether it follows the tokens.
        value: The value: a number, for each feature the same.
        lengths: Integer array `(N,)`, the steps of each sample that are no padding.
        steps: Integer, the length of the padded sequences.
    """

    is_behind: bool
    value: float
    lengths: np.ndarray
    steps: int

    @property
    def is_token(self) -> np.ndarray:
        """Boolean array `(N, steps)`."""
        places = np.arange(self.steps)
        if self.is_behind:
            return places < self.lengths[:, None]
        return places >= self.steps - self.lengths[:, None]


class ReadTokens(NamedTuple):
    """What moves the answers of a model of padded sequences.

    Attributes:
        input: `Input`.
        padding: `Padding`.
        tokens: Float, how far the answers move if the tokens are replaced by others and
            the padding stays; the median over samples, also over those without padding.
        padded: Float, how far they move if the padding is replaced by tokens.
        moved: Float, how far they move by other tokens if the padding is moved to the
            other end of the sequence.
    """

    input: Input
    padding: Padding
    tokens: float
    padded: float
    moved: float

    @property
    def share(self) -> float:
        """The movement by tokens over that by padding; infinite if that is 0."""
        return self.tokens / self.padded if self.padded else float("inf")


@instrument("tokens and padding replaced")
def read_tokens(snapshot: Snapshot) -> ReadTokens | None:
    """What moves the answers; None without padded sequences.

    Args:
        snapshot: `Snapshot`.
    """
    for one in inputs_of(snapshot):
        padding = find_padding(one.values)
        if padding is not None:
            return _measured(snapshot, one, padding)
    return None


def find_padding(values: np.ndarray) -> Padding | None:
    """The padding of sequences.

    Args:
        values: Array `(N, steps)` of ids, or `(N, steps, features)`.

    Returns:
        `Padding`, or None where most samples end and begin with different values.

    Examples:
        >>> ids = np.array([[3, 4, 0, 0], [5, 0, 0, 0], [6, 7, 8, 0]] * 4)
        >>> padding = find_padding(ids)
        >>> padding.is_behind, int(padding.value), padding.lengths[:2].tolist()
        (True, 0, [2, 1])
        >>> find_padding(ids[:, ::-1]).is_behind
        False
    """
    if values.ndim not in (2, 3) or len(values) < FEWEST:
        return None
    if values.shape[1] < FEWEST_STEPS or not _may_be_padded(values):
        return None
    for is_behind in (True, False):
        padding = _at_end(values if is_behind else values[:, ::-1])
        if padding is not None:
            return padding._replace(is_behind=is_behind)
    return None


def _may_be_padded(values):
    """Whether these are ids, or several features at each step."""
    if values.ndim == 3:
        return values.dtype.kind == "f"
    is_whole = values.dtype.kind in "biu" or (
        bool(np.isfinite(values).all()) and bool((values == np.floor(values)).all())
    )
    return is_whole and len(np.unique(values)) > FEWEST_STEPS


def _at_end(values):
    number, steps = values.shape[:2]
    rows = values.reshape(number, steps, -1)
    distinct, counts = np.unique(rows[:, -1, 0], return_counts=True)
    value = distinct[counts.argmax()]
    is_value = (rows == value).all(-1)
    behind = is_value[:, ::-1].cumprod(1).sum(1)
    lengths = steps - behind
    if (behind > 0).mean() < LEAST_PADDED or len(np.unique(lengths)) < 3:
        return None
    inside = (is_value.sum() - behind.sum()) / max(1, lengths.sum())
    return Padding(True, float(value), lengths, steps) if inside < MOST_INSIDE else None


def _measured(snapshot, one, padding):
    chosen = np.flatnonzero(padding.lengths)[:FEW]
    is_padded = padding.lengths[chosen] < padding.steps
    if is_padded.sum() < FEWEST:
        return None
    values = one.values[chosen]
    is_token = padding.is_token[chosen]
    pool = one.values[padding.is_token]
    rng = np.random.default_rng(0)
    x = some(snapshot, chosen)

    def redrawn(places):
        changed = values.copy()
        changed[places] = pool[rng.integers(len(pool), size=int(places.sum()))]
        return changed

    others = redrawn(is_token)
    variants = [values, others, redrawn(~is_token)]
    variants += [_turned(v, padding, chosen) for v in (values, others)]
    variants = [replaced(x, one.key, v) for v in variants]
    answers = answers_to(snapshot, variants)

    def moved(first, second):
        pairs = zip(answers[first], answers[second], strict=True)
        return np.max([movement(*pair) for pair in pairs], axis=0)

    medians = (
        float(np.median(by))
        for by in (moved(0, 1), moved(0, 2)[is_padded], moved(3, 4))
    )
    return ReadTokens(one, padding, *medians)


def _turned(values, padding, chosen):
    """Sequences with their padding at the other end."""
    lengths = padding.lengths[chosen]
    by = padding.steps - lengths if padding.is_behind else lengths
    places = (np.arange(padding.steps) - by[:, None]) % padding.steps
    return values[np.arange(len(values))[:, None], places]
