"""KTF405 vanishing-signal: gradients that do not reach the first layers."""

import numpy as np

from keras_trainfix.diagnosis.experiments.instruments.gradients_by_answer import (
    answer_gradients,
)
from keras_trainfix.diagnosis.fix_code import compiled_with, with_first_layer
from keras_trainfix.diagnosis.observe.dropout import strongest_dropout
from keras_trainfix.diagnosis.observe.inputs import numeric_inputs
from keras_trainfix.diagnosis.observe.variation import inputs_vary, varies
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.trial.trial import is_constant_after
from keras_trainfix.messages import count, listed

VANISHED = 1e-3  # gradient of the first layer, of that of the last
LOST = 1e-6  # spread between samples in the last layer, of that in the first
LEARNED = 0.8  # skill
CLIPPED = 1e-7  # distance from a bound at which losses clip probabilities
SATURATED = 0.9  # share of the probabilities that are clipped
UNLEARNED = 0.3  # share of the loss that is left on a batch of 8 samples


@check(
    "KTF405",
    "vanishing-signal",
    "error",
    action="let the gradient reach the first layers",
    scope="model",
    order=6,
    explains=ONE_ANSWER,
)
def vanishing_signal(snapshot: Snapshot) -> Found | None:
    """The gradient has all but vanished before it reaches the first layers.

    ## What you see
    The loss falls to that of the best constant, `ln(classes)` or the variance of the
    targets, and stays there; the first layers keep their initial weights.

    ## Why it happens
    The gradient of a layer is multiplied by the slopes of all later layers. The
    slope of a sigmoid is at most 0.25, so ten of them leave a millionth. In the same
    way the differences between samples get lost on their way to the head. An operation
    without any slope, such as `round`, `argmax`, a comparison or `stop_gradient`,
    blocks the gradient. A loss blocks it too where a better answer costs the same, as
    the overlap of boxes that do not meet.

    ## How to check
    `diagnose` compares the gradients of the layers in a few training steps, and tries
    to learn eight samples.

    ```python
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            *[keras.layers.Dense(16, "sigmoid") for _ in range(12)],
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.001), "mse")
    x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
    y = x[:, :1]
    print(model.predict(x, verbose=0).std())  # the samples all look the same
    ```

    ## Fix
    Use ReLU with "he_normal", fewer layers, residual connections, or normalization.

    ```python
    relu = {"activation": "relu", "kernel_initializer": "he_normal"}
    model = keras.Sequential(
        [
            keras.Input((4,)),
            *[keras.layers.Dense(16, **relu) for _ in range(4)],
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.001), "mse")
    ```

    ## When this is not the cause
    The first layers often have a smaller gradient than the last. It is a finding only
    if no learning rate learns the task, nor eight samples.

    ## References
    [Glorot and Bengio, 2010](https://proceedings.mlr.press/v9/glorot10a.html)
    """
    trial = snapshot.trial
    if trial is None or not inputs_vary(snapshot) or np.isnan(trial.start):
        return None
    kernels = [g for g in trial.gradients if g.is_kernel]
    cut = _cut(snapshot, kernels)
    if cut:
        return (
            _flat_loss(snapshot, cut, kernels)
            or _flat_layer(snapshot, cut, kernels)
            or _found_cut(cut, kernels, trial.overfit)
        )
    if len(kernels) < 3 or not kernels[-1].size:
        return None
    ratio = kernels[0].size / kernels[-1].size
    spread = _spread_left(snapshot)
    is_blind = spread < LOST and is_constant_after(snapshot, trial.runs[1.0])
    vanishes = min(ratio, spread) < VANISHED and _learns_nothing(snapshot)
    if trial.overfit is None or not (is_blind or vanishes):
        return None
    return found(
        _message(trial, kernels, ratio, spread),
        f"# layers '{kernels[0].layer}' to '{kernels[-2].layer}', with fewer of them:\n"
        '# activation="relu", kernel_initializer="he_normal"\n'
        "# and keras.layers.LayerNormalization() between them",
        gradient_ratio=ratio,
        spread_left=spread,
        layers=len(kernels),
        first_gradient=kernels[0].size,
        last_gradient=kernels[-1].size,
    )


def _message(trial, kernels, ratio, spread):
    """What has vanished, and that no step of the trial brings it back."""
    first, last = kernels[0].layer, kernels[-1].layer
    lost = []
    if ratio < VANISHED:
        lost.append(
            f"The gradient of the first layer, '{first}', is {ratio:.1e} of that of "
            f"the last, '{last}', {count(len(kernels) - 1, 'layer')} on."
        )
    if spread < VANISHED:
        lost.append(
            f"The differences between samples shrink to {spread:.1e} of those in "
            "the first layer."
        )
    left = trial.overfit.losses[-1] / trial.overfit.losses[0]
    return (
        f"{' '.join(lost)} {trial.steps} steps do not change that: after "
        f"{len(trial.overfit.losses)} steps on 8 samples {left:.0%} of their loss is "
        "left."
    )


