"""Checks of weights: copies of each other, zeros, and what is no number."""

import keras
import numpy as np

from keras_trainfix.backend import to_numpy
from keras_trainfix.diagnosis.checks.bottlenecks import late_dropout
from keras_trainfix.diagnosis.layer_kinds import (
    DENSE_OR_CONV,
    TRANSPOSED,
    kernel_columns,
)
from keras_trainfix.diagnosis.registry import check, found
from keras_trainfix.diagnosis.variation import (
    answer_layers,
    is_finite,
    is_output,
    varies,
)
from keras_trainfix.models.batch_norm_layers import all_layers


@check("KTF407", "bad-initialisation", severity="error", per_output=False)
def bad_initialisation(probe):
    """The units of a hidden layer are copies of each other, or their kernel is zero.

    ## What you see
    The net learns no more than one unit a layer could, or nothing at all: predictions
    are the same for every sample.

    ## Why it happens
    Units that start with the same weights get the same gradient as long as the next
    layer treats them alike, and stay copies for ever. A kernel of zeros gives the
    same output for every sample, and a ReLU after it lets no gradient back. Constant
    initialisers ("zeros", "ones") of a kernel are the usual reason.

    ## How to check
    ```python
    import keras
    import numpy as np

    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(8, "relu", kernel_initializer="zeros"),
            keras.layers.Dense(1, kernel_initializer="zeros"),
        ]
    )
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x[:, :1]
    print(np.unique(model.layers[0].get_weights()[0], axis=1).shape[1], "of 8")
    ```

    ## Fix
    Leave the initialiser at its default, or use "he_normal" before a ReLU.

    ```python
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(8, "relu", kernel_initializer="he_normal"),
            keras.layers.Dense(1),
        ]
    )
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x[:, :1]
    ```

    ## When this is not the cause
    A head of zeros is a fair start: its units get different gradients. So is the last
    layer of a residual branch; neither is reported. Where copies meet a next layer
    that treats them differently they part in training: a warning.

    ## References
    [Glorot and Bengio, 2010](https://proceedings.mlr.press/v9/glorot10a.html)
    """
    heads = answer_layers(probe.look)
    outputs = probe.layers
    for index, output in enumerate(outputs):
        layer = output.layer
        if not isinstance(layer, DENSE_OR_CONV) or not layer.trainable_weights:
            continue
        if layer.name in heads or is_output(probe.look, output.values):
            continue
        kernel = kernel_columns(layer)
        copies = _copies(layer, kernel)
        is_zero = not kernel.any()
        if is_zero and _signal_goes_on(probe, index):
            continue
        if not is_zero and not copies:
            continue
        units = kernel.shape[1]
        is_stuck = is_zero or _treated_alike(outputs[index + 1 :], units)
        what = (
            "is zero throughout" if is_zero else f"has {copies} columns that are copies"
        )
        return found(
            f"The kernel of the hidden layer '{layer.name}' of {units} units {what}: "
            + ("it cannot learn from there." if is_stuck else "they learn the same."),
            "# the default is a fair start for all layers\n"
            f'{type(layer).__name__}(..., kernel_initializer="glorot_uniform")',
            severity="error" if is_stuck else "warning",
            units=units,
            copies=copies,
            largest_weight=float(np.abs(kernel).max(initial=0)),
        )
    return None


