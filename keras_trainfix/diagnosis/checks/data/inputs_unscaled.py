"""KTF101 inputs-unscaled: inputs on a scale that the first layer does not expect."""

from typing import Any

import keras
import numpy as np

from keras_trainfix import backend
from keras_trainfix.diagnosis.fix_code import with_first_layer
from keras_trainfix.diagnosis.measure.learned import has_learned_the_possible
from keras_trainfix.diagnosis.observe.first_layers import SCALING, first_kernels
from keras_trainfix.diagnosis.observe.inputs import (
    feature_sizes,
    may_be_unscaled,
    numeric_inputs,
)
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot

HIDDEN = 1e-3  # standard deviation of a hidden feature, of that of the widest
# Ranges of the minimum and maximum of photographs less their mean color: VGG, ResNet.
CENTERED = ((-135, -50), (50, 160))


@check(
    "KTF101",
    "inputs-unscaled",
    "warning",
    action="scale the inputs",
    scope="model",
    explains=ONE_ANSWER,
    sets_rate=True,
    of_degree=True,
)
def inputs_unscaled(snapshot: Snapshot) -> Found | None:
    """The inputs are far from unit scale, and the first layer does not rescale them.

    ## What you see
    The loss starts in the hundreds or higher, jumps, and stays at that of a constant
    answer. Predictions become equal for all samples, or NaN. With several features,
    only the largest seems to count.

    ## Why it happens
    Initial weights and learning rates are chosen for inputs with a mean near 0 and a
    standard deviation near 1. Inputs a hundred times larger make activations and
    gradients a hundred times larger: sigmoids saturate and ReLUs die. A feature a
    hundred times smaller than its neighbors has almost no effect.

    ## How to check
    Compare the inputs with mean 0 and standard deviation 1. `diagnose` compares the
    pre-activations of the first layer with those of inputs on unit scale, and takes
    normalizing layers before or right after it into account.

    ```python
    import keras, numpy as np

    x = np.random.default_rng(0).integers(0, 256, (64, 8, 8, 3)).astype("float32")
    y = (x.mean((1, 2, 3)) > 127).astype("float32")
    model = keras.Sequential([
        keras.Input((8, 8, 3)),
        keras.layers.Conv2D(8, 3, activation="relu"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    model.compile("adam", "binary_crossentropy")
    print(x.mean(), x.std())
    ```

    ## Fix
    Make the scaling part of the model, so that it also runs at prediction. For tables,
    use `keras.layers.Normalization` and its `adapt(x_train)`.

    ```python
    model = keras.Sequential([
        keras.Input((8, 8, 3)),
        keras.layers.Rescaling(1 / 127.5, offset=-1),
        *model.layers,
    ])
    model.compile("adam", "binary_crossentropy")
    ```

    ## When this is not the cause
    A pretrained model needs the inputs it was trained on, whatever their scale: use its
    own `preprocess_input`. Integer ids need an `Embedding`, not scaling. It is a note
    once the model has about the skill that simple learners have on the same inputs.

    ## References
    [LeCun et al., Efficient BackProp, 1998](https://doi.org/10.1007/3-540-49430-8_2);
    [keras.layers.Normalization](https://keras.io/api/layers/preprocessing_layers/numerical/normalization/).
    """
    is_scaled_badly = any(
        isinstance(output.layer, SCALING) and may_be_unscaled(output.values)
        for output in snapshot.layers
    )
    for name, array in numeric_inputs(snapshot).items():
        if not (may_be_unscaled(array) or is_scaled_badly):
            continue
        for kernel, layer, given in first_kernels(snapshot, array):
            finding = _unscaled(snapshot, name, given, kernel, layer)
            if finding:
                return _weighed(snapshot, finding)
    finding = _on_one_scale(snapshot)
    return finding and _weighed(snapshot, finding)


def _weighed(snapshot, finding):
    """The finding, a note where the model has learned with this scale."""
    if not has_learned_the_possible(snapshot):
        return finding
    return finding._replace(severity="note")


