"""The best treatments in pairs."""

import contextlib
import itertools
from collections.abc import Iterator

from keras_trainfix.diagnosis.experiments.mended import Mended
from keras_trainfix.diagnosis.experiments.results import Tried
from keras_trainfix.diagnosis.experiments.treatment import Case, Treatment, Variant

MOST_PAIRED = 3  # treatments, the best ones
PAIR = 100  # a pair is a larger intervention than any single treatment
EXCLUSIVE = {"relu", "gelu", "tanh"}


def pairs_of(
    case: Case, variants: list[tuple[Tried, Variant]]
) -> Iterator[tuple[Treatment, Variant]]:
    """The best treatments two by two, as treatments of their own.

    Two faults at once are common, and neither treatment helps alone.

    Args:
        case: `Case`.
        variants: List of what was tried, each a `Tried` and the `Variant` it ran.
    """
    best: dict[str, tuple[Tried, Variant]] = {}
    for tried, variant in sorted(variants, key=lambda pair: -pair[0].gain):
        best.setdefault(tried.treatment.name, (tried, variant))
    pairs = itertools.combinations(list(best.values())[:MOST_PAIRED], 2)
    for (one, first), (other, second) in pairs:
        if {one.treatment.name, other.treatment.name} <= EXCLUSIVE:
            continue
        after_first = case._replace(training=first.training)
        both = []
        with contextlib.suppress(Exception):  # data of a kind it does not know
            both = list(other.treatment.variants(after_first))
        for variant in both:
            if variant.words == second.words:
                yield _pair(one.treatment, other.treatment), _both(first, variant)


def _pair(one: Treatment, other: Treatment) -> Treatment:
    return Treatment(
        f"{one.name} and {other.name}",
        PAIR + max(one.order, other.order),
        other.variants,
        one.codes | other.codes,
        is_pair=True,
    )


def _both(first: Variant, second: Variant) -> Variant:
    """The second variant, which was made of the training of the first."""
    one, other = first.mend, second.mend

    def mend(mended: Mended) -> None:
        if one is not None and other is not None:
            other(mended)  # the outer change of a layer
            one(mended)

    return Variant(
        f"{first.words} and {second.words}",
        second.training,
        f"{first.code}\n{second.code}",
        None if one is None or other is None else mend,
    )
