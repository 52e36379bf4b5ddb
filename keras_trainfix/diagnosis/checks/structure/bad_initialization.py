"""KTF407 bad-initialization: hidden units that are copies, or kernels of zeros."""

import numpy as np

from keras_trainfix.backend import to_numpy
from keras_trainfix.diagnosis.fix_code import layer_of
from keras_trainfix.diagnosis.measure.learned import has_learned
from keras_trainfix.diagnosis.observe.layers import (
    DENSE_OR_CONV,
    TRANSPOSED,
    kernel_columns,
)
from keras_trainfix.diagnosis.observe.variation import (
    answer_layers,
    is_output,
    varies,
)
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot


@check(
    "KTF407",
    "bad-initialization",
    "error",
    action="use a standard initializer",
    scope="model",
    order=0,
    explains=ONE_ANSWER,
    new_weights=True,
    aliases=("bad-initialisation",),
)
def bad_initialization(snapshot: Snapshot) -> Found | None:
    """The units of a hidden layer are copies of each other, or their kernel is zero.

    ## What you see
    The net learns no more than it would with one unit per layer, or nothing at all:
    predictions are the same for every sample.

    ## Why it happens
    Units that start with the same weights get the same gradient as long as the next
    layer treats them alike, and remain copies. A kernel of zeros gives the same output
    for every sample, and a ReLU after it passes no gradient back. Constant initializers
    ("zeros", "ones") of a kernel are the usual reason.

    ## How to check
    Count the different columns of a kernel.

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
    Keep the default initializer, or use "he_normal" before a ReLU.

    ```python
    kernel = model.layers[0].kernel
    kernel.assign(keras.initializers.HeNormal()(kernel.shape))
    ```

    ## When this is not the cause
    A head of zeros is a valid start: its units get different gradients. So is the last
    layer of a residual branch; neither is reported. If the next layer treats the copies
    differently, they diverge in training, and it is a warning. Once the model has
    learned its task, it is a note.

    ## References
    [Glorot and Bengio, 2010](https://proceedings.mlr.press/v9/glorot10a.html)
    """
    faulty = list(_faulty(snapshot))
    if not faulty:
        return None
    layer, units, copies, is_stuck = faulty[0]
    largest = float(np.abs(kernel_columns(layer)).max(initial=0))
    what = f"has {copies} columns that are copies" if largest else "is zero throughout"
    severity = "error" if is_stuck else "warning"
    return found(
        f"The kernel of the hidden layer '{layer.name}' of {units} units {what}: "
        + ("it cannot learn." if is_stuck else "they learn the same."),
        _fix(snapshot.model, [layer for layer, *_ in faulty]),
        severity="note" if has_learned(snapshot) else severity,
        units=units,
        copies=copies,
        largest_weight=largest,
    )


def _faulty(snapshot):
    """`(layer, units, copies, is_stuck)` of each hidden layer of copies or zeros."""
    heads = answer_layers(snapshot)
    outputs = snapshot.layers
    for index, output in enumerate(outputs):
        layer = output.layer
        if not isinstance(layer, DENSE_OR_CONV) or not layer.trainable_weights:
            continue
        if layer.name in heads or is_output(snapshot, output.values):
            continue
        kernel = kernel_columns(layer)
        copies = _copies(layer, kernel)
        is_zero = not kernel.any()
        if is_zero and _signal_continues(snapshot, index):
            continue
        if is_zero or copies:
            units = kernel.shape[1]
            is_stuck = is_zero or _treated_alike(outputs[index + 1 :], units)
            yield layer, units, copies, is_stuck


def _fix(model, layers):
    """Code that initializes kernels again; a comment for nested layers."""
    initializer = "keras.initializers.GlorotUniform()"
    names = {layer.name: layer_of(model, layer.name) for layer in layers}
    nested = [name for name, code in names.items() if code is None]
    lines = [
        f"# the kernel of '{name}' by {initializer}, the default" for name in nested
    ]
    known = [code for code in names.values() if code is not None]
    if len(known) == 1:
        lines += [
            f"kernel = {known[0]}.kernel",
            f"kernel.assign({initializer}(kernel.shape))  # the default",
        ]
    elif known:
        listed = "".join(f"    {code},\n" for code in known)
        lines += [
            f"for layer in (\n{listed}):",
            "    kernel = layer.kernel",
            f"    kernel.assign({initializer}(kernel.shape))  # the default",
        ]
    return "\n".join(lines)


def _copies(layer, kernel):
    """How many columns repeat another one; 0 unless at least half of them do."""
    units = kernel.shape[1]
    bias = getattr(layer, "bias", None)
    rows = kernel if bias is None else np.vstack([kernel, to_numpy(bias)])
    if units < 2 or not np.isfinite(rows).all():
        return 0
    # Equal columns have equal sums, bit for bit; different ones do not.
    factors = np.random.default_rng(0).normal(size=(len(rows), 1))
    different = len(np.unique((factors * rows).sum(0)))
    if different == 1:
        return units
    pruned = int((kernel == 0).all(0).sum())  # zeros among other columns
    copies = units - different - max(0, pruned - 1)
    return copies if copies >= units / 2 else 0


def _signal_continues(snapshot, index):
    """Whether anything after a layer still differs between samples."""
    heads = answer_layers(snapshot)
    after = [
        output.values
        for output in snapshot.layers[index + 1 :]
        if output.layer.name not in heads
    ]
    return any(map(varies, [*after, *snapshot.predictions]))


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
