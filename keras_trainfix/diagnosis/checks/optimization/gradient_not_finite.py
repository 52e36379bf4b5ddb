"""KTF412: a backward pass that gives NaN or infinity before any step."""

from typing import Any

import numpy as np

from keras_trainfix.data import leaves
from keras_trainfix.diagnosis.experiments.instruments.gradients_finite import (
    FiniteGradients,
    finite_gradients,
)
from keras_trainfix.diagnosis.observe.sample import Sample
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.messages import count


@check(
    "KTF412",
    "gradient-not-finite",
    "error",
    action="make the gradient finite",
    scope="model",
    exact=True,
    at_start=True,
    by_experiment=True,
    overrules=("KTF401",),
    irreversible=True,
)
def gradient_not_finite(snapshot: Snapshot) -> Found | None:
    """The gradient is NaN or infinite for some samples, although all values are finite.

    ## What you see
    The loss is a plain number, and `nan` from the second step on, or from the first
    batch on that holds such a sample.

    ## Why it happens
    A function can be finite where its slope is not: a square root at 0, a norm of a
    zero vector, a logarithm or a power close to 0, `arccos` at 1. The backward pass
    multiplies an infinite slope by a gradient of 0, which is NaN. `where` does not
    help if the branch that is not chosen has an infinite slope. One such sample in a
    batch makes all weights NaN.

    ## How to check
    One backward pass per sample. Here some pairs are the same picture twice, and the
    distance between them is the square root of 0.

    ```python
    import keras
    import numpy as np

    encoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8)])
    left, right = keras.Input((4,)), keras.Input((4,))
    distance = keras.layers.Lambda(
        lambda pair: keras.ops.sqrt(
            keras.ops.sum((pair[0] - pair[1]) ** 2, axis=1, keepdims=True)
        ),
        output_shape=(1,),
    )
    model = keras.Model([left, right], distance([encoder(left), encoder(right)]))
    model.compile("adam", "mse")
    a, b = np.random.default_rng(0).normal(size=(2, 64, 4)).astype("float32")
    b[:3] = a[:3]
    x, y = [a, b], np.ones((64, 1), "float32")
    ```

    ## Fix
    Keep the argument away from the place where the slope is infinite.

    ```python
    distance = keras.layers.Lambda(
        lambda pair: keras.ops.sqrt(
            keras.ops.sum((pair[0] - pair[1]) ** 2, axis=1, keepdims=True) + 1e-7
        ),
        output_shape=(1,),
    )
    model = keras.Model([left, right], distance([encoder(left), encoder(right)]))
    model.compile("adam", "mse")
    ```

    ## When this is not the cause
    Where the gradient turns NaN only after some steps, a loss that rose before means
    steps that are too long: then the finding is KTF401. NaN in inputs, targets, weights
    or predictions has its own finding. Learning rate and clipping do not matter here:
    NaN stays NaN whatever it is multiplied by.

    ## References
    [keras#9097](https://github.com/keras-team/keras/issues/9097);
    [JAX: gradients contain NaN where using where](
    https://docs.jax.dev/en/latest/faq.html#gradients-contain-nan-where-using-where)
    """
    seen, sample, step = finite_gradients(snapshot), snapshot.sample, None
    experiments = snapshot.experiments
    if experiments is not None and experiments.breakdown is not None:
        step, seen, sample = experiments.breakdown
    if seen is None or seen.is_finite:
        return None
    which = _which(seen, sample) if step is None else _which_in(step, seen, sample)
    loss = f"{'although' if np.isfinite(seen.loss) else 'and'} the loss is"
    end = "" if step is not None else " One step makes the weights NaN."
    return found(
        f"{which}, {loss} {seen.loss:.4g}. {_where(seen)}{end}",
        _fix(seen),
        samples_looked_at=seen.looked,
        samples=seen.bad,
        loss=seen.loss,
        layer=None if seen.place is None else seen.place.layer,
        step=step,
    )


def _which_in(step: int, seen: FiniteGradients, sample: Sample) -> str:
    """The subject of the sentence, where steps had to be tried."""
    facts = _facts(sample, seen.bad[0]) if seen.bad else ""
    known = f" ({facts})" if facts else ""
    some = f"{count(len(seen.bad), 'sample')}{known}" if seen.bad else "the batch"
    return (
        f"In steps that were tried, the loss does not rise, and step {step} turns the "
        f"weights NaN: the gradient of {some} is not finite"
    )


def _which(seen: FiniteGradients, sample: Sample) -> str:
    if not seen.bad:
        return f"The gradient of {count(seen.looked, 'sample')} together is not finite"
    first = seen.bad[0]
    facts = _facts(sample, first)
    named = ", ".join(map(str, seen.bad))
    known = f" ({facts})" if facts else ""
    if len(seen.bad) == 1:
        return (
            f"The gradient of sample {named}{known} of the {seen.looked} examined is "
            "not finite"
        )
    return (
        f"The gradients of samples {named}, the first of {seen.looked} examined, are "
        f"not finite{known}"
    )


def _facts(sample: Sample, number: int) -> str:
    """What is striking about a sample: inputs that are equal or 0, a target of 0."""
    arrays = [np.asarray(leaf[number]) for leaf in leaves(sample.x)]
    facts = []
    for i, one in enumerate(arrays):
        if any(np.array_equal(one, other) for other in arrays[:i]):
            facts.append("two of its inputs are equal")
            break
    if any(_is_zero(array) for array in arrays):
        facts.append("an input is all 0")
    if sample.y is not None and any(
        _is_zero(leaf[number]) for leaf in leaves(sample.y)
    ):
        facts.append("its target is 0")
    return ", ".join(facts)


def _is_zero(values: Any) -> bool:
    values = np.asarray(values)
    return values.dtype.kind in "biuf" and values.size > 0 and not values.any()


def _where(seen: FiniteGradients) -> str:
    if seen.place is None:
        return "It is not finite at the answers: the loss itself is the place."
    name = seen.place.layer
    if seen.place.how == "in":
        return (
            f"It is finite behind layer '{name}' and not in front of it: the slope of "
            "this layer is infinite."
        )
    if seen.place.how == "behind":
        return f"It is lost in the code right behind layer '{name}'."
    return f"Only the weights of layer '{name}' get it."


def _fix(seen: FiniteGradients) -> str:
    if seen.place is None:
        where = "in the loss"
    elif seen.place.how == "behind":
        where = f"behind layer '{seen.place.layer}'"
    else:
        where = f"in layer '{seen.place.layer}'"
    return (
        f"# {where}, keep the argument off the place where the slope is infinite:\n"
        "# keras.ops.sqrt(keras.ops.maximum(d, 1e-7)), keras.ops.log(p + 1e-7)"
    )
