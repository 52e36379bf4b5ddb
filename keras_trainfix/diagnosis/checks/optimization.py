"""Checks of the steps: what a short trial at several learning rates shows.

All of them need `Probe.trial`, and say nothing without one.
"""

import keras
import numpy as np

from keras_trainfix.diagnosis.layer_kinds import DENSE_OR_CONV
from keras_trainfix.diagnosis.registry import check, found
from keras_trainfix.diagnosis.variation import inputs_vary

DIVERGED = -0.5  # gain: the loss has grown by half
LEARNS = 0.2  # gain of a few steps that shows that a rate works
DIED, ALIVE = 0.7, 0.4  # share of dead units in the worst layer
HARM = 0.1  # of the first loss, by which the steps of another rate were better
HARDLY = 0.02  # gain
MORE = 5  # times the gain that a rate ten times as large has to have
MEASURABLE = 1e-3  # gain that is no rounding
FAR = 10_000  # steps in which a loss would fall to 0
UNTRAINED = 0.3  # skill below which a trained model has not learned
VANISHED = 1e-3  # gradient of the first layer, of that of the last
LOST = 1e-6  # of what differs between samples, of that in the first layer
UNLEARNED = 0.3  # of the loss that is left of a batch of 8 samples
BLIND = 0.02  # standard deviation of predictions, of that of the targets
GROWN = 200  # times the inputs
OVERSHOT = 30  # times the targets
SCALED = 30  # root mean square of inputs that are not the reason
MOSTLY_PENALTY = 0.9  # of the gradient
OUTWEIGHED = 9  # times the loss of the best constant
CRUSHING = 30
TRAINED, NO_SKILL = 100, 0.05  # steps, and skill of a model that has collapsed
NO_WEIGHT = 0.01  # size of weights: a tenth of what layers of 100 inputs begin with
DROPS_MOST = 0.8  # rate
SHRUNK = 0.3  # standard deviation of predictions, of that of the targets
INFORMED = 0.5  # rank correlation
MOST_NUMBERS = 2**20
SOON = 0.01  # gain that shows that training goes on


@check("KTF401", "learning-rate-too-high", severity="error", per_output=False)
def learning_rate_too_high(probe):
    """Steps at the learning rate do harm, and steps at a smaller one do not.

    ## What you see
    The loss jumps, grows or becomes NaN within the first steps; or it falls to that of
    the best constant and stays there, because the ReLU units have died.

    ## Why it happens
    A step is the slope times the learning rate. Where it is longer than the valley is
    wide it ends higher up than it began, or far out where units are dead or saturated
    and there is no slope to come back on.

    ## How to check
    ```python
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(32, "relu"), keras.layers.Dense(1)]
    )
    model.compile(keras.optimizers.SGD(1.0), "mse")
    x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
    y = 3 * x[:, :1]
    ```

    ## Fix
    Divide the learning rate by 10 until the first steps lower the loss. Clipped
    gradients or a warm-up help where only the first steps are too long.

    ```python
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(32, "relu"), keras.layers.Dense(1)]
    )
    model.compile(keras.optimizers.SGD(0.01), "mse")
    x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
    y = 3 * x[:, :1]
    ```

    ## When this is not the cause
    Inputs or targets on a large scale make any rate too high: scale them first. If no
    smaller rate helps either, it is not the rate.

    ## References
    [Bengio, 2012](https://arxiv.org/abs/1206.5533)
    """
    trial = probe.trial
    if trial is None or 1.0 not in trial.arms or not _may_blame_rate(probe):
        return None
    gain, dead = trial.gain(1.0), trial.arms[1.0].dead
    helps = [factor for factor in (0.1, 0.01) if trial.gain(factor) > 0]
    if not helps:
        return None
    factor = max(helps, key=trial.gain)
    better = trial.arms[factor]
    # The end alone is luck: one unit that has survived may find its way.
    harm = _mean_difference(trial.arms[1.0], better) / (abs(trial.start) or 1.0)
    dies = dead >= DIED and better.dead < ALIVE and harm > HARM
    diverges = gain < DIVERGED
    if not (diverges or dies or (gain < 0 and trial.gain(factor) > LEARNS)):
        return None
    ends = dies and _is_constant(probe, trial.arms[1.0])
    what = f"the loss goes from {trial.start:.4g} to {trial.arms[1.0].end:.4g}" + (
        f", and {dead:.0%} of the ReLU units of a layer die" if dies else ""
    )
    return found(
        f"In {len(trial.arms[1.0].losses)} steps at the learning rate "
        f"{trial.rate:.3g} {what}; at {trial.rate * factor:.3g} it ends at "
        f"{better.end:.4g}.",
        f"model.optimizer.learning_rate = {trial.rate * factor:.3g}  # was "
        f"{trial.rate:.3g}; from new weights",
        severity="error" if diverges or ends else "warning",
        learning_rate=trial.rate,
        better_rate=trial.rate * factor,
        start=trial.start,
        end=trial.arms[1.0].end,
        better_end=better.end,
        dead_share=dead,
    )


