"""Whether the inputs tell anything of the targets, by simple learners on held-out rows.

Each learner is a matrix that turns targets into predictions of samples it has not seen.
Such a matrix does not depend on the targets: the same targets in a random order show
what chance gives, and targets put in an order that follows the inputs show what a real
signal would give.
"""

from typing import NamedTuple

import keras
import numpy as np

from keras_trainfix.diagnosis.baselines import read_rows

FEWEST, FEWEST_IMAGES = 24, 8  # samples; images with an answer at each place
ENOUGH = 8  # rows of a class
MOST_ROWS = 384  # of images and sequences whose places are rows
MOST_COLUMNS = 8  # of the targets, else that many directions
RIDGES = (0.003, 0.1, 3.0)  # against similarities of 1 with itself
NEIGHBOURS = (3, 12)
SHUFFLES = 200
PLANTED = 40
MODERATE = 0.4  # coefficient of determination of a planted signal
# Strengths, in standard deviations of chance. The best of some learners goes beyond the
# middle one once in two hundred times by chance alone.
UNSEEN, SEEN, BEYOND_DOUBT = 2.5, 3.0, 6.0
SIZES = {3: 64, 4: 16, 5: 8}  # of an axis after pooling, by dimensions of the input
CHANNELS = 64  # of an input: more are mixed into so many
BUCKETS, HASHED = 4096, 64  # of ids: in a bag, and at each place
POSITIONS = 64  # of a sequence of ids, at its ends
NEAR = 2  # places to each side
FAR = 4  # times as far apart


class Learner(NamedTuple):
    """What a simple learner gets.

    Attributes:
        skill: Coefficient of determination on held-out rows (for classes, of
            probabilities against 0 and 1): 0 is no better than a constant.
        error: Standard error of `skill`.
        fitted: The same on the rows it was fitted on.
        accuracy: Share of right classes on held-out rows; None for regression.
    """

    skill: float
    error: float
    fitted: float
    accuracy: float | None


class Signal(NamedTuple):
    """Whether simple learners find in the inputs what the targets are.

    Attributes:
        kind: `"regression"`, `"classes"` or `"labels"`, as in `baselines.Answers`.
        samples: Integer.
        features: Integer, the numbers of a sample that the learners look at.
        linear: `Learner`: ridge regression.
        neighbours: `Learner`: the mean of the nearest neighbours.
        strength: Float, how far the best learner is from what chance gives, in standard
            deviations of chance. A learner of squares and products of features counts
            as well.
        power: Share of planted signals of moderate strength that would be seen; 0 where
            classes have few rows each.
        majority: Share of the class that occurs most; None for regression.
    """

    kind: str
    samples: int
    features: int
    linear: Learner
    neighbours: Learner
    strength: float
    power: float
    majority: float | None

    @property
    def is_seen(self):
        """Whether there is a signal beyond doubt."""
        return self.strength >= BEYOND_DOUBT

    @property
    def is_absent(self):
        """Whether nothing was found, and a moderate signal would have been."""
        return self.strength < UNSEEN and self.power >= 0.8


class Rows(NamedTuple):
    """What the learners look at: as many rows a sample for all samples.

    Attributes:
        linear: Array `(n, n)`, how similar rows are by their numbers.
        all: The same, by contrasts and statistics of images and series as well.
        features: Integer.
        targets: Float64 array `(n, columns)`.
        group: Integer, the rows of a sample, one after the other.
        counted: Boolean array `(n,)`: not void.
    """

    linear: np.ndarray
    all: np.ndarray
    features: int
    targets: np.ndarray
    group: int
    counted: np.ndarray


def signal(probe):
    """The `Signal` of an output.

    Args:
        probe: `Probe`.

    Returns:
        `Signal`, or None where simple learners have nothing to learn from: no targets
        or too few, numbers that are not finite, or a single class.
    """
    answers, places = read_rows(probe)
    if answers is None:
        return None
    kind, _, targets = answers
    inputs = list(probe.inputs.values())
    if not all(_is_finite(array) for array in inputs):
        return None
    shape = () if kind == "regression" else _shape_of_places(probe)
    with np.errstate(all="ignore"):
        if int(np.prod(shape)) > 1:
            rows = _dense(probe, inputs, targets, places, shape)
        else:
            kept = [array[places] for array in inputs]
            rows = rows_of_samples(kept, _embedded(probe), targets)
        if rows is None or not np.isfinite(rows.all).all():
            return None
        return signal_of(kind, rows)


