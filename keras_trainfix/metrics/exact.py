"""Numbers that stay exact as they add up, whatever the backend can hold.

JAX has no 64-bit numbers by default, and float32 stops counting at 2**24. A number is
kept as four parts on a first axis, float32 each:

    part 0 + part 1 + 2**16 * part 2 + 2**32 * part 3

where part 0 is a fraction and the others are whole and, after `carry`, below 2**16
(the last below 2**24). Parts of several devices may be added up as they are.
"""

import numpy as np
from keras import ops

from keras_trainfix import backend

BASE = 2.0**16
PARTS = 4
LARGEST_WEIGHT = 2.0**32
DIGITS = 5  # of 8 bits: a weight that is 2**-16 of the largest keeps all of its bits
PIECE = 2**22  # digits of so many pixels add up to less than 2**31


def carry(parts):
    """The same numbers with every part back in its range."""
    fraction, ones, middle, high = (parts[i] for i in range(PARTS))
    over = ops.floor(fraction)
    fraction, ones = fraction - over, ones + over
    over = ops.floor(ones / BASE)
    ones, middle = ones - over * BASE, middle + over
    over = ops.floor(middle / BASE)
    return ops.stack([fraction, ones, middle - over * BASE, high + over])


def rounded(parts):
    """The numbers as float32, with a relative error below 2e-7."""
    fraction, ones, middle, high = (carry(parts)[i] for i in range(PARTS))
    return ((high * BASE + middle) * BASE + ones) + fraction


def from_counts(counts):
    """The parts of whole numbers from 0 to 2**31."""
    ones, middle = ops.mod(counts, int(BASE)), ops.floor_divide(counts, int(BASE))
    zeros = ops.zeros_like(counts, "float32")
    return ops.stack(
        [zeros, ops.cast(ones, "float32"), ops.cast(middle, "float32"), zeros]
    )


def from_weights(weights, ids, length):
    """The parts of the sums of the weights of each id.

    Whole weights below 2**24 add up exactly, and others to 2**-40 of the largest.

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
    total = ops.zeros((PARTS, length), "float32")
    for start in range(0, size or 1, PIECE):
        piece = slice(start, None if size is None else start + PIECE)
        rest, unit = weights[piece] / scale, scale
        for _ in range(DIGITS):
            digit = ops.floor(rest * 256)
            rest, unit = rest * 256 - digit, unit / 256
            sums = ops.segment_sum(
                ops.cast(digit, backend.widest("int")), ids[piece], length
            )
            # 16 bits at a time are exact in float32, times a power of 2 as well.
            high, low = ops.floor_divide(sums, 2**16), ops.mod(sums, 2**16)
            for number, of in ((low, unit), (high, unit * BASE)):
                total = carry(total + _split(ops.cast(number, "float32") * of))
    return total


def _split(numbers):
    """The parts of float32 numbers."""
    high = ops.floor(numbers / BASE**2)
    numbers = numbers - high * BASE**2
    middle = ops.floor(numbers / BASE)
    numbers = numbers - middle * BASE
    ones = ops.floor(numbers)
    return ops.stack([numbers - ones, ones, middle, high])


def add_to_pair(pair, amount):
    """Adds to a sum that is kept with its rounding error: float32 tensors `(2, ...)`.

    The two add up to the sum in about 48 bits. Amounts may be of either sign.

    Reference:
        [Knuth, The Art of Computer Programming, vol. 2, 4.2.2](https://www-cs-faculty.stanford.edu/~knuth/taocp.html).
    """
    total, error = pair[0], pair[1]
    new = total + amount
    part = new - total
    return ops.stack([new, error + ((total - (new - part)) + (amount - part))])


def to_numpy(parts):
    """The numbers as a NumPy array: int64, or float64 where one has a fraction."""
    parts = backend.to_numpy(parts).astype("float64")
    # Of several devices the parts may be beyond their range, which int64 can hold, and
    # they may be shares of a number that was put on all, which add up but for rounding.
    whole = sum(
        np.rint(parts[i]).astype("int64") * int(BASE) ** (i - 1)
        for i in range(1, PARTS)
    )
    return whole + parts[0] if parts[0].any() else whole


def from_numpy(numbers):
    """The parts of a NumPy array of numbers, 0 or more, as a NumPy array."""
    numbers = np.asarray(numbers)
    whole = np.floor(numbers).astype("int64")
    base = int(BASE)
    parts = [numbers - whole, whole % base, whole // base % base, whole // base**2]
    return np.stack(parts).astype("float32")
