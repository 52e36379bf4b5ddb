"""Checks of signals that fade or grow on their way through the layers."""

import numpy as np

from keras_trainfix.diagnosis.checks.regularization import strongest_dropout
from keras_trainfix.diagnosis.registry import check, found
from keras_trainfix.diagnosis.trial import is_constant_after
from keras_trainfix.diagnosis.variation import inputs_vary, root_mean_square

VANISHED = 1e-3  # gradient of the first layer, of that of the last
LOST = 1e-6  # of what differs between samples, of that in the first layer
LEARNED = 0.8  # skill
CLIPPED = 1e-7  # a loss takes probabilities for no nearer to 0 or 1
SURE = 0.9  # share of the probabilities
UNLEARNED = 0.3  # of the loss that is left of a batch of 8 samples
GROWN = 200  # times the inputs
OVERSHOT = 30  # times the targets
SCALED = 30  # root mean square of inputs that are not the reason
TINY = 1e-3  # root mean square of targets
MOST_NUMBERS = 2**20
AFTER = ", after {} steps: with new weights it is no better."


@check("KTF405", "vanishing-signal", severity="error", per_output=False)
def vanishing_signal(probe):
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
    trial = probe.trial
    if trial is None or not inputs_vary(probe.look):
        return None
    kernels = [g for g in trial.gradients if g.is_kernel]
    cut = _cut(probe, kernels)
    if cut:
        return _found_cut(cut, kernels, trial.overfit)
    if len(kernels) < 3 or not kernels[-1].size:
        return None
    ratio = kernels[0].size / kernels[-1].size
    spread = _spread_left(probe)
    is_blind = spread < LOST and is_constant_after(probe, trial.arms[1.0])
    vanishes = min(ratio, spread) < VANISHED and _learns_nothing(probe)
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


@check("KTF406", "exploding-signal", severity="warning", per_output=False)
def exploding_signal(probe):
    """Numbers grow from layer to layer, far beyond inputs and targets.

    ## What you see
    The first loss is a thousand times that of a constant, or NaN; then it falls for
    many epochs, and the model has learned nothing but to shrink its weights.

    ## Why it happens
    Each layer multiplies the size of its inputs by the size of its weights times the
    root of their number. With initial weights of standard deviation 1 in place of
    `1 / sqrt(inputs)` a few layers make thousands.

    ## How to check
    ```python
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    large = keras.initializers.RandomNormal(stddev=1.0)
    model = keras.Sequential(
        [
            keras.Input((16,)),
            keras.layers.Dense(256, "relu", kernel_initializer=large),
            keras.layers.Dense(256, "relu", kernel_initializer=large),
            keras.layers.Dense(1, kernel_initializer=large),
        ]
    )
    model.compile(keras.optimizers.Adam(0.001), "mse")
    x = np.random.default_rng(0).normal(size=(128, 16)).astype("float32")
    y = x[:, :1]
    ```

    ## Fix
    The default initialiser, or "he_normal" before a ReLU; normalization layers in deep
    nets; `clipnorm` for recurrent ones.

    ```python
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((16,)),
            keras.layers.Dense(256, "relu", kernel_initializer="he_normal"),
            keras.layers.Dense(256, "relu", kernel_initializer="he_normal"),
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.001), "mse")
    x = np.random.default_rng(0).normal(size=(128, 16)).astype("float32")
    y = x[:, :1]
    ```

    ## When this is not the cause
    Inputs on a large scale give large numbers in every layer: that is another finding,
    and has another repair.

    ## References
    [He et al., 2015](https://arxiv.org/abs/1502.01852)
    """
    look = probe.look
    sizes = [
        (output.layer.name, _spread(output.values))
        for output in probe.layers
        if output.layer.weights and output.values.dtype.kind == "f"
    ]
    inputs = [_size(v) for v in probe.inputs.values() if v.dtype.kind == "f"]
    sizes = [(name, size) for name, size in sizes if np.isfinite(size)]
    if len(sizes) < 2 or max(inputs, default=0) > SCALED:
        return None
    if probe.iterations and not _begins_far_off(probe):
        return None
    growth = max(size for _, size in sizes) / max(1.0, *inputs, 1.0)
    worst = max(sizes, key=lambda item: item[1])[0]
    overshoot = 0.0
    for other in look.probes():
        if other.task == "regression" and other.skill is not None:
            spread = _size(np.asarray(other.targets, "float64"))
            if spread < TINY:  # which is a finding about the targets
                continue
            overshoot = max(overshoot, _size(other.predictions) / spread)
    if growth < GROWN and overshoot < OVERSHOT:
        return None
    return found(
        f"From inputs of size {max(inputs, default=1.0):.3g} the layers make numbers "
        f"{growth:.3g} times as large (layer '{worst}')"
        + (f", and predictions {overshoot:.3g} times the targets" if overshoot else "")
        + (AFTER.format(probe.iterations) if probe.iterations else " at first."),
        'keras.layers.Dense(..., kernel_initializer="he_normal")  # or the default\n'
        "# and keras.layers.LayerNormalization() between layers",
        growth=growth,
        overshoot=overshoot,
        layers=len(sizes),
    )


def _begins_far_off(probe):
    """Whether a trained model answers as wildly as it does with new weights."""
    trial, seen = probe.trial, probe.skill
    if trial is None or not trial.is_fresh or seen is None or not seen.constant_loss:
        return False
    return trial.start - trial.penalty > OVERSHOT * seen.constant_loss


def _cut(probe, kernels):
    """The kernels that no gradient reaches, though nothing is dead and nothing is 0."""
    cut = [g for g in kernels if g.is_cut and g.weight]
    if not cut or probe.look.dead_share == 1 or any(not g.weight for g in kernels):
        return []
    if any(map(_has_no_slope, probe.look.probes())) or strongest_dropout(probe):
        return []
    if len(cut) == len(kernels):
        return cut
    is_good = probe.iterations and probe.look.least_skill > LEARNED
    return [] if is_good or kernels[0] not in cut else cut


def _has_no_slope(probe):
    """Whether head and loss have no slope together, which is another finding."""
    if probe.head.units == 1:
        is_softmax = probe.head.activation == "softmax"
        return is_softmax or probe.loss.kind in ("categorical", "sparse", "similarity")
    return probe.head.is_probability and bool(
        np.mean(np.minimum(probe.predictions, 1 - probe.predictions) < CLIPPED) > SURE
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


def _spread_left(probe):
    """How much varies in the last hidden layer, of what varies in the first.

    After training it counts where neither dead units nor penalties can have ended it.
    """
    trial = probe.trial
    if probe.iterations and (probe.look.dead_share or trial.penalty):
        return 1.0
    return trial.spread


def _learns_nothing(probe):
    """Whether no arm comes to tell samples apart, and 8 samples are not learned."""
    trial = probe.trial
    if trial.overfit is None or not np.isfinite(trial.overfit.losses).all():
        return False
    if trial.overfit.losses[-1] < UNLEARNED * trial.overfit.losses[0]:
        return False
    tried = [arm for arm in trial.arms.values() if arm.predictions]
    return bool(tried) and all(is_constant_after(probe, arm) for arm in tried)


def _size(values):
    """Root mean square; of the first samples where they are large."""
    return root_mean_square(_some(values))


def _spread(values):
    """Root mean square, but for what is the same for all samples, as a bias is."""
    some = _some(values)
    with np.errstate(invalid="ignore"):
        return root_mean_square(some - some.mean(0))


def _some(values):
    most = max(1, MOST_NUMBERS // max(1, values[:1].size))
    return values[:most].astype("float64")