def signal_of(kind, rows):
    """The `Signal` of `Rows` for targets of a kind; None if there is too little."""
    targets, counted = rows.targets, rows.counted
    samples = len(targets) // rows.group
    if samples < (FEWEST if rows.group == 1 else FEWEST_IMAGES):
        return None
    if not counted.any():
        return None
    mean = targets[counted].mean(0)
    targets = np.where(counted[:, None], targets - mean, 0.0)
    columns = _columns(_without_tails(targets) if kind == "regression" else targets)
    if not columns.shape[1] or _rare(kind, targets, mean) < 3:
        return None
    linear = [_ridge(rows.linear, penalty, rows.group) for penalty in RIDGES]
    both = _products(rows.all)
    products = [_ridge(both, penalty, rows.group) for penalty in RIDGES[1:]]
    near = [(None, _nearest(rows.all, k, rows.group)) for k in NEIGHBOURS]
    constant = _mean_of_others(len(targets), rows.group)
    learners = [*linear, *products, *near]
    orders = _orders(columns, rows.linear, rows.group)
    strength, power = _strength(
        [held_out - constant for _, held_out in learners], columns, orders
    )
    scores = _Scores(kind, targets, mean, counted, constant, rows.group)
    if kind == "classes" and counted.sum() < ENOUGH * np.count_nonzero(mean):
        power = 0.0
    majority = float(mean.max()) if kind == "classes" else None
    return Signal(
        kind,
        samples,
        rows.features,
        scores.best(linear),
        scores.best(near),
        strength,
        power,
        majority,
    )


def _shape_of_places(probe):
    """The shape of predictions without samples and classes."""
    shape = list(probe.predictions.shape)
    axis = getattr(probe.loss.loss, "axis", -1)
    if len(shape) > 1:
        del shape[axis if isinstance(axis, int) and len(shape) > 2 else -1]
    return tuple(shape[1:])


def _is_finite(array):
    return array.dtype.kind in "biu" or (
        array.dtype.kind == "f" and bool(np.isfinite(array).all())
    )


def _embedded(probe):
    """The lengths of the sequences of ids that go into an `Embedding`."""
    return {
        output.values.shape[1:-1]
        for output in probe.layers
        if isinstance(output.layer, keras.layers.Embedding)
    }


# --- How similar samples are ---


def rows_of_samples(inputs, embedded, targets):
    """`Rows` of samples as a whole."""
    linear, more, features = [], [], 0
    for array in inputs:
        is_ids = array.shape[1:] in embedded and (array == np.floor(array)).all()
        if is_ids:
            blocks, others = _of_ids(array), []
        else:
            blocks, others = _of_numbers(array)
        features += sum(block.shape[1] for block in blocks + others)
        linear += [_similarity(block) for block in blocks if block.shape[1]]
        more += [_similarity(block) for block in others if block.shape[1]]
    if not linear:
        return None
    counted = np.ones(len(targets), bool)
    return Rows(_mean(linear), _mean(linear + more), features, targets, 1, counted)


def _of_numbers(array):
    """Features of numbers: those that are linear in them, and others."""
    length = len(array)
    array = array.reshape(length, -1) if array.ndim < 3 else array
    if array.ndim == 2:
        return [_standardized(array, 0.0)], []
    array = array.astype("float32")
    spread = array.std()
    array = (array - array.mean()) / (spread or 1)
    if array.shape[-1] > CHANNELS:
        mix = np.random.default_rng(0).normal(size=(array.shape[-1], CHANNELS))
        array = array @ (mix / np.sqrt(CHANNELS)).astype("float32")
    size = SIZES.get(array.ndim, 8)
    pooled = _pooled(array, size)
    others = [_standardized(_statistics(array), 0.0)]
    if pooled.shape != array.shape:
        energy = _pooled(array**2, size) - pooled**2
        contrast = np.sqrt(np.maximum(energy, 0)).reshape(length, -1)
        others.append(_standardized(contrast, 0.1))
    return [_standardized(pooled.reshape(length, -1), 0.1)], others