@check("KTF402", "learning-rate-too-low", severity="warning", per_output=False)
def learning_rate_too_low(probe):
    """Steps at the learning rate hardly change the loss, and longer ones lower it.

    ## What you see
    The loss falls in the fourth digit from epoch to epoch. Predictions stay what the
    initial weights give, or are in the right order and far too small.

    ## Why it happens
    The learning rate was copied from a fine-tuning recipe, or lowered while something
    else was wrong. SGD needs rates a hundred times those of Adam.

    ## How to check
    ```python
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(32, "relu"), keras.layers.Dense(1)]
    )
    model.compile(keras.optimizers.SGD(1e-6), "mse")
    x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
    y = 3 * x[:, :1]
    ```

    ## Fix
    Multiply the learning rate by 10 until the first steps lower the loss clearly, and
    stop before they raise it.

    ```python
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(32, "relu"), keras.layers.Dense(1)]
    )
    model.compile(keras.optimizers.SGD(1e-2), "mse")
    x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
    y = 3 * x[:, :1]
    ```

    ## When this is not the cause
    A model that is nearly trained has little to gain from any rate. Where longer steps
    do not lower the loss either, look for a signal that vanishes, or for dead units.

    ## References
    [Bengio, 2012](https://arxiv.org/abs/1206.5533)
    """
    trial = probe.trial
    if trial is None or not _may_blame_rate(probe):
        return None
    gain = trial.gain(1.0)
    least = max(MORE * gain, MEASURABLE)
    faster = [f for f in trial.arms if f >= 10 and trial.gain(f) > least]
    if not faster or not gain < HARDLY:
        return None
    steps = trial.steps / gain if gain > 0 else float("inf")
    if steps < FAR or (not trial.is_fresh and probe.iterations * gain > trial.steps):
        return None
    factor = max(faster, key=trial.gain)
    change = np.median([g.update / g.weight for g in trial.gradients if g.weight])
    return found(
        f"{trial.steps} steps at the learning rate {trial.rate:.3g} take {gain:.2%} of "
        f"the loss away, and at {trial.rate * factor:.3g} {trial.gain(factor):.0%}. A "
        f"step changes weights by {change:.1e} of their size.",
        f"model.optimizer.learning_rate = {trial.rate * factor:.3g}  # was "
        f"{trial.rate:.3g}",
        learning_rate=trial.rate,
        better_rate=trial.rate * factor,
        gain=gain,
        better_gain=trial.gain(factor),
        update_ratio=float(change),
    )


