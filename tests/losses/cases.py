"""Random batches of one shape, and the losses that they are tried on."""

import functools

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st

import keras_trainfix as kt
from tests.losses.reference import BACKEND, COMPILED, array, tensor, value_and_gradient

LOSSES = [
    kt.MaskedCrossentropy,
    kt.MaskedSoftDice,
    kt.MaskedTversky,
    kt.MaskedLovasz,
]
REGIONS = LOSSES[1:]
OF_DISTANCES = [kt.MaskedBoundary, kt.MaskedHausdorff]
OF_SHAPES = [kt.MaskedClDice, *OF_DISTANCES]  # the order of pixels matters to them
FUNCTIONS = [
    kt.masked_crossentropy,
    kt.masked_soft_dice,
    kt.masked_tversky,
    kt.masked_lovasz,
    kt.masked_cl_dice,
    kt.masked_boundary,
    kt.masked_hausdorff,
]
SHAPE = (2, 4, 3)  # one shape for most tests: each new one is traced or compiled
JUNK = [np.nan, np.inf, -np.inf, 1e30, -1e30, 7.0]
CLOSE = {"rtol": 1e-5, "atol": 1e-6}
# Eager, and the mode that changes most about the arithmetic. `test_reference.py` runs
# the losses in every mode.
MODES = ["eager", *COMPILED[-1:]]
# Eager operations are several times slower on TensorFlow and JAX, whose arithmetic
# `test_reference.py` compares with NumPy.
EXAMPLES = max(1, settings().max_examples // (2 if BACKEND == "torch" else 6))

every_loss = pytest.mark.parametrize("kind", LOSSES)
any_loss = pytest.mark.parametrize("kind", [*LOSSES, *OF_SHAPES])
every_function = pytest.mark.parametrize("function", FUNCTIONS)
few_examples = settings(max_examples=EXAMPLES)


@functools.lru_cache
def make(kind, **options):
    """A loss, the same object for the same options, so that it compiles once."""
    return kind(**options)


def both(y_true, y_pred, loss, sample_weight=None, mode="eager"):
    """The value as a float, and the gradient."""
    value, gradient = value_and_gradient(loss, y_true, y_pred, sample_weight, mode)
    return float(value), gradient


def value_of(y_true, y_pred, loss):
    return float(array(loss(y_true, tensor(y_pred))))


def message(call):
    """The text of the ValueError that `call` raises."""
    with pytest.raises(ValueError, match="Received: ") as error:
        call()
    return str(error.value)


def uniform(*shape):
    """Probabilities that are all the same."""
    return np.full(shape, 1 / shape[-1], "float32")


def softmax(logits):
    exps = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return (exps / exps.sum(axis=-1, keepdims=True)).astype("float32")


def sigmoid(logits):
    return (1 / (1 + np.exp(-logits))).astype("float32")


def logits_of(labels, channels, size):
    """Logits, `size` or `-size`, that are right everywhere."""
    if channels == 1:
        return np.where(labels == 1, size, -size)[..., None].astype("float32")
    is_class = np.arange(channels) == labels[..., None]
    return np.where(is_class, size, -size).astype("float32")


@st.composite
def maps(draw, voids=(0.0, 0.3, 0.7)):
    """Labels with void, the number of channels, where they are valid, and numbers."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    channels = draw(st.sampled_from([1, 5]))
    number = max(channels, 2)
    present = rng.permutation(number)[: draw(st.integers(1, number))]
    labels = rng.choice(present, SHAPE)
    valid = rng.random(SHAPE) >= draw(st.sampled_from(voids))
    return np.where(valid, labels, 255).astype("uint8"), channels, valid, rng


def random_batch(rng):
    """Labels of five classes, and logits for them."""
    return rng.integers(0, 5, SHAPE), rng.normal(size=(*SHAPE, 5)).astype("float32")