def _pooled(array, size):
    """Means over equal parts of all axes but the first and the last."""
    for axis in range(1, array.ndim - 1):
        length = array.shape[axis]
        if length > size:
            array = _averaged(array, axis, np.arange(length) * size // length)
    return array


def _averaged(array, axis, part):
    """Means along an axis over the entries that belong to the same part."""
    mean = (part == np.arange(part[-1] + 1)[:, None]).astype("float32")
    mean /= mean.sum(1, keepdims=True)
    # One product: many small ones are slow where the cores are busy.
    last = np.moveaxis(array, axis, -1)
    flat = last.reshape(-1, len(part)) @ mean.T
    return np.moveaxis(flat.reshape(*last.shape[:-1], -1), -1, axis)


def _statistics(array):
    """What each channel of a sample is like, wherever it is so."""
    axes = tuple(range(1, array.ndim - 1))
    steps = [np.abs(np.diff(array, axis=axis)).mean(axes) for axis in axes]
    parts = [array.mean(axes), array.std(axes), array.min(axes), array.max(axes)]
    return np.concatenate(parts + steps, 1)


def _standardized(features, damping):
    """Features with mean 0 and spread 1; the damped ones less, which vary little."""
    features = features.astype("float64")
    features = features - features.mean(0)
    spread = features.std(0)
    largest = np.abs(features).max(0, initial=0)
    varies = np.isfinite(spread) & (spread > 1e-9 * (largest + 1e-30))
    features, spread = features[:, varies], spread[varies]
    damped = np.sqrt(spread**2 + damping**2 * np.mean(spread**2)) if len(spread) else 1
    return np.clip(features / damped, -5, 5).astype("float32")


def _of_ids(ids):
    """Features of ids: how often each occurs, and which stands where."""
    length = len(ids)
    ids = ids.reshape(length, -1).astype("int64")
    _, names = np.unique(ids, return_inverse=True)
    names = names.reshape(ids.shape) % BUCKETS
    bag = np.zeros((length, int(names.max()) + 1), "float32")
    np.add.at(bag, (np.arange(length)[:, None], names), 1)
    blocks = [_centred(np.sqrt(bag))]
    ends = names
    if names.shape[1] > POSITIONS:
        half = POSITIONS // 2
        ends = np.concatenate([names[:, :half], names[:, -half:]], 1)
    places = [np.eye(HASHED, dtype="float32")[n % HASHED] for n in ends.T]
    blocks.append(_centred(np.concatenate(places, 1)))
    return blocks


def _centred(features):
    features = features - features.mean(0)
    return features[:, features.any(0)]


def _similarity(features):
    products = (features @ features.T).astype("float64")
    return _normalized(products)


def _normalized(products):
    """Centred, with a mean similarity of 1 of rows with themselves."""
    means = products.mean(0)
    products = products - means - means[:, None] + means.mean()
    scale = np.trace(products) / len(products)
    return products / scale if scale > 0 else products


def _products(similarity):
    """How similar rows are by their numbers and by all products of two of them."""
    return _normalized(similarity**2 + 2 * similarity)


def _mean(similarities):
    return sum(similarities[1:], similarities[0]) / len(similarities)


# --- Images and sequences with an answer at each place ---


def _dense(probe, inputs, targets, places, shape):
    """`Rows` of some places, the same ones of each sample, by what is around them."""
    samples, per_sample = len(probe.predictions), int(np.prod(shape))
    fitting = [a for a in inputs if a.shape[1 : len(shape) + 1] == shape]
    if not fitting:
        return None
    number = min(per_sample, max(1, MOST_ROWS // samples))
    chosen = np.random.default_rng(0).choice(per_sample, number, replace=False)
    index = np.unravel_index(np.sort(chosen), shape)
    flat = np.ravel_multi_index(index, shape)
    all_targets = np.zeros((samples * per_sample, targets.shape[1]))
    counted = np.zeros(len(all_targets), bool)
    all_targets[places], counted[places] = targets, True
    rows = (np.arange(samples)[:, None] * per_sample + flat).ravel()
    blocks = [
        _standardized(_around(array, index), 0.1)
        for array in (_with_channels(a, probe, len(shape)) for a in fitting)
    ]
    blocks = [block for block in blocks if block.shape[1]]
    if not blocks:
        return None
    similarity = _mean([_similarity(block) for block in blocks])
    features = sum(block.shape[1] for block in blocks)
    return Rows(
        similarity, similarity, features, all_targets[rows], number, counted[rows]
    )


def _with_channels(array, probe, dims):
    """The array with channels on its last axis; of ids, one for each of a few."""
    if array.ndim > dims + 1:
        return array.astype("float32")
    if array.shape[1:] in _embedded(probe):
        return np.eye(HASHED, dtype="float32")[array.astype("int64") % HASHED]
    return array[..., None].astype("float32")


def _around(array, index):
    """The neighbours of places, near ones and, averaged, those farther away."""
    dims = len(index)
    array = array[..., :CHANNELS]
    reach = [range(-NEAR, NEAR + 1)] * dims
    offsets = np.stack(np.meshgrid(*reach, indexing="ij"), -1).reshape(-1, dims)
    coarse, scale = array, 1
    if min(array.shape[1 : dims + 1]) >= 4 * FAR:
        scale = FAR
        for axis in range(1, dims + 1):
            part = np.arange(array.shape[axis]) // FAR
            coarse = _averaged(coarse, axis, part)
    parts = [_taken(array, index, offset) for offset in offsets]
    if scale > 1:
        low = tuple(i // scale for i in index)
        parts += [_taken(coarse, low, offset) for offset in offsets]
    return np.concatenate(parts, -1).reshape(len(array) * len(index[0]), -1)


def _taken(array, index, offset):
    """`(samples, places, channels)` next to places; the edge goes on beyond it."""
    sizes = array.shape[1 : len(index) + 1]
    moved = [
        np.clip(i + step, 0, size - 1)
        for i, step, size in zip(index, offset, sizes, strict=True)
    ]
    return array[(slice(None), *moved)]


# --- Learners as matrices ---


def _ridge(similarity, penalty, group):
    """The matrices of a ridge regression, for fitted and for held-out rows.

    Args:
        similarity: Array `(n, n)`, centred.
        penalty: Float.
        group: Integer, rows of a sample: they are held out together.

    Returns:
        `(fitted, held_out)`, arrays `(n, n)`.
    """
    one = np.eye(len(similarity))
    fitted = one - penalty * np.linalg.inv(similarity + penalty * one)
    fitted += 1 / len(fitted)  # the mean
    return fitted, _held_out(fitted, group)


def _held_out(fitted, group):
    """The matrix that predicts each sample without its own rows."""
    count = len(fitted) // group
    blocks = fitted.reshape(count, group, count, group)
    each = np.arange(count)
    own = blocks[each, :, each, :]
    others = blocks.copy()
    others[each, :, each, :] = 0
    others = others.reshape(count, group, -1)
    rest = np.eye(group) * (1 + 1e-9) - own
    return np.linalg.solve(rest, others).reshape(fitted.shape)


def _nearest(similarity, number, group):
    """The matrix of means over the nearest rows of other samples."""
    length = len(similarity)
    number = min(number, max(1, length - group))
    size = np.diag(similarity)
    distance = size - 2 * similarity + size[:, None]
    sample = np.arange(length) // group
    distance = np.where(sample == sample[:, None], np.inf, distance)
    nearest = np.argpartition(distance, number - 1, axis=1)[:, :number]
    matrix = np.zeros((length, length))
    np.put_along_axis(matrix, nearest, 1 / number, 1)
    return matrix


def _mean_of_others(length, group):
    sample = np.arange(length) // group
    others = sample != sample[:, None]
    return others / others.sum(1, keepdims=True)


# --- What chance would give ---


def _without_tails(targets):
    """A few targets that are far from the others would decide everything."""
    return np.clip(targets, *np.quantile(targets, (0.02, 0.98), axis=0))


def _columns(targets):
    """The columns of targets that vary, with spread 1; of many, the main directions."""
    spread = targets.std(0)
    columns = targets[:, spread > 1e-9 * (np.abs(targets).max(initial=0) + 1e-30)]
    columns = columns / np.where(columns.std(0) > 0, columns.std(0), 1)
    if columns.shape[1] <= MOST_COLUMNS:
        return columns.astype("float32")
    left, size, _ = np.linalg.svd(columns, full_matrices=False)
    return (left[:, :MOST_COLUMNS] * size[:MOST_COLUMNS]).astype("float32")


def _rare(kind, targets, mean):
    """How many rows do not have the commonest answer."""
    rows = targets + mean
    if kind == "classes":
        counts = np.bincount(rows.argmax(1))
        return len(rows) - counts.max()
    if kind == "labels":
        on = (rows > 0.5).sum(0)
        return int(np.minimum(on, len(rows) - on).max())
    _, counts = np.unique(rows[:, targets.std(0).argmax()], return_counts=True)
    return len(rows) - counts.max()


def _orders(columns, similarity, group):
    """Orders of rows: as they are, shuffled, and such that targets follow inputs."""
    rng = np.random.default_rng(0)
    length = len(columns)
    count = length // group
    own = np.arange(group)
    shuffled = [
        (rng.permutation(count)[:, None] * group + own).ravel() for _ in range(SHUFFLES)
    ]
    main = np.linalg.svd(columns, full_matrices=False)[0][:, 0]
    sorted_rows = np.argsort(main + 1e-9 * rng.normal(size=length), kind="stable")
    # Random weights of the features give scores that are as similar as the rows.
    root = np.linalg.cholesky(similarity + 1e-3 * np.eye(length))
    scores = root @ rng.normal(size=(length, PLANTED))
    scores /= scores.std(0) + 1e-30
    scores = np.sqrt(MODERATE) * scores
    scores += np.sqrt(1 - MODERATE) * rng.normal(size=scores.shape)
    planted = [sorted_rows[np.argsort(np.argsort(score))] for score in scores.T]
    return np.stack([np.arange(length), *shuffled, *planted])


def _strength(learners, columns, orders):
    """How far from chance the targets are in their own order, and the power."""
    placed = columns[orders].transpose(1, 0, 2)  # rows, orders, columns
    flat = np.ascontiguousarray(placed.reshape(len(placed), -1))
    own = np.sqrt((flat**2).sum(0)) + 1e-12
    results = []
    for learner in learners:
        answers = learner.astype("float32") @ flat
        size = np.sqrt((answers**2).sum(0)) + 1e-12
        found = ((answers * flat).sum(0) / size / own).reshape(placed.shape[1:])
        found = _against_chance(found)
        together = _against_chance(found.mean(1, keepdims=True))
        results += [found, together]
    farthest = np.abs(np.concatenate(results, 1)).max(1)
    strengths = _against_chance(farthest[:, None])[:, 0]
    planted = strengths[1 + SHUFFLES :]
    return float(strengths[0]), float((planted >= SEEN).mean())


def _against_chance(found):
    chance = found[1 : 1 + SHUFFLES]
    return (found - chance.mean(0)) / (chance.std(0) + 1e-12)


class _Scores(NamedTuple):
    """Turns the matrices of a learner into a `Learner`."""

    kind: str
    targets: np.ndarray
    mean: np.ndarray
    counted: np.ndarray
    constant: np.ndarray
    group: int

    def best(self, learners):
        """Of learners of a family the one that is best on held-out rows."""
        return max((self.of(*learner) for learner in learners), key=lambda s: s.skill)

    def of(self, fitted, held_out):
        """The `Learner` of matrices for fitted (or None) and for held-out rows."""
        answers = held_out @ self.targets
        base = self._errors(self.constant @ self.targets)
        errors = self._errors(answers)
        left = errors.sum() / base.sum()
        # Of a ratio, by samples: the rows of one are not independent.
        spread = (errors - left * base).std() / base.mean() / np.sqrt(len(base))
        on_fitted = 1.0
        if fitted is not None:
            missed = self._errors(fitted @ self.targets).sum()
            on_fitted -= missed / self._errors(0.0).sum()
        return Learner(
            float(1 - left), float(spread), float(on_fitted), self._accuracy(answers)
        )

    def _errors(self, answers):
        """Sums of squared errors, one a sample."""
        errors = ((self.targets - answers) ** 2).sum(1) * self.counted
        return errors.reshape(-1, self.group).sum(1)

    def _accuracy(self, answers):
        said, right = answers + self.mean, self.targets + self.mean
        if self.kind == "classes":
            hits = said.argmax(1) == right.argmax(1)
        elif self.kind == "labels":
            hits = (said > 0.5) == (right > 0.5)
        else:
            return None
        return float(hits[self.counted].mean())