@check("KTF405", "vanishing-signal", severity="error", per_output=False)
def vanishing_signal(probe):
    """The gradient has all but vanished before it reaches the first layers.

    ## What you see
    The loss falls to that of the best constant, `ln(classes)` or the variance of the
    targets, and stays; the first layers keep their initial weights.

    ## Why it happens
    The gradient of a layer is multiplied with the slopes of all layers behind it. That
    of a sigmoid is at most 0.25, so that ten of them leave a millionth. The same way
    the differences between samples get lost on their way to the head.

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
    if len(kernels) < 3 or not kernels[-1].size:
        return None
    ratio = kernels[0].size / kernels[-1].size
    spread = _spread_left(probe)
    is_blind = spread < LOST and _is_constant(probe, trial.arms[1.0])
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
        (output.layer.name, _size(output.values))
        for output in probe.layers
        if output.layer.weights and output.values.dtype.kind == "f"
    ]
    inputs = [_size(v) for v in probe.inputs.values() if v.dtype.kind == "f"]
    sizes = [(name, size) for name, size in sizes if np.isfinite(size)]
    if len(sizes) < 2 or probe.iterations or max(inputs, default=0) > SCALED:
        return None
    growth = max(size for _, size in sizes) / max(1.0, *inputs, 1.0)
    worst = max(sizes, key=lambda item: item[1])[0]
    overshoot = 0.0
    for other in look.probes():
        if other.task == "regression" and other.skill is not None:
            spread = _size(np.asarray(other.targets, "float64")) or 1.0
            overshoot = max(overshoot, _size(other.predictions) / spread)
    if growth < GROWN and overshoot < OVERSHOT:
        return None
    return found(
        f"From inputs of size {max(inputs, default=1.0):.3g} the layers make numbers "
        f"{growth:.3g} times as large (layer '{worst}')"
        + (f", and predictions {overshoot:.3g} times the targets" if overshoot else "")
        + ", before any training.",
        'keras.layers.Dense(..., kernel_initializer="he_normal")  # or the default\n'
        "# and keras.layers.LayerNormalization() between layers",
        growth=growth,
        overshoot=overshoot,
        layers=len(sizes),
    )


@check("KTF408", "over-regularised", severity="warning", per_output=False)
def over_regularised(probe):
    """Penalties or dropout outweigh what the data ask for.

    ## What you see
    Loss falls fast at first, as weights shrink, and ends far above zero. Predictions
    hardly vary, though they may be in the order of the targets.

    ## Why it happens
    The loss is that of the data plus `l2` times the sum of the squared weights. Where
    the second costs more than a better fit saves, all weights at 0 and a constant
    answer are the optimum. Dropout of 0.9 leaves one unit in ten to carry a signal.

    ## How to check
    ```python
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    decay = keras.regularizers.L2(1.0)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(32, "relu", kernel_regularizer=decay),
            keras.layers.Dense(32, "relu", kernel_regularizer=decay),
            keras.layers.Dense(1, kernel_regularizer=decay),
        ]
    )
    model.compile(keras.optimizers.Adam(0.001), "mse")
    x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
    y = x[:, :1]
    ```

    ## Fix
    Begin without, and add `1e-4` or so once the model learns and overfits.

    ```python
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    decay = keras.regularizers.L2(1e-4)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(32, "relu", kernel_regularizer=decay),
            keras.layers.Dense(32, "relu", kernel_regularizer=decay),
            keras.layers.Dense(1, kernel_regularizer=decay),
        ]
    )
    model.compile(keras.optimizers.Adam(0.001), "mse")
    x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
    y = x[:, :1]
    ```

    ## When this is not the cause
    A penalty that is large at first and goes down while the data loss falls as well
    does no harm. Early in training predictions vary little without any penalty.

    ## References
    [Krogh and Hertz, 1991](
    https://papers.nips.cc/paper/1991/hash/8eefcfdf5990e441f0fb6f3fad709e21-Abstract.html)
    """
    dropout = [
        output.layer
        for output in probe.layers
        if isinstance(output.layer, keras.layers.Dropout)
        and output.layer.rate >= DROPS_MOST
    ]
    if dropout:
        worst = max(dropout, key=lambda layer: layer.rate)
        return found(
            f"The dropout layer '{worst.name}' sets {worst.rate:.0%} of its inputs to "
            f"0 in each step, and multiplies the others by {1 / (1 - worst.rate):.3g}."
            if worst.rate < 1
            else f"The dropout layer '{worst.name}' of rate 1 lets nothing through.",
            f"keras.layers.Dropout(0.3)  # in place of {worst.rate:g}",
            rate=float(worst.rate),
        )
    trial, seen = probe.trial, probe.skill
    if trial is None or not trial.penalty or seen is None:
        return None
    decayed = [g for g in trial.gradients if g.decay]
    decay = np.sqrt(np.mean(np.square([g.decay for g in decayed] or [0.0])))
    whole = np.sqrt(np.mean(np.square([g.size for g in decayed] or [0.0])))
    share = decay / whole if whole else 0.0
    ratio = trial.penalty / seen.constant_loss if seen.constant_loss else 0.0
    has_collapsed = probe.iterations >= TRAINED and seen.skill < NO_SKILL
    weight = np.median([g.weight for g in decayed] or [np.inf])
    # What pulls weights to 0 is gone once they are there.
    is_crushed = has_collapsed and not trial.is_fresh and weight < NO_WEIGHT
    if has_collapsed:
        pulled = max((g.decay / g.size for g in decayed if g.size), default=0.0)
        is_found = ratio > 1 or share > 0.5 or (is_crushed and pulled > 0.5)
    elif trial.is_fresh:
        outweighs = ratio > OUTWEIGHED and share > MOSTLY_PENALTY
        is_found = outweighs or ratio > CRUSHING
    else:
        is_shrunk = seen.std_ratio < SHRUNK and (seen.correlation or 0) > INFORMED
        is_found = share > 0.5 and (is_shrunk or ratio > CRUSHING)
    if not is_found:
        return None
    state = (
        f"In {probe.iterations} steps the weights with a penalty have shrunk to "
        f"{weight:.1e}, and the answer is a constant"
        if is_crushed
        else f"The penalties of the weights are {trial.penalty:.4g}"
    )
    return found(
        f"{state}, and the loss of the best constant answer is "
        f"{seen.constant_loss:.4g}: not to learn is cheaper. The slope of the "
        f"penalties is {share:.0%} of that of the whole loss.",
        "kernel_regularizer=keras.regularizers.L2(1e-4)  # or none, until it learns",
        penalty=trial.penalty,
        constant_loss=seen.constant_loss,
        penalty_ratio=ratio,
        gradient_share=float(share),
        std_ratio=seen.std_ratio,
    )


@check("KTF410", "too-few-steps", severity="note", per_output=False)
def too_few_steps(probe):
    """The model has not learned yet, and goes on learning where it is let.

    ## What you see
    Training ends after a few epochs with a poor score, while the loss of every epoch
    is below that of the one before.

    ## Why it happens
    An epoch of a small data set is a few steps: 300 rows in batches of 128 are three.
    Steps count, not epochs: a small net needs hundreds.

    ## How to check
    ```python
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(32, "relu"), keras.layers.Dense(1)]
    )
    model.compile(keras.optimizers.Adam(0.001), "mse")
    x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
    y = 3 * x[:, :1]
    model.fit(x, y, batch_size=64, epochs=3, verbose=0)
    ```

    ## Fix
    More epochs, or smaller batches, until the validation loss no longer falls
    (`keras.callbacks.EarlyStopping`).

    ```python
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(32, "relu"), keras.layers.Dense(1)]
    )
    model.compile(keras.optimizers.Adam(0.02), "mse")
    x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
    y = 3 * x[:, :1]
    model.fit(x, y, batch_size=16, epochs=30, verbose=0)
    ```

    ## When this is not the cause
    Where more steps do not lower the loss any more, more epochs do not help.

    ## References
    [EarlyStopping](https://keras.io/api/callbacks/early_stopping/)
    """
    trial = probe.trial
    if trial is None or trial.is_fresh or not probe.iterations:
        return None
    signals = [other.signal for other in probe.look.probes()]
    if any(seen is not None and seen.is_absent for seen in signals):
        return None  # it learns noise by heart
    gain, skill = trial.gain(1.0), _skill(probe)
    if not gain > SOON or not skill < 0.5:
        return None
    steps = int(np.ceil(trial.steps / gain))
    return found(
        f"After {probe.iterations} steps the model is {skill:.0%} of the way from the "
        f"best constant to a perfect answer, and {trial.steps} more steps take "
        f"{gain:.1%} of the loss away: expect to need some {steps} more.",
        "model.fit(..., epochs=10 * epochs)  # or smaller batches: more steps an epoch",
        iterations=probe.iterations,
        gain=gain,
        skill=skill,
        steps_needed=steps,
    )


def _mean_difference(arm, other):
    """How much higher the loss of an arm is on average, as long as both go on."""
    both = min(len(arm.losses), len(other.losses))
    return float(np.mean(arm.losses[:both]) - np.mean(other.losses[:both]))


def _spread_left(probe):
    """How much varies in the last hidden layer, of what varies in the first.

    Before training: later it is dead units, mostly, that end it.
    """
    if probe.iterations:
        return 1.0
    hidden = [
        float(output.values.astype("float64").std(0).mean())
        for output in probe.layers
        if isinstance(output.layer, DENSE_OR_CONV) and output.is_finite
    ][:-1]
    return hidden[-1] / hidden[0] if len(hidden) > 1 and hidden[0] else 1.0


def _may_blame_rate(probe):
    """Whether a model has to learn yet: what is trained gets worse by most steps."""
    if not inputs_vary(probe.look):
        return False
    if probe.trial.is_fresh:
        return True
    return _skill(probe) < UNTRAINED


def _skill(probe):
    """The least skill of all outputs; infinite where none can be judged."""
    seen = [other.skill for other in probe.look.probes()]
    skills = [one.skill for one in seen if one is not None and np.isfinite(one.skill)]
    return float(min(skills, default=np.inf))


def _is_constant(probe, arm):
    """Whether the predictions after an arm are the same for all samples."""
    pairs = zip(probe.look.probes(), arm.predictions, strict=False)
    seen = [other.skill_of(predictions) for other, predictions in pairs]
    ratios = [one.std_ratio for one in seen if one is not None]
    return bool(ratios) and max(ratios) < BLIND


def _learns_nothing(probe):
    """Whether no arm comes to tell samples apart, and 8 samples are not learned."""
    trial = probe.trial
    if trial.overfit is None or not np.isfinite(trial.overfit.losses).all():
        return False
    if trial.overfit.losses[-1] < UNLEARNED * trial.overfit.losses[0]:
        return False
    tried = [arm for arm in trial.arms.values() if arm.predictions]
    return bool(tried) and all(_is_constant(probe, arm) for arm in tried)


def _size(values):
    """Root mean square; of the first samples where they are large."""
    most = max(1, MOST_NUMBERS // max(1, values[:1].size))
    return float(np.sqrt(np.mean(np.square(values[:most].astype("float64")))))
