"""KTF415: a term of the loss that leaves another one without a say."""

import numpy as np

from keras_trainfix.backend import to_numpy
from keras_trainfix.diagnosis.experiments.backward import has_own_loss
from keras_trainfix.diagnosis.experiments.instruments.loss_terms import (
    Drowned,
    Term,
    drowned,
    loss_terms,
)
from keras_trainfix.diagnosis.measure.learned import has_learned
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.thresholds import OUTPUT_DROWNS, TERM_DROWNS
from keras_trainfix.diagnosis.trial.user_step import has_own_step
from keras_trainfix.keras_internals import compile_arguments
from keras_trainfix.messages import listed
from keras_trainfix.models.batch_norm_layers import all_layers

LEAST_PART = 0.1  # of the weights that the drowned term reaches


@check(
    "KTF415",
    "term-drowns-loss",
    "error",
    action="balance the terms of the loss",
    scope="model",
    explains=ONE_ANSWER,
    persistent=True,
)
def term_drowns_loss(snapshot: Snapshot) -> Found | None:
    """A term of the loss pulls so hard that another one has no say.

    ## What you see
    The loss falls and settles. A variational autoencoder reconstructs one and the same
    image; one of several outputs stays at its mean.

    ## Why it happens
    Terms are added, so their scales count. A divergence that is summed over latent
    units beside a reconstruction error that is a mean over pixels is too large by the
    number of pixels: it is cheapest to encode nothing. Targets in pixels or currency
    make the loss of one output thousands of times that of another.

    ## How to check
    Compare the gradients of the terms for the weights that both reach.

    ```python
    import keras
    import numpy as np
    from keras import layers, ops

    class Sampling(layers.Layer):
        weight = 1.0

        def __init__(self):
            super().__init__()
            self.seed = keras.random.SeedGenerator(1)

        def call(self, inputs):
            mean, log_var = inputs
            kl = ops.sum(ops.square(mean) + ops.exp(log_var) - log_var - 1, axis=-1)
            self.add_loss(self.weight * ops.mean(kl) / 2)
            noise = keras.random.normal(ops.shape(mean), seed=self.seed)
            return mean + ops.exp(log_var / 2) * noise

    def autoencoder():
        image = keras.Input((64,))
        h = layers.Dense(64, activation="relu")(image)
        z = Sampling()([layers.Dense(4)(h), layers.Dense(4)(h)])
        h = layers.Dense(64, activation="relu")(z)
        model = keras.Model(image, layers.Dense(64, activation="sigmoid")(h))
        model.compile("adam", "mse")
        return model

    model = autoencoder()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(128, 4)) @ rng.normal(size=(4, 64))
    y = x = (1 / (1 + np.exp(-x))).astype("float32")
    ```

    ## Fix
    Bring the terms to one scale: weigh the strong one down, or sum the error over the
    pixels as well.

    ```python
    Sampling.weight = 1e-3
    model = autoencoder()
    ```

    ## When this is not the cause
    A term may be large where it does no harm, if it can be satisfied without losing
    what the data need. It is a warning where one output drowns another.

    ## References
    [Bowman et al., 2016](https://arxiv.org/abs/1511.06349);
    [Kendall et al., 2018](https://arxiv.org/abs/1705.07115)
    """
    without = _without_loss(snapshot)
    if without:
        return found(
            f"Of {len(snapshot.names)} outputs {without[0]!r} has targets, and no loss "
            "in the dict of losses: nothing is learned from them.",
            f"# model.compile(optimizer, {{other losses, {without[0]!r}: loss}})",
            outputs=without,
        )
    terms = loss_terms(snapshot)
    if terms is None or has_learned(snapshot):
        return None
    silent = _without_weight(snapshot, terms)
    if silent:
        return found(
            f"Output {silent[0]!r} has the loss weight 0: nothing is learned from its "
            "targets.",
            f"# model.compile(optimizer, losses, loss_weights={{{silent[0]!r}: 1.0}})",
            severity="warning",
            outputs=silent,
        )
    pairs = [pair for pair in drowned(terms) if _is_fault(snapshot, pair)]
    if not pairs:
        return None
    pair = pairs[0]
    return found(
        f"{_begun(pair.strong.name)} pulls {pair.ratio:.4g} times as hard as "
        f"{pair.weak.name} at the weights that both reach ({_named(pair.layers)}): "
        "these follow it alone.",
        _fix(pair),
        severity="warning" if pair.strong.kind == "output" else None,
        ratio=pair.ratio,
        strong=pair.strong.name,
        weak=pair.weak.name,
        layers=pair.layers[:10],
    )


def _without_loss(snapshot: Snapshot) -> list[str]:
    """The outputs with targets that the dict of losses leaves out; None is a choice."""
    model, given = snapshot.model, snapshot.model.loss
    if not isinstance(given, dict) or has_own_step(model) or has_own_loss(model):
        return []
    views = [v for v in snapshot.views() if v.targets is not None]
    return [v.name for v in views if v.loss.kind == "none" and v.name not in given]


def _without_weight(snapshot: Snapshot, terms: list[Term]) -> list[str]:
    """The outputs whose loss has no gradient, because it weighs nothing."""
    given = compile_arguments(snapshot.model).get("loss_weights")
    if isinstance(given, (list, tuple)) and len(given) == len(snapshot.names):
        given = dict(zip(snapshot.names, given, strict=True))
    if not isinstance(given, dict):
        return []
    pulled = {term.owner for term in terms if any(term.pulls.values())}
    silent = [term.owner for term in terms if term.kind == "output"]
    return [n for n in silent if n not in pulled and given.get(n) == 0]


def _is_fault(snapshot: Snapshot, pair: Drowned) -> bool:
    strong, weak = pair.strong, pair.weak
    if strong.kind == "loss" or "penalty" in (strong.kind, weak.kind):
        return False  # what penalties of weights outweigh is another finding
    if strong.kind == "output":
        return weak.kind == "output" and pair.ratio > OUTPUT_DROWNS
    if not weak.is_data and (weak.kind == "activity" or not pair.is_partial):
        return False
    sizes = _sizes(snapshot)
    reached = sum(sizes.get(name, 0) for name in weak.pulls)
    part = sum(sizes.get(name, 0) for name in pair.layers)
    return pair.ratio > TERM_DROWNS and part >= LEAST_PART * reached


def _sizes(snapshot: Snapshot) -> dict[str, int]:
    """The number of trainable weights of each layer."""
    return {
        layer.name: sum(to_numpy(v).size for v in layer.trainable_variables)
        for layer in all_layers(snapshot.model)
    }


def _begun(name: str) -> str:
    return name[0].upper() + name[1:]


def _named(layers: list[str]) -> str:
    return listed(layers)


def _fix(pair: Drowned) -> str:
    weight = 10 ** np.floor(np.log10(1 / pair.ratio))
    if pair.strong.kind == "output":
        weights = {pair.strong.owner: float(weight), pair.weak.owner: 1.0}
        return (
            f"# model.compile(..., loss_weights={weights})\n"
            f"# or standardize the targets of '{pair.strong.owner}'"
        ).replace("...", "optimizer, losses")
    if pair.strong.kind == "activity":
        return (
            f"# in layer '{pair.strong.owner}': an activity regularizer of at most\n"
            f"# {weight:.0e} of its present strength"
        )
    return (
        f"# in layer '{pair.strong.owner}': self.add_loss({weight:.0e} * loss), or\n"
        f"layer = model.get_layer({pair.strong.owner!r})\n"
        "add_loss = layer.add_loss\n"
        f"layer.add_loss = lambda loss: add_loss({weight:.0e} * loss)"
    )
