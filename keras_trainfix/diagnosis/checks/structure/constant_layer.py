"""KTF422 constant-layer: the output of a layer does not depend on its input."""

import math

from keras_trainfix.diagnosis.experiments.instruments.constant_layers import (
    ConstantLayer,
    constant_layers,
)
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.messages import listed


@check(
    "KTF422",
    "constant-layer",
    "error",
    action="replace the constant layer",
    scope="model",
    exact=True,
    explains=ONE_ANSWER,
    irreversible=True,
)
def constant_layer(snapshot: Snapshot) -> Found | None:
    """A layer gives the same output for every input, whatever its weights are.

    ## What you see
    An attention that changes nothing, or a model that answers the same for every
    sample. The loss stays where the rest of the model can bring it.

    ## Why it happens
    A softmax over an axis of size one is 1.0 for every score: `Dense(1,
    activation="softmax")` on `(batch, steps, features)` normalizes over its one unit,
    not over the steps. A layer normalization over an axis of size one always gives
    zero. No gradient passes such a layer, so nothing before it learns from it.

    ## How to check
    Look at the output of the layer: it is 1.0 everywhere.

    ```python
    import keras, numpy as np

    x = np.random.default_rng(0).normal(size=(128, 12, 5)).astype("float32")
    y = x[np.arange(128), x[..., 0].argmax(1), 1:2]
    inputs = keras.Input((12, 5))
    scores = keras.layers.Dense(16, activation="tanh")(inputs)
    weights = keras.layers.Dense(1, activation="softmax")(scores)  # of one unit
    attended = keras.layers.Dot(axes=1)([weights, inputs])
    model = keras.Model(inputs, keras.layers.Dense(1)(attended))
    model.compile("adam", "mse")
    ```

    ## Fix
    Normalize over the axis of the steps.

    ```python
    inputs = keras.Input((12, 5))
    scores = keras.layers.Dense(1)(keras.layers.Dense(16, activation="tanh")(inputs))
    weights = keras.layers.Softmax(axis=1)(scores)
    attended = keras.layers.Dot(axes=1)([weights, inputs])
    model = keras.Model(inputs, keras.layers.Dense(1)(attended))
    model.compile("adam", "mse")
    ```

    ## When this is not the cause
    It is a warning where the softmax has no other axis to sum over, such as the weight
    of a single expert. Units that are dead or saturated are other findings: other
    weights would bring them back. The head of a model is
    [KTF201](KTF201.md).

    ## References
    [Bahdanau et al., 2015](https://arxiv.org/abs/1409.0473): the weights of an
    attention sum to one over the steps.
    """
    constant = constant_layers(snapshot)
    if not constant:
        return None
    one = max(constant, key=_has_another_axis)
    others = [other.layer.name for other in constant if other is not one]
    more = f" So does {listed(others)}." if others else ""
    return found(
        _message(one) + more,
        _fix(one),
        severity=None if one.axis is None or _has_another_axis(one) else "warning",
        layer=one.layer.name,
        shape=list(one.shape),
        axis=one.axis,
        value=one.value,
        layers=len(constant),
    )


def _has_another_axis(one: ConstantLayer) -> bool:
    return one.axis is not None and _longest(one)[0] > 1


def _longest(one):
    """The longest other axis than that of the softmax, and its number."""
    sizes = [(n, -a) for a, n in enumerate(one.shape) if a and a != one.axis]
    size, axis = max(sizes, default=(1, 0))
    return size, -axis


def _message(one):
    name, shape = one.layer.name, ("batch", *one.shape[1:])
    shown = f"({', '.join(map(str, shape))})"
    if one.axis is not None:
        size, axis = _longest(one)
        text = (
            f"The softmax in layer '{name}' sums to one over axis {one.axis} of "
            f"{shown}, which has size 1: every weight is 1.0 whatever the scores are."
        )
        return text + (f" Axis {axis} has {size} places." if size > 1 else "")
    value = "" if math.isnan(one.value) else f", {one.value:.3g},"
    return (
        f"Layer '{name}' gives one answer{value} for all samples, though its input "
        f"differs and with any weights: its output has the shape {shown}."
    )


def _fix(one):
    if one.axis is None:
        return (
            f"# leave '{one.layer.name}' out, or let it see an axis of more than one "
            "number"
        )
    size, axis = _longest(one)
    if size > 1:
        return (
            f"# scores of '{one.source}' without activation, and then:\n"
            f"# keras.layers.Softmax(axis={axis})"
        )
    return f"# '{one.layer.name}': a sigmoid instead of the softmax"
