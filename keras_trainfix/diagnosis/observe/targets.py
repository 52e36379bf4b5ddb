"""Targets as `labels.read_labels` reads them, in NumPy: the one reader of diagnosis."""

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from keras_trainfix import backend
from keras_trainfix.diagnosis.observe.sample_weights import has_weight
from keras_trainfix.labels import read_labels
from keras_trainfix.labels.shapes import label_form

MOST_SHOWN = 8
FEWEST = 20  # labels needed to estimate shares
VOID = (255, -1)  # ids that are hardly ever a class
FORMS_OF_ROWS = ("one-hot", "multi-hot", "soft")


@dataclasses.dataclass(frozen=True, eq=False)
class Targets:
    """The targets of one output, one entry for each place.

    A place is what has one label: a sample, a step of a sequence or a pixel.

    Attributes:
        form: `"real"`, `"binary"` (0 and 1), `"ids"` (few whole numbers), `"one-hot"`,
            `"multi-hot"` or `"soft"` (rows of probabilities).
        classes: Sorted list of the ids that occur, for `"binary"` and `"ids"`; for
            rows, of the columns that are the largest of some row; else empty.
        units: Integer, the size of the class axis of the predictions.
        shape: Tuple, the shape of the places of one sample; `()` for one place.
        numbers: Array `(places,)` of labels, or `(places, columns)` of rows, as they
            arrived; None where targets are not numbers, or do not fit the predictions.
        valid: Boolean array `(places,)`: the labels that count; None without `numbers`.
        invalid: Boolean array `(places,)`: the labels that are neither a class nor
            ignored; None without `numbers`.
    """

    form: str
    classes: list[int]
    units: int
    shape: tuple[int, ...] = ()
    numbers: Any = None
    valid: Any = None
    invalid: Any = None

    @property
    def void(self) -> Any:
        """Boolean array `(places,)`: the labels that are ignored."""
        return ~self.valid & ~self.invalid

    @property
    def ignored(self) -> Any:
        """The void ones that an ignored id marks: a row of zeros is not among them."""
        return self.void & self.numbers.any(1) if self.is_rows else self.void

    @property
    def is_rows(self) -> bool:
        """Whether a place has a row of numbers, and not one label."""
        return self.numbers is not None and self.numbers.ndim == 2

    @property
    def ids(self) -> Any:
        """The classes of the places that are not void, int64; None if not classes."""
        if self.numbers is None or self.form not in (
            "binary",
            "ids",
            "one-hot",
            "soft",
        ):
            return None
        if self.is_rows and self.form in FORMS_OF_ROWS:
            return self.numbers[self.valid].argmax(1)
        # -1 and 1 are the two classes of a hinge, though no class of `read_labels`.
        labels = self.numbers[~self.void].ravel()
        return labels[np.isfinite(labels)].astype("int64")


class CountedTargets(NamedTuple):
    """The numbers among the targets that count in the loss, and how often each occurs.

    Attributes:
        units: Integer, the size of the class axis of the predictions.
        rows: Float array `(places, columns)` with one column for each class, or None
            where there is one label for each place.
        labels: Array `(places,)`, or None where there are rows.
        values: The distinct numbers among them, sorted.
        counts: How often each occurs.
        is_mask: Whether the places are pixels of images.
    """

    units: int
    rows: Any
    labels: Any
    values: np.ndarray
    counts: np.ndarray
    is_mask: bool

    @property
    def classes(self) -> int:
        """How many classes the units distinguish."""
        return max(2, self.units)

    def share(self, chosen: np.ndarray) -> float:
        """Share of the numbers whose value is among the chosen, a mask of `values`."""
        return float(self.counts[chosen].sum() / self.counts.sum())

    def table(self, chosen: np.ndarray) -> list[list]:
        """`[[value, count], ...]` of the chosen values, the first few."""
        pairs = zip(self.values[chosen], self.counts[chosen], strict=True)
        return [[_number(v), int(c)] for v, c in list(pairs)[:MOST_SHOWN]]