@check("KTF409", "not-finite", severity="error", per_output=False)
def not_finite(probe):
    """Weights or activations are NaN or infinite, although the inputs are finite.

    ## What you see
    The loss is `nan`, often after some good steps, and stays so. Predictions are NaN,
    or one class for every sample.

    ## Why it happens
    A step was so large that numbers overflowed: a learning rate that is too high,
    inputs or targets that are not scaled, float16 without loss scaling. Or a layer or a
    loss divides by 0, or takes a logarithm or root of 0. A single NaN reaches all
    weights with the next step.

    ## How to check
    ```python
    import keras
    import numpy as np

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(1e30), "mse")
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x[:, :1]
    model.fit(x, y, epochs=4, batch_size=16, verbose=0)
    print([np.isfinite(weight).all() for weight in model.get_weights()])
    ```

    ## Fix
    Weights that are NaN cannot be repaired: make the model anew, with a smaller
    learning rate and clipped gradients. `keras.callbacks.TerminateOnNaN` stops in time.

    ```python
    import keras
    import numpy as np

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(1e-2, clipnorm=1.0), "mse")
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x[:, :1]
    model.fit(x, y, epochs=4, batch_size=16, verbose=0)
    ```

    ## When this is not the cause
    NaN in the inputs or targets comes out as NaN as well, and is a finding of its own.
    Infinities that a later layer removes, as a mask before a softmax, are none.

    ## References
    [TerminateOnNaN](https://keras.io/api/callbacks/terminate_on_nan/)
    """
    if not all(is_finite(values) for values in probe.inputs.values()):
        return None
    weights = {}
    for layer in all_layers(probe.model):
        # `weights` of a layer without layers in it are its own
        bad = [] if layer._layers else [w for w in layer.weights if not _of_numbers(w)]
        if bad:
            weights[layer.name] = len(bad)
    answers_bad = not all(map(is_finite, probe.look.predictions))
    activations = [
        output.layer.name
        for output in probe.layers
        if np.isnan(output.values).any() or (answers_bad and not output.is_finite)
    ]
    if not weights and not activations and not answers_bad:
        return _loss_not_finite(probe)
    in_order = [output.layer.name for output in probe.layers]
    bad_layers = {*weights, *activations}
    ordered = [name for name in in_order if name in bad_layers]
    first = next(iter([*ordered, *weights]), None)
    where = f"layer '{first}'" if first else "the output"
    kind = "weights" if first in weights else "activations"
    bad = [values.size - np.isfinite(values).sum() for values in probe.look.predictions]
    share = sum(bad) / max(1, sum(values.size for values in probe.look.predictions))
    return found(
        f"The {kind} of {where} are the first that hold NaN or Inf ({len(weights)} "
        f"layers have such weights; {share:.0%} of the predictions are not finite), "
        "although the inputs are finite.",
        "# make the model anew: weights that are NaN stay so\n"
        'model.compile(keras.optimizers.Adam(1e-4, clipnorm=1.0), "...")\n'
        "model.fit(..., callbacks=[keras.callbacks.TerminateOnNaN()])",
        layers_with_bad_weights=len(weights),
        layers_with_bad_activations=len(set(activations)),
        bad_prediction_share=float(share),
    )


def _loss_not_finite(probe):
    """The loss itself, of numbers that are all finite."""
    trial, targets = probe.trial, probe.look.targets
    if trial is None or np.isfinite(trial.start):
        return None
    if not all(y is None or y.dtype.kind not in "f" or is_finite(y) for y in targets):
        return None
    # Rows of which it drops all answers have no sum to divide by: KTF411 says so.
    if any(late_dropout(probe.layers, other) for other in probe.look.probes()):
        return None
    return found(
        f"The loss is {trial.start}, of inputs, targets and predictions that are all "
        "finite: it divides by 0, or takes a logarithm or root of 0 or less.",
        "keras.ops.log(keras.ops.maximum(p, keras.config.epsilon()))  # in the loss",
        loss=trial.start,
    )


def _copies(layer, kernel):
    """How many columns repeat another one; 0 unless they are most of a layer."""
    units = kernel.shape[1]
    bias = getattr(layer, "bias", None)
    rows = kernel if bias is None else np.vstack([kernel, to_numpy(bias)])
    if units < 2 or not np.isfinite(rows).all():
        return 0
    # Columns that are the same have the same sum, to the bit, and others have not.
    factors = np.random.default_rng(0).normal(size=(len(rows), 1))
    different = len(np.unique((factors * rows).sum(0)))
    if different == 1:
        return units
    pruned = int((kernel == 0).all(0).sum())  # zeros among other columns
    copies = units - different - max(0, pruned - 1)
    return copies if copies >= units / 2 else 0


def _signal_goes_on(probe, index):
    """Whether something behind a layer still differs between samples."""
    heads = answer_layers(probe.look)
    after = [
        output.values
        for output in probe.layers[index + 1 :]
        if output.layer.name not in heads
    ]
    return any(map(varies, [*after, *probe.look.predictions]))


def _treated_alike(after, units):
    """Whether the next layer with a kernel has the same weights for all units."""
    for output in after:
        if not isinstance(output.layer, DENSE_OR_CONV):
            continue
        kernel = to_numpy(output.layer.kernel).astype("float64")
        if isinstance(output.layer, TRANSPOSED):
            kernel = np.moveaxis(kernel, -2, -1)
        if kernel.shape[-2] != units:
            return False
        return bool((kernel == kernel[..., :1, :]).all())
    return False


def _of_numbers(weight):
    """Whether all numbers of a weight are finite."""
    if not keras.backend.is_float_dtype(keras.backend.standardize_dtype(weight.dtype)):
        return True
    return bool(np.isfinite(to_numpy(weight).astype("float32")).all())