def _on_one_scale(snapshot):
    """A finding if one mean and deviation for all features hide the small ones."""
    for output in snapshot.layers:
        layer, values = output.layer, output.values
        is_table = isinstance(layer, keras.layers.Normalization) and values.ndim == 2
        if not is_table or layer.axis:
            continue
        spreads = values.std(0, dtype="float64")
        hidden = np.flatnonzero((spreads > 0) & (spreads < HIDDEN * spreads.max()))
        if len(hidden):
            return found(
                f"'{layer.name}' has one mean and one standard deviation for all "
                f"{len(spreads)} features. Feature {hidden[0]} keeps a standard "
                f"deviation of {spreads[hidden[0]]:.2g}, the widest one "
                f"{spreads.max():.2g}.",
                "# one mean and one deviation for each feature, instead of "
                f"'{layer.name}':\n"
                "normalization = keras.layers.Normalization(axis=-1)\n"
                "normalization.adapt(x)",
                hidden_features=len(hidden),
                worst_feature=int(hidden[0]),
                worst_feature_scale=float(spreads[hidden[0]]),
            )
    return None


def _unscaled(snapshot, name, array, kernel, layer):
    sizes = feature_sizes(array)
    array = array.astype("float64")
    values = array[np.isfinite(array)]
    mean, spread = float(values.mean()), float(values.std())
    lowest, highest = float(values.min()), float(values.max())
    rows = (
        kernel.reshape(-1, len(sizes), kernel.shape[-1])
        if (kernel.size % (len(sizes) * kernel.shape[-1]) == 0)
        else None
    )
    if rows is None:  # flattened: features cannot be told apart
        sizes = np.full(1, np.sqrt((values**2).mean()))
        rows = kernel.reshape(-1, 1, kernel.shape[-1])
    powers = (rows**2).sum(0)  # (features, units)
    reached = float(np.sqrt((powers * sizes[:, None] ** 2).sum(0).mean()))
    usual = float(np.sqrt(powers.sum(0).mean()))
    gain = reached / usual if usual else 0.0
    worst = int(sizes.argmax())
    # Compare maxima: a feature that is rarely used is not a small one.
    tops = np.abs(np.where(np.isfinite(array), array, 0))
    tops = tops.reshape(-1, array.shape[-1] if array.ndim > 1 else 1).max(0)
    tops = tops[tops > 0]
    ratio = float(tops.max() / tops.min())
    caffe = layer.trainable_weights and array.ndim == 4 and array.shape[-1] == 3
    if caffe and _is_centered(lowest, highest) and _is_trained(layer):
        return None
    evidence: dict[str, Any] = {
        "mean": mean,
        "std": spread,
        "min": lowest,
        "max": highest,
        "worst_feature": worst,
        "worst_feature_scale": float(sizes[worst]),
        "feature_scale_ratio": ratio,
        "first_layer_gain": gain,
    }
    scale = (
        f"'{name}' has mean {mean:.4g} and standard deviation {spread:.4g} (from "
        f"{lowest:.4g} to {highest:.4g})"
    )
    is_picture = array.ndim == 4 and lowest >= 0 and highest <= 255
    fix = (
        with_first_layer(snapshot, "keras.layers.Rescaling(1 / 127.5, offset=-1)")
        if is_picture
        else with_first_layer(
            snapshot,
            "normalization",
            "normalization = keras.layers.Normalization()",
            "normalization.adapt(x)  # the training data",
        )
    )
    if gain >= 20 and reached >= 10:
        effect = (
            f", which makes the pre-activations of '{layer.name}' {gain:.0f} times as "
            "large as those of inputs on unit scale."
        )
        return found(scale + effect, fix, **evidence)
    if array.ndim <= 3 and ratio >= 100 and gain >= 5 and reached >= 5:
        effect = (
            f", and its features differ in scale by a factor of {ratio:.4g}: in "
            f"'{layer.name}' feature {worst} dominates the others."
        )
        return found(scale + effect, fix, **evidence)
    if max(abs(lowest), abs(highest)) < 0.01 and gain < 0.01 and reached < 0.02:
        effect = (
            f", which makes the pre-activations of '{layer.name}' {gain:.2g} times "
            "those of inputs on unit scale. Was it scaled twice?"
        )
        fix = fix if not is_picture else "x = x * 255  # scaled twice: undo one"
        return found(scale + effect, fix, **evidence)
    return None


def _is_centered(lowest, highest):
    (a, b), (c, d) = CENTERED
    return a <= lowest <= b and c <= highest <= d


def _is_trained(layer):
    bias = getattr(layer, "bias", None)
    return bias is not None and bool(np.any(backend.to_numpy(bias)))
