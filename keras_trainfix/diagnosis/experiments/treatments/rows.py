"""Treatments of the order of samples, and of which target belongs to which."""

from collections.abc import Iterator
from dataclasses import replace

from keras_trainfix.data import leaves, mapped
from keras_trainfix.diagnosis.experiments.instruments.other_pairings import (
    other_pairings,
    pairings_of,
    rows_in_order,
)
from keras_trainfix.diagnosis.experiments.training import (
    MOST_HELD_OUT,
    MOST_TRAINED,
    split_samples,
)
from keras_trainfix.diagnosis.experiments.treatment import Case, Variant, treatment
from keras_trainfix.diagnosis.observe.sample import Sample
from keras_trainfix.diagnosis.thresholds import PAIRING_GAIN


@treatment("batches-mixed", 6, ("KTF136",))
def batches_mixed(case: Case) -> Iterator[Variant]:
    """Batches drawn from all samples, where those of `fit` come class by class."""
    if not case.training.is_mixed:
        yield Variant(
            "batches mixed from all samples",
            replace(case.training, is_mixed=True),
            "# shuffle the samples: tf.data: .shuffle(len(x)) before .batch(...)",
        )


@treatment("rows-paired", 7, ("KTF139",))
def rows_paired(case: Case) -> Iterator[Variant]:
    """The inputs with the targets of those rows that they predict."""
    seen = [pairing for pairing in other_pairings(case.snapshot) or () if pairing]
    best = max(seen, key=lambda pairing: pairing.gain, default=None)
    if best is None or best.gain < PAIRING_GAIN:
        return
    if case.training.train.sample_weight is not None:
        return
    ordered = rows_in_order(case.snapshot, MOST_TRAINED + MOST_HELD_OUT)
    if ordered is None:
        return
    x, y, sizes = ordered
    length, available = len(leaves(x)[0]), len(leaves(y)[0])
    if best.order is not None:
        rows = best.order.rows[:length]
    else:
        rows = pairings_of(length, available, sizes)[best.rows]
    sample = Sample(
        mapped(lambda leaf: leaf[: len(rows)], x), mapped(lambda leaf: leaf[rows], y)
    )
    train, held_out = split_samples(sample)
    yield Variant(
        f"the target of {best.which} for the inputs of row i",
        replace(case.training, train=train, held_out=held_out),
        best.code,
    )