def read_targets(
    targets: Any,
    shape: tuple[int, ...],
    axis: int = -1,
    ignored: tuple[int, ...] = (),
) -> Targets:
    """Reads the targets of one output.

    Args:
        targets: NumPy array `(N, ...)`.
        shape: The shape of the predictions.
        axis: Integer, the class axis of the predictions. Defaults to `-1`.
        ignored: Ids of void. Defaults to none.

    Returns:
        `Targets`.

    Examples:
        >>> targets = read_targets(np.array([2, 255, 0]), (3, 4), ignored=(255,))
        >>> targets.form, targets.classes, targets.void.tolist()
        ('ids', [0, 2], [False, True, False])
    """
    targets = np.asarray(targets)
    shape = shape if len(shape) > 1 else (*shape, 1)
    units = shape[axis]
    if targets.dtype.kind not in "biuf":
        return Targets("real", [], units)
    layout = _layout(targets.shape, shape, axis) if targets.size else None
    if layout is None:
        form, classes = _form_of_labels(targets, targets.size, units)
        return Targets(form, classes, units)
    shape, is_rows = layout
    if targets.dtype.kind == "f" and targets.itemsize < 4:
        targets = targets.astype("float32")  # holds every id

    def masks(multi_label):
        read = read_labels(targets, shape, ignored, axis, multi_label, check=False)
        return [backend.to_numpy(m).ravel() for m in (read.valid, read.invalid)]

    valid, invalid = masks(multi_label=True)
    kept = valid | invalid
    if is_rows:
        numbers = np.moveaxis(targets, axis, -1).reshape(-1, targets.shape[axis])
    else:
        numbers = targets.ravel()
    if is_rows and numbers.shape[1] == units:
        form, classes = _form_of_rows(numbers[kept])
        if form in ("one-hot", "soft"):  # exclusive: a row of zeros is void
            valid, invalid = masks(multi_label=False)
    else:
        form, classes = _form_of_labels(numbers[kept], targets.size, units, is_rows)
    axis %= len(shape)
    places = (*shape[1:axis], *shape[axis + 1 :])
    return Targets(form, classes, units, places, numbers, valid, invalid)


def counted_targets(view: Any) -> CountedTargets | None:
    """The `CountedTargets` of an output, or None if they do not fit the predictions.

    Void, numbers that are not finite and places of weight 0 are left out.

    Args:
        view: `OutputView`.
    """
    targets = view.labels
    if targets is None or targets.numbers is None:
        return None
    numbers = targets.numbers
    keep = np.isfinite(numbers)
    # A row of zeros is void for our losses, and a fault for those of Keras.
    keep = (keep.all(1) if targets.is_rows else keep) & ~targets.ignored
    # Out of range, a label is an error, or NaN, in a sparse loss, whatever its weight.
    if view.loss.kind != "sparse":
        keep &= has_weight(view, len(numbers))
    numbers = numbers[keep]
    if not numbers.size:
        return None
    values, counts = np.unique(numbers, return_counts=True)
    rows, labels = (numbers, None) if targets.is_rows else (None, numbers)
    values, is_mask = values.astype("float64"), len(targets.shape) > 1
    return CountedTargets(targets.units, rows, labels, values, counts, is_mask)


def real_targets(view: Any) -> np.ndarray | None:
    """The targets of a regression as float64 `(rows, columns)`, or None."""
    y = view.targets
    if y is None or view.task != "regression" or y.dtype.kind not in "biuf":
        return None
    if not y.size or view.predictions.size != y.size:
        return None
    return y.reshape(-1, view.head.units).astype("float64")


def _layout(targets, shape, axis):
    """`(shape, is_rows)` as `read_labels` sees them; None if they do not fit.

    Rows may have another number of columns than the predictions: that is a fault to
    report. `shape` is that of predictions for which they fit.
    """
    shapes = [shape]
    if len(targets) == len(shape):
        other = list(shape)
        other[axis] = targets[axis]
        shapes.append(tuple(other))
    for one in shapes:
        try:
            return one, label_form(targets, one, axis)[1]
        except ValueError:
            continue
    return None


def _form_of_rows(rows):
    rows = rows[np.isfinite(rows).all(1)].astype("float64")
    plain = rows[~np.isin(rows, VOID).any(1)]  # ids of void that the loss does not know
    if plain.size and (plain >= 0).all() and (plain <= 1).all():
        rows = plain
    if not rows.size or (rows < 0).any() or (rows > 1).any():
        return "real", []
    sums = rows.sum(1)
    rows, sums = rows[sums > 0], sums[sums > 0]
    if np.isin(rows, (0, 1)).all():
        form = "one-hot" if (sums == 1).all() else "multi-hot"
    else:
        form = "soft" if np.allclose(sums, 1, atol=0.01) else "real"
    return form, sorted(set(rows.argmax(1).tolist()))


def _form_of_labels(values, size, units, is_rows=False):
    values = np.unique(values[np.isfinite(values)])
    if not values.size or (values != np.floor(values)).any():
        return "real", []
    if np.isin(values, (0, 1)).all():
        return "binary", values.astype(int).tolist()
    few = len(values) <= max(20, 0.05 * size)
    # One whole number for several units is the number of a unit.
    few |= 1 < units >= values.max() and not is_rows
    if few and values.min() >= -1 and values.max() <= max(1000, units):
        return "ids", values.astype(int).tolist()
    return "real", []


def _number(value):
    return int(value) if value == int(value) else float(value)
