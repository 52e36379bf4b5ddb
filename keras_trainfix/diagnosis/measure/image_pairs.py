"""How the second image of a pair was made from the first: mirrored, turned, shifted."""

from collections.abc import Callable

import numpy as np

SIDE = 48  # pixels of a side that are compared; larger images are averaged
ALIKE = 0.9  # correlation of two images that show the same
LEFT = 0.5  # of what the plain image does not explain, by the moved one
CHANGED = 0.02  # of the variance, by a move that counts
SHIFTED = "shifted"

Move = Callable[[np.ndarray], np.ndarray]
MOVES: dict[str, Move] = {  # of arrays (N, H, W, ...)
    "mirrored left to right": lambda images: images[:, :, ::-1],
    "mirrored top to bottom": lambda images: images[:, ::-1],
    "turned by 180 degrees": lambda images: images[:, ::-1, ::-1],
    "transposed": lambda images: images.swapaxes(1, 2),
    "turned by 90 degrees": lambda images: images.swapaxes(1, 2)[:, ::-1],
    "turned by 270 degrees": lambda images: images.swapaxes(1, 2)[:, :, ::-1],
}


def moves_of(shape: tuple[int, ...]) -> dict[str, Move]:
    """The moves that keep a shape `(N, H, W, ...)`: turns need a square."""
    is_square = shape[1] == shape[2]
    return dict(list(MOVES.items())[: None if is_square else 3])


def grays(images: np.ndarray) -> np.ndarray:
    """Images `(N, H, W, C)` as small gray ones `(N, h, w)`, cut at the borders."""
    gray = images.astype("float32").mean(-1)
    step = max(1, -(-max(gray.shape[1:]) // SIDE))
    for axis in (1, 2):
        size = gray.shape[axis] // step * step
        start = (gray.shape[axis] - size) // 2
        gray = np.moveaxis(gray, axis, 1)[:, start : start + size]
        gray = gray.reshape(len(gray), -1, step, *gray.shape[2:]).mean(2)
        gray = np.moveaxis(gray, 1, axis)
    return gray


def how_moved(first: np.ndarray, second: np.ndarray) -> list[str | None]:
    """How each image of `second` was made from that of `first`.

    Args:
        first: Array `(N, h, w)` of gray images.
        second: Array of the same shape.

    Returns:
        List of `""` for the same image, with another brightness or a little noise; the
        name of a move; `"shifted"`; or None where the two do not show the same.
    """
    names = ["", *moves_of(first.shape)]
    moved = [first, *(move(first) for move in moves_of(first.shape).values())]
    fits = np.stack([_correlation(one, second) for one in moved])
    fits = np.concatenate([fits, _correlation_if_shifted(first, second)[None]])
    names.append(SHIFTED)
    answers: list[str | None] = []
    for fit in fits.T:
        best = int(fit.argmax())
        is_better = 1 - fit[best] < LEFT * (1 - fit[0]) and 1 - fit[0] > CHANGED
        best = best if is_better else 0
        answers.append(names[best] if fit[best] > ALIKE else None)
    return answers


def _standardized(images):
    rows = images.reshape(len(images), -1)
    rows = rows - rows.mean(1, keepdims=True)
    size = np.sqrt((rows**2).sum(1, keepdims=True))
    return rows / np.where(size > 0, size, 1)


def _correlation(first, second):
    return (_standardized(first) * _standardized(second)).sum(1)


def _correlation_if_shifted(first, second):
    """The correlation of the parts that overlap after the best shift."""
    transformed = [
        np.fft.rfft2(a - a.mean((1, 2), keepdims=True)) for a in (first, second)
    ]
    shape = first.shape[1:]
    crossed = np.fft.irfft2(transformed[0].conj() * transformed[1], s=shape)
    places = crossed.reshape(len(first), -1).argmax(1)
    fits = np.full(len(first), -1.0)
    for index, place in enumerate(places):
        rows, columns = (
            int(step) if step <= size // 2 else int(step) - size
            for step, size in zip(np.unravel_index(place, shape), shape, strict=True)
        )
        if (rows or columns) and max(abs(rows), abs(columns)) <= min(shape) // 3:
            one = _overlap(first[index], -rows, -columns)
            two = _overlap(second[index], rows, columns)
            fits[index] = _correlation(one[None], two[None])[0]
    return fits


def _overlap(image, rows, columns):
    height, width = image.shape
    return image[
        max(0, rows) : height + min(0, rows),
        max(0, columns) : width + min(0, columns),
    ]
