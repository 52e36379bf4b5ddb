"""Checks of signals that fade or grow on their way through the layers."""

import numpy as np

from keras_trainfix.diagnosis.observe.variation import root_mean_square
from keras_trainfix.diagnosis.registry import ONE_ANSWER, check, found

GROWN = 200  # times the inputs


OVERSHOT = 30  # times the targets


SCALED = 30  # root mean square of inputs that are not the reason


TINY = 1e-3  # root mean square of targets


MOST_NUMBERS = 2**20


AFTER = ", after {} steps: with new weights it is no better."


@check(
    "KTF406",
    "exploding-signal",
    "warning",
    scope="model",
    order=5,
    explains=ONE_ANSWER,
    rescue="slower",
)
def exploding_signal(snapshot):
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
    snapshot = snapshot
    sizes = [
        (output.layer.name, _spread(output.values))
        for output in snapshot.layers
        if output.layer.weights and output.values.dtype.kind == "f"
    ]
    inputs = [_size(v) for v in snapshot.inputs.values() if v.dtype.kind == "f"]
    sizes = [(name, size) for name, size in sizes if np.isfinite(size)]
    if len(sizes) < 2 or max(inputs, default=0) > SCALED:
        return None
    if snapshot.iterations and not _begins_far_off(snapshot):
        return None
    growth = max(size for _, size in sizes) / max(1.0, *inputs, 1.0)
    worst = max(sizes, key=lambda item: item[1])[0]
    overshoot = 0.0
    for other in snapshot.views():
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
        + (AFTER.format(snapshot.iterations) if snapshot.iterations else " at first."),
        'keras.layers.Dense(..., kernel_initializer="he_normal")  # or the default\n'
        "# and keras.layers.LayerNormalization() between layers",
        growth=growth,
        overshoot=overshoot,
        layers=len(sizes),
    )


def _begins_far_off(snapshot):
    """Whether a trained model answers as wildly as it does with new weights."""
    trial = snapshot.trial
    scores = [view.skill for view in snapshot.views()]
    if trial is None or not trial.is_fresh or None in scores:
        return False
    constant_loss = sum(score.constant_loss for score in scores)
    return 0 < OVERSHOT * constant_loss < trial.start - trial.penalty


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
