"""What learners would reach by chance, and with a signal that is there."""

import numpy as np

MOST_COLUMNS = 8  # of the targets; of more, as many main directions
SHUFFLES = 200
PLANTED = 40
MODERATE = 0.4  # coefficient of determination of a planted signal
# Strengths, in standard deviations of chance. By chance alone, the best of the learners
# exceeds the middle one once in two hundred times.
UNSEEN, SEEN, BEYOND_DOUBT = 2.5, 3.0, 6.0


def without_tails(targets: np.ndarray) -> np.ndarray:
    """Targets clipped at their 2 % tails, which would decide everything."""
    return np.clip(targets, *np.quantile(targets, (0.02, 0.98), axis=0))


def main_columns(targets: np.ndarray) -> np.ndarray:
    """The columns that vary, scaled to a spread of 1; of many, the main directions."""
    spread = targets.std(0)
    columns = targets[:, spread > 1e-9 * (np.abs(targets).max(initial=0) + 1e-30)]
    columns = columns / np.where(columns.std(0) > 0, columns.std(0), 1)
    if columns.shape[1] <= MOST_COLUMNS:
        return columns.astype("float32")
    left, size, _ = np.linalg.svd(columns, full_matrices=False)
    return (left[:, :MOST_COLUMNS] * size[:MOST_COLUMNS]).astype("float32")


def count_of_rarer(kind: str, targets: np.ndarray, mean: np.ndarray) -> int:
    """How many rows do not have the most frequent answer."""
    rows = targets + mean
    if kind == "classes":
        counts = np.bincount(rows.argmax(1))
        return int(len(rows) - counts.max())
    if kind == "multi_label":
        on = (rows > 0.5).sum(0)
        return int(np.minimum(on, len(rows) - on).max())
    _, counts = np.unique(rows[:, targets.std(0).argmax()], return_counts=True)
    return int(len(rows) - counts.max())


def orders_of_rows(
    columns: np.ndarray, similarity: np.ndarray, group: int
) -> np.ndarray:
    """Orders of rows: as they are, shuffled, and so that targets follow inputs."""
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


def strength_of(
    learners: list[np.ndarray], columns: np.ndarray, orders: np.ndarray
) -> tuple[float, float]:
    """How far the targets in their own order are from chance, and the power."""
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
