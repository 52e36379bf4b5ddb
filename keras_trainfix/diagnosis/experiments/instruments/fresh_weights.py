"""Are frozen weights still those of their initializers?"""

from typing import Any, NamedTuple

import keras
import numpy as np

from keras_trainfix import backend
from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.experiments.instruments.layer_calls import layer_calls
from keras_trainfix.models.batch_norm_layers import all_layers

FEWEST = 64  # numbers of a kernel
MOST = 2**18  # numbers of a kernel that are compared
MOST_KERNELS = 12
EDGE = 0.01, 50  # over the largest number that is drawn: a share, and that by chance
UNBOUNDED = (keras.initializers.RandomNormal, keras.initializers.Orthogonal)
SURE = 1.95  # of the Kolmogorov-Smirnov statistic: one fresh kernel in a thousand fails
# The names of weights that are drawn, with those of their initializers.
DRAWN = {
    "kernel": "kernel_initializer",
    "embeddings": "embeddings_initializer",
    "depthwise_kernel": "depthwise_initializer",
    "pointwise_kernel": "pointwise_initializer",
}
# The names of weights that start as a constant.
# Weights that Keras starts with 0 or 1, and the attribute with their initializer.
CONSTANT = {
    "bias": ("bias_initializer", 0),
    "beta": ("beta_initializer", 0),
    "gamma": ("gamma_initializer", 1),
    "moving_mean": ("moving_mean_initializer", 0),
    "moving_variance": ("moving_variance_initializer", 1),
}


class FreshWeights(NamedTuple):
    """Frozen layers before all that is trained, and which of them are fresh.

    Attributes:
        fresh: List of the `keras.Layer`s whose kernels are those of an initializer.
        layers: Integer, how many layers with such kernels there are.
        normalizations: Integer, how many normalization layers there are.
        fresh_normalizations: Integer, how many of them change nothing yet.
    """

    fresh: list[Any]
    layers: int
    normalizations: int
    fresh_normalizations: int

    @property
    def share(self) -> float:
        """The share of fresh layers, with a kernel or without."""
        fresh = len(self.fresh) + self.fresh_normalizations
        return fresh / max(1, self.layers + self.normalizations)


@instrument("frozen weights against their initializers")
def fresh_weights(snapshot: Any) -> FreshWeights | None:
    """The `FreshWeights`; None without a frozen kernel before what is trained.

    What is frozen behind trained layers is another matter: a discriminator, for one.
    """
    calls = layer_calls(snapshot)
    if calls is None or not snapshot.model.trainable_weights:
        return None
    frozen: dict[int, Any] = {}
    for call in calls.leaves:
        if call.layer.trainable_weights:
            break
        for layer in all_layers(call.layer):
            frozen[id(layer)] = layer
    drawn = [layer for layer in frozen.values() if _drawn(layer)]
    steps = np.linspace(0, len(drawn) - 1, min(len(drawn), MOST_KERNELS))
    drawn = [drawn[int(step)] for step in steps]
    if not drawn:
        return None
    normal = [layer for layer in frozen.values() if hasattr(layer, "gamma")]
    return FreshWeights(
        [layer for layer in drawn if _is_fresh(layer)],
        len(drawn),
        len(normal),
        sum(map(_has_constants, normal)),
    )


def looks_drawn(values: np.ndarray, drawn: np.ndarray, is_bounded: bool = True) -> bool:
    """Whether numbers have the distribution of others, up to chance.

    Args:
        values: Array of a kernel.
        drawn: Array of the same size, as an initializer draws it.
        is_bounded: Boolean, whether the initializer has a largest number.

    Returns:
        Boolean.
    """
    values, drawn = np.sort(values, axis=None), np.sort(drawn, axis=None)
    edge = 1 + max(EDGE[0], EDGE[1] / values.size)
    if is_bounded and np.abs(values).max() > edge * np.abs(drawn).max():
        return False
    both = np.concatenate([values, drawn])
    shares = [
        np.searchsorted(part, both, "right") / part.size for part in (values, drawn)
    ]
    distance = float(np.abs(shares[0] - shares[1]).max())
    return distance < SURE * float(np.sqrt(2 / values.size))


def _drawn(layer):
    """`(weight, initializer)` of each weight that a random initializer draws."""
    pairs = []
    for name, attribute in DRAWN.items():
        weight = getattr(layer, name, None)
        initializer: Any = getattr(layer, attribute, None)
        is_random = hasattr(initializer, "seed")
        if weight is not None and is_random and np.prod(weight.shape) >= FEWEST:
            pairs.append((weight, initializer))
    return pairs


def _is_fresh(layer):
    if not _has_constants(layer):
        return False
    return all(_looks_fresh(*pair) for pair in _drawn(layer))


def _looks_fresh(weight, initializer):
    values = backend.to_numpy(weight).astype("float32")
    config = {**initializer.get_config(), "seed": 1}
    drawn = backend.to_numpy(type(initializer).from_config(config)(values.shape))
    step = max(1, values.size // MOST)
    is_normal = config.get("distribution") == "untruncated_normal"
    is_bounded = not (is_normal or isinstance(initializer, UNBOUNDED))
    return looks_drawn(values.ravel()[::step], drawn.ravel()[::step], is_bounded)


def _has_constants(layer):
    """Whether biases, scales and statistics are those that Keras starts with."""
    for name, (initializer_name, start) in CONSTANT.items():
        weight = getattr(layer, name, None)
        initializer = getattr(layer, initializer_name, None)
        if weight is None or not isinstance(weight, keras.Variable):
            continue
        usual = keras.initializers.Zeros if start == 0 else keras.initializers.Ones
        is_usual = initializer is None or isinstance(initializer, usual)
        if is_usual and np.any(backend.to_numpy(weight) != start):
            return False
    return True
