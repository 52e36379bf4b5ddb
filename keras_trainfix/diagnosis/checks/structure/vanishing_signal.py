"""Checks of signals that fade or grow on their way through the layers."""

import numpy as np

from keras_trainfix.diagnosis.observe.dropout import strongest_dropout
from keras_trainfix.diagnosis.observe.variation import inputs_vary
from keras_trainfix.diagnosis.registry import ONE_ANSWER, check, found
from keras_trainfix.diagnosis.trial.trial import is_constant_after

VANISHED = 1e-3  # gradient of the first layer, of that of the last


LOST = 1e-6  # of what differs between samples, of that in the first layer


LEARNED = 0.8  # skill


CLIPPED = 1e-7  # a loss takes probabilities for no nearer to 0 or 1


SURE = 0.9  # share of the probabilities


UNLEARNED = 0.3  # of the loss that is left of a batch of 8 samples


@check(
    "KTF405",
    "vanishing-signal",
    "error",
    scope="model",
    order=6,
    explains=ONE_ANSWER,
)
def vanishing_signal(snapshot):
    """The gradient has all but vanished before it reaches the first layers.

    ## What you see
    The loss falls to that of the best constant, `ln(classes)` or the variance of the
    targets, and stays; the first layers keep their initial weights.

    ## Why it happens
    The gradient of a layer is multiplied with the slopes of all layers behind it. That
    of a sigmoid is at most 0.25, so that ten of them leave a millionth. The same way
    the differences between samples get lost on their way to the head. What has no slope
    at all, such as `round`, `argmax`, a comparison or `stop_gradient`, ends the
    gradient.

    ## How to check
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
    ```

    ## Fix
    ReLU with "he_normal", fewer layers, residual connections, or normalization.

    ```python
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            *[
                keras.layers.Dense(16, "relu", kernel_initializer="he_normal")
                for _ in range(4)
            ],
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.001), "mse")
    x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
    y = x[:, :1]
    ```

    ## When this is not the cause
    First layers often have a smaller gradient than the last; only where no learning
    rate learns eight samples either is that a finding.

    ## References
    [Glorot and Bengio, 2010](https://proceedings.mlr.press/v9/glorot10a.html)
    """
    trial = snapshot.trial
    if trial is None or not inputs_vary(snapshot):
        return None
    kernels = [g for g in trial.gradients if g.is_kernel]
    cut = _cut(snapshot, kernels)
    if cut:
        return _found_cut(cut, kernels, trial.overfit)
    if len(kernels) < 3 or not kernels[-1].size:
        return None
    ratio = kernels[0].size / kernels[-1].size
    spread = _spread_left(snapshot)
    is_blind = spread < LOST and is_constant_after(snapshot, trial.runs[1.0])
    vanishes = min(ratio, spread) < VANISHED and _learns_nothing(snapshot)
    if trial.overfit is None or not (is_blind or vanishes):
        return None
    left = trial.overfit.losses[-1] / trial.overfit.losses[0]
    return found(
        f"The gradient of the first layer, '{kernels[0].layer}', is {ratio:.1e} of "
        f"that of the last, '{kernels[-1].layer}', {len(kernels)} layers on, and what "
        f"differs between samples shrinks to {spread:.1e} on the way. {trial.steps} "
        f"steps do not change that; of the loss of 8 samples {left:.0%} are left after "
        f"{len(trial.overfit.losses)}.",
        'keras.layers.Dense(..., activation="relu", kernel_initializer="he_normal")\n'
        "# and keras.layers.LayerNormalization() between layers, or fewer of them",
        gradient_ratio=ratio,
        spread_left=spread,
        layers=len(kernels),
        first_gradient=kernels[0].size,
        last_gradient=kernels[-1].size,
    )


def _cut(snapshot, kernels):
    """The kernels that no gradient reaches, though nothing is dead and nothing is 0."""
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
    """Whether head and loss have no slope together, which is another finding."""
    if view.head.units == 1:
        is_softmax = view.head.activation == "softmax"
        return is_softmax or view.loss.kind in ("categorical", "sparse", "similarity")
    return view.head.is_probability and bool(
        np.mean(np.minimum(view.predictions, 1 - view.predictions) < CLIPPED) > SURE
    )


def _found_cut(cut, kernels, overfit):
    is_learned = overfit is not None and (
        overfit.losses[-1] < UNLEARNED * overfit.losses[0]
    )
    which = "any weight" if len(cut) == len(kernels) else f"layer '{cut[-1].layer}'"
    before = "" if len(cut) < 2 or len(cut) == len(kernels) else " and those before it"
    return found(
        f"No gradient reaches {which}{before}: on the way from the loss there is "
        "something without a slope, such as `round`, `argmax`, a comparison, a cast to "
        "integers, or `stop_gradient`.",
        "# train on the numbers before it, and round or compare after `predict`",
        severity="warning" if is_learned else "error",
        layers_without_gradient=len(cut),
        layers=len(kernels),
    )


def _spread_left(snapshot):
    """How much varies in the last hidden layer, of what varies in the first.

    After training it counts where neither dead units nor penalties can have ended it.
    """
    trial = snapshot.trial
    if snapshot.iterations and (snapshot.dead_share or trial.penalty):
        return 1.0
    return trial.spread


def _learns_nothing(snapshot):
    """Whether no arm comes to tell samples apart, and 8 samples are not learned."""
    trial = snapshot.trial
    if trial.overfit is None or not np.isfinite(trial.overfit.losses).all():
        return False
    if trial.overfit.losses[-1] < UNLEARNED * trial.overfit.losses[0]:
        return False
    tried = [trial_run for trial_run in trial.runs.values() if trial_run.predictions]
    return bool(tried) and all(
        is_constant_after(snapshot, trial_run) for trial_run in tried
    )