def _cut(snapshot, kernels):
    """The kernels that no gradient reaches, though no layer is dead or 0."""
    cut = [g for g in kernels if g.is_cut and g.weight]
    if not cut or snapshot.dead_share == 1 or any(not g.weight for g in kernels):
        return []
    if any(map(_has_no_slope, snapshot.views())) or strongest_dropout(snapshot):
        return []
    if len(cut) == len(kernels):
        return cut
    is_good = snapshot.iterations and snapshot.least_skill > LEARNED
    return [] if is_good or kernels[0] not in cut else cut


def _has_no_slope(view):
    """Whether head and loss together have no slope, which is another finding."""
    if view.head.units == 1:
        is_softmax = view.head.activation == "softmax"
        if is_softmax or view.loss.kind in ("categorical", "sparse", "similarity"):
            return True
    lowest, highest = view.head.range
    distance = np.minimum(view.predictions - lowest, highest - view.predictions)
    return bool(np.mean(distance < CLIPPED) > SATURATED)


def _flat_loss(snapshot, cut, kernels):
    """The finding if the gradient is 0 at the answers already."""
    seen = answer_gradients(snapshot) or {}
    is_flat = len(seen) == len(snapshot.names) and all(s.is_flat for s in seen.values())
    if len(cut) < len(kernels) or not is_flat:
        return None
    losses = listed(dict.fromkeys(view.loss.name for view in snapshot.views()))
    return found(
        f"No gradient reaches any weight: the loss {losses} has no slope at the "
        f"answers, for none of {min(s.samples for s in seen.values())} samples. "
        "Answers that are a little better cost the same.",
        "# a loss with a slope everywhere\n" + compiled_with(snapshot.model, '"mse"'),
        layers_without_gradient=len(cut),
        layers=len(kernels),
    )


def _flat_layer(snapshot, cut, kernels):
    """The finding if the inputs lie where a layer gives one answer to all of them."""
    flat = next((o for o in snapshot.layers if not varies(o.values)), None)
    if flat is None or len(cut) < len(kernels) or not flat.is_finite:
        return None
    numbers = list(numeric_inputs(snapshot).values())
    if not numbers:
        return None
    lowest, highest = min(x.min() for x in numbers), max(x.max() for x in numbers)
    return found(
        f"No gradient reaches any weight: layer '{flat.layer.name}' gives the same for "
        f"all samples. With inputs from {lowest:.4g} to {highest:.4g} it is where its "
        "function is flat.",
        with_first_layer(
            snapshot,
            "normalization",
            "normalization = keras.layers.Normalization()",
            "normalization.adapt(x)  # or weights of the scale of the inputs",
        ),
        layer=flat.layer.name,
        layers_without_gradient=len(cut),
        layers=len(kernels),
    )


def _found_cut(cut, kernels, overfit):
    is_learned = overfit is not None and (
        overfit.losses[-1] < UNLEARNED * overfit.losses[0]
    )
    which = "any weight" if len(cut) == len(kernels) else f"layer '{cut[-1].layer}'"
    before = "" if len(cut) < 2 or len(cut) == len(kernels) else " and those before it"
    return found(
        f"No gradient reaches {which}{before}: an operation between it and the loss "
        f"has no slope in {len(cut)} of {len(kernels)} layers, such as `round`, "
        "`argmax`, a comparison, a cast to integers, or `stop_gradient`.",
        "# train on the values before it, and round or compare after `predict`",
        severity="warning" if is_learned else "error",
        layers_without_gradient=len(cut),
        layers=len(kernels),
    )


def _spread_left(snapshot):
    """The spread between samples in the last hidden layer, of that in the first.

    After training it counts only if neither dead units nor penalties can be the cause.
    """
    trial = snapshot.trial
    if snapshot.iterations and (snapshot.dead_share or trial.penalty):
        return 1.0
    return trial.spread


def _learns_nothing(snapshot):
    """Whether no run learns to tell samples apart, and 8 samples are not learned."""
    trial = snapshot.trial
    if trial.overfit is None or not np.isfinite(trial.overfit.losses).all():
        return False
    if trial.overfit.losses[-1] < UNLEARNED * trial.overfit.losses[0]:
        return False
    tried = [trial_run for trial_run in trial.runs.values() if trial_run.predictions]
    return bool(tried) and all(
        is_constant_after(snapshot, trial_run) for trial_run in tried
    )
