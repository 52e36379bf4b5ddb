"""KTF406 exploding-signal: values that grow from layer to layer."""

import numpy as np

from keras_trainfix.diagnosis.fix_code import recompiled
from keras_trainfix.diagnosis.measure.learned import has_learned
from keras_trainfix.diagnosis.observe.variation import is_output, root_mean_square
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot

GROWN = 200  # size of activations, of that of the inputs
OVERSHOT = 30  # size of predictions, of that of the targets
SCALED = 30  # root mean square of inputs, beyond which they are the cause
TINY = 1e-3  # root mean square of targets
MOST_NUMBERS = 2**20
NEW_KERNELS = """he_normal = keras.initializers.HeNormal()
for layer in model.layers:
    if hasattr(layer, "kernel"):
        layer.kernel.assign(he_normal(layer.kernel.shape))
# and keras.layers.LayerNormalization() between layers"""
AFTER = ", after {} steps; new initial weights do no better."


@check(
    "KTF406",
    "exploding-signal",
    "warning",
    action="use a standard initializer, or normalize between layers",
    scope="model",
    order=5,
    explains=ONE_ANSWER,
    rate="lower",
    of_degree=True,
)
def exploding_signal(snapshot: Snapshot) -> Found | None:
    """Values grow from layer to layer, far beyond inputs and targets.

    ## What you see
    The first loss is a thousand times that of a constant, or NaN. Then it falls for
    many epochs, and the model has only learned to shrink its weights.

    ## Why it happens
    Each layer multiplies the size of its inputs by the size of its weights times the
    root of their number. With initial weights of standard deviation 1 instead of `1 /
    sqrt(inputs)`, a few layers reach thousands.

    ## How to check
    Compare the size of the first predictions with that of the targets.

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
    print(model.predict(x, verbose=0).std() / y.std())
    ```

    ## Fix
    Use the default initializer, or "he_normal" before a ReLU; normalization layers in
    deep nets; `clipnorm` for recurrent ones.

    ```python
    he_normal = keras.initializers.HeNormal()
    for layer in model.layers:
        layer.kernel.assign(he_normal(layer.kernel.shape))
    ```

    ## When this is not the cause
    Inputs on a large scale give large values in every layer: that is another finding,
    with another fix. There is none if the model has learned its task, as with a last
    layer that multiplies by the scale of the targets.

    ## References
    [He et al., 2015](https://arxiv.org/abs/1502.01852)
    """
    sizes = [
        (output.layer.name, _spread(output.values))
        for output in snapshot.layers
        if output.layer.weights and output.values.dtype.kind == "f"
    ]
    inputs = [_size(v) for v in snapshot.inputs.values() if v.dtype.kind == "f"]
    sizes = [(name, size) for name, size in sizes if np.isfinite(size)]
    if len(sizes) < 2 or max(inputs, default=0) > SCALED:
        return None
    if has_learned(snapshot):
        return None
    if snapshot.iterations and not _begins_far_off(snapshot):
        return None
    overshoot = 0.0
    for other in snapshot.views():
        if other.task == "regression" and other.skill is not None:
            spread = _size(np.asarray(other.targets, "float64"))
            if spread < TINY:  # a finding about the targets
                continue
            overshoot = max(overshoot, _size(other.predictions) / spread)
    intended = _answers_as_targets(snapshot)
    sizes = [(name, size) for name, size in sizes if name not in intended] or sizes
    growth = max(size for _, size in sizes) / max(1.0, *inputs, 1.0)
    worst = max(sizes, key=lambda item: item[1])[0]
    if growth < GROWN and overshoot < OVERSHOT:
        return None
    return found(
        f"The activations of layer '{worst}' are {growth:.3g} times as large as the "
        f"inputs, of size {max(inputs, default=1.0):.3g}"
        + (
            f", and predictions {overshoot:.3g} times as large as the targets"
            if overshoot
            else ""
        )
        + (AFTER.format(snapshot.iterations) if snapshot.iterations else " at first."),
        recompiled(snapshot.model, NEW_KERNELS),
        growth=growth,
        overshoot=overshoot,
        layers=len(sizes),
    )


def _answers_as_targets(snapshot):
    """The names of the layers that give answers as large as the targets vary."""
    known = [view.skill for view in snapshot.views()]
    if any(seen is None or not seen.std_ratio < OVERSHOT for seen in known):
        return set()
    return {o.layer.name for o in snapshot.layers if is_output(snapshot, o.values)}


def _begins_far_off(snapshot):
    """Whether a trained model is as far off as with new initial weights."""
    trial = snapshot.trial
    scores = [view.skill for view in snapshot.views()]
    if trial is None or not trial.is_fresh or None in scores:
        return False
    constant_loss = sum(score.constant_loss for score in scores)
    return 0 < OVERSHOT * constant_loss < trial.start - trial.penalty


def _size(values):
    """Root mean square, of the first samples of a large array."""
    return root_mean_square(_some(values))


def _spread(values):
    """Root mean square of what differs between samples, so without a bias."""
    some = _some(values)
    with np.errstate(invalid="ignore"):
        return root_mean_square(some - some.mean(0))


def _some(values):
    most = max(1, MOST_NUMBERS // max(1, values[:1].size))
    return values[:most].astype("float64")
