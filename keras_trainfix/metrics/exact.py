"""Sums that stay exact, whatever precision the backend has.

JAX has no 64-bit numbers by default, and float32 stops counting at 2**24. A number is
therefore stored as four limbs on a new first axis, each of them float32:

    limb 0 + limb 1 + 2**16 * limb 2 + 2**32 * limb 3

Limb 0 is a fraction; the others are whole and, after `carry`, below 2**16 (the last
below 2**24). Limbs from several devices can be added elementwise.
"""

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from keras_trainfix import backend
from keras_trainfix.labels.types import Tensor

BASE = 2.0**16
LIMBS = 4
LARGEST_WEIGHT = 2.0**32
DIGITS = 5  # of 8 bits: a weight that is 2**-16 of the largest keeps all of its bits
PIECE = 2**22  # pixels: the digits of this many add up to less than 2**31


def carry(limbs: Tensor) -> Tensor:
    """The same numbers with every limb back in its range."""
    lib = backend.library(limbs)
    fraction, ones, middle, high = (limbs[i] for i in range(LIMBS))
    over = lib.floor(fraction)
    fraction, ones = fraction - over, ones + over
    over = lib.floor(ones / BASE)
    ones, middle = ones - over * BASE, middle + over
    over = lib.floor(middle / BASE)
    return lib.stack([fraction, ones, middle - over * BASE, high + over])


def add(variable: keras.Variable, amount: Tensor) -> None:
    """Adds limbs to a variable of limbs: an array by NumPy, in a fraction of the time.

    Eager code has arrays, as it has read the numbers of invalid labels already.
    """
    limbs = ops.convert_to_tensor(variable)
    if isinstance(amount, np.ndarray) and backend.is_concrete(limbs):
        limbs = backend.to_numpy(limbs)
    variable.assign(carry(limbs + amount))


def rounded(limbs: Tensor) -> Tensor:
    """The numbers as float32, with a relative error below 2e-7."""
    limbs = carry(limbs)
    fraction, ones, middle, high = (limbs[i] for i in range(LIMBS))
    return ((high * BASE + middle) * BASE + ones) + fraction


def from_counts(counts: Tensor) -> Tensor:
    """The limbs of whole numbers from 0 to 2**31."""
    lib, base = backend.library(counts), int(BASE)
    ones, middle = lib.mod(counts, base), lib.floor_divide(counts, base)
    zeros = lib.zeros_like(counts)
    limbs = lib.stack([zeros, ones, middle, zeros])
    return limbs.astype("float32") if lib is np else ops.cast(limbs, "float32")


def from_weights(weights: Tensor, ids: Tensor, length: int) -> Tensor:
    """The limbs of the sum of the weights of each id.

    Whole weights below 2**24 add up exactly, others to within 2**-40 of the largest.

    Args:
        weights: Float32 tensor `(P,)`, from 0 to below 2**32.
        ids: Integer tensor `(P,)`.
        length: Integer, the number of ids.

    Returns:
        Float32 tensor `(4, length)`.
    """
    size = weights.shape[0]
    largest = ops.max(weights, initial=0.0)
    # A power of 2, so that dividing by it is exact: at most twice the largest weight.
    exponent = ops.floor(ops.log2(ops.maximum(largest, 1e-30))) + 1
    scale = ops.power(2.0, exponent)
    total = ops.zeros((LIMBS, length), "float32")
    for start in range(0, size or 1, PIECE):
        piece = slice(start, None if size is None else start + PIECE)
        rest, unit = weights[piece] / scale, scale
        for _ in range(DIGITS):
            digit = ops.floor(rest * 256)
            rest, unit = rest * 256 - digit, unit / 256
            sums = ops.segment_sum(
                ops.cast(digit, backend.widest("int")), ids[piece], length
            )
            # Each half has 16 bits: exact in float32, also times a power of 2.
            high, low = ops.floor_divide(sums, 2**16), ops.mod(sums, 2**16)
            for number, of in ((low, unit), (high, unit * BASE)):
                total = carry(total + _split(ops.cast(number, "float32") * of))
    return total


def _split(numbers: Tensor) -> Tensor:
    """The limbs of float32 numbers."""
    high = ops.floor(numbers / BASE**2)
    numbers = numbers - high * BASE**2
    middle = ops.floor(numbers / BASE)
    numbers = numbers - middle * BASE
    ones = ops.floor(numbers)
    return ops.stack([numbers - ones, ones, middle, high])


def add_to_pair(pair: Tensor, amount: Tensor) -> Tensor:
    """Adds to a sum that is stored with its rounding error, float32 `(2, ...)`.

    The pair adds up to the sum in about 48 bits. Amounts may have either sign.

    Reference:
        [Knuth, The Art of Computer Programming, vol. 2, 4.2.2](https://www-cs-faculty.stanford.edu/~knuth/taocp.html).
    """
    total, error = pair[0], pair[1]
    new = total + amount
    part = new - total
    return ops.stack([new, error + ((total - (new - part)) + (amount - part))])


def to_numpy(limbs: Tensor) -> np.ndarray:
    """The numbers as a NumPy array: int64, or float64 if any has a fraction."""
    limbs = backend.to_numpy(limbs).astype("float64")
    # Limbs summed over devices may exceed their range, which int64 can hold. They may
    # also be shares of a number that was spread over all devices, and these add up to
    # it only up to rounding.
    whole = sum(
        np.rint(limbs[i]).astype("int64") * int(BASE) ** (i - 1)
        for i in range(1, LIMBS)
    )
    return whole + limbs[0] if limbs[0].any() else whole


def from_numpy(numbers: ArrayLike) -> np.ndarray:
    """The limbs of an array of numbers, 0 or more, as a NumPy array."""
    numbers = np.asarray(numbers)
    whole = np.floor(numbers).astype("int64")
    base = int(BASE)
    limbs = [numbers - whole, whole % base, whole // base % base, whole // base**2]
    return np.stack(limbs).astype("float32")
