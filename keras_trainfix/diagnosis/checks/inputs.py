"""Checks of the inputs: KTF101 unscaled, KTF102, KTF103, and KTF128 ids."""

import keras
import numpy as np

from keras_trainfix import backend
from keras_trainfix.diagnosis.activity import unchanged
from keras_trainfix.diagnosis.head import PASS_ON
from keras_trainfix.diagnosis.registry import check, found
from keras_trainfix.models.batch_norm_layers import all_layers

FEW = 4  # samples with which a layer is called again
# Layers that change the scale of their inputs to one of order 1.
NORMALIZING = tuple(
    getattr(keras.layers, name)
    for name in (
        "BatchNormalization",
        "LayerNormalization",
        "GroupNormalization",
        "UnitNormalization",
        "RMSNormalization",
        "Normalization",
        "Rescaling",
    )
    if hasattr(keras.layers, name)
)
# Of these the ones that do so by a constant, which may be wrong.
SCALING = (keras.layers.Normalization, keras.layers.Rescaling)
# Layers without weights that leave the scale of their inputs as it is.
KEEP_SCALE = PASS_ON + tuple(
    getattr(keras.layers, f"{kind}{dimensions}D")
    for kind in ("ZeroPadding", "Cropping", "UpSampling", "MaxPooling")
    for dimensions in (1, 2, 3)
)
# Ranges of photographs from which the mean colour was taken: VGG, ResNet.
CENTRED = ((-135, -50), (50, 160))


@check("KTF101", "inputs-unscaled", "warning", per_output=False)
def inputs_unscaled(probe):
    """The inputs are far from order 1, and the first layer passes that on.

    ## What you see
    The loss starts in the hundreds or beyond, jumps, and stays at that of a constant
    answer; predictions become equal for all samples, or NaN. Of several features only
    the largest seems to count.

    ## Why it happens
    Weights are initialized, and learning rates chosen, for inputs with a mean near 0
    and a spread near 1. Inputs a hundred times larger make activations and gradients a
    hundred times larger: sigmoids saturate, ReLUs die. A feature a hundred times
    smaller than its neighbour is not seen.

    ## How to check
    The check compares the pre-activations of the first layer with those of inputs of
    unit scale. A normalizing layer before it, or right behind it, settles the matter.

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
    ```

    ## Fix
    Put the scaling into the model, so that it is there at prediction, too. For columns
    of a table use `keras.layers.Normalization` and its `adapt(x_train)`.

    ```python
    import keras, numpy as np

    x = np.random.default_rng(0).integers(0, 256, (64, 8, 8, 3)).astype("float32")
    y = (x.mean((1, 2, 3)) > 127).astype("float32")
    model = keras.Sequential([
        keras.Input((8, 8, 3)),
        keras.layers.Rescaling(1 / 127.5, offset=-1),
        keras.layers.Conv2D(8, 3, activation="relu"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    model.compile("adam", "binary_crossentropy")
    ```

    ## When this is not the cause
    A pretrained net wants the inputs it was trained with, whatever their scale: use its
    own `preprocess_input`. Integer ids belong into an `Embedding`, not onto a scale.

    ## References
    [LeCun et al., Efficient BackProp, 1998](https://doi.org/10.1007/3-540-49430-8_2);
    [keras.layers.Normalization](https://keras.io/api/layers/preprocessing_layers/numerical/normalization/).
    """
    is_scaled_badly = any(
        isinstance(output.layer, SCALING) and _may_be_unscaled(output.values)
        for output in probe.layers
    )
    for name, array in _numbers(probe).items():
        if not (_may_be_unscaled(array) or is_scaled_badly):
            continue
        for kernel, layer, given in _first_kernels(probe, array):
            finding = _unscaled(name, given, kernel, layer)
            if finding:
                return finding
    return None


@check("KTF102", "inputs-not-finite", "error", per_output=False)
def inputs_not_finite(probe):
    """Some inputs are NaN or infinite, and so is all that is computed from them.

    ## What you see
    The loss is NaN, from the first step or from some step of the first epoch on, and
    then every prediction is NaN, those for clean samples included.

    ## Why it happens
    A single NaN in a batch makes its loss NaN, hence every gradient, hence every
    weight. NaN comes from empty cells of a table, from a division by a standard
    deviation of 0, from the logarithm of 0; Inf from float16 and from divisions by 0.

    ## How to check
    `np.isfinite(x).all()`; for a table `~np.isfinite(x).all(0)` names the columns.

    ```python
    import keras, numpy as np

    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x[:, :1].copy()
    x[5, 2] = np.nan
    model = keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(8, activation="relu"),
        keras.layers.Dense(1),
    ])
    model.compile("adam", "mse")
    ```

    ## Fix
    Fill in what is missing (or drop those samples), and repair what divides by 0.

    ```python
    import keras, numpy as np

    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x[:, :1].copy()
    x[5, 2] = np.nan
    x = np.where(np.isfinite(x), x, 0.0).astype("float32")
    model = keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(8, activation="relu"),
        keras.layers.Dense(1),
    ])
    model.compile("adam", "mse")
    ```

    ## When this is not the cause
    A model that replaces NaN itself gets no finding. If inputs and targets are finite
    and the loss becomes NaN, look at the learning rate and at logarithms in the loss.

    ## References
    [keras.callbacks.TerminateOnNaN](https://keras.io/api/callbacks/terminate_on_nan/).
    """
    for name, array in _numbers(probe).items():
        finite = np.isfinite(array)
        if finite.all() or _replaces_nan(probe, array):
            continue
        bad = ~finite
        samples = np.flatnonzero(bad.reshape(len(bad), -1).any(1))
        features = np.flatnonzero(bad.reshape(-1, bad.shape[-1]).any(0))
        infinite = int(np.isinf(array).sum())
        axis = f" They are in entries {features[:8].tolist()} of the last axis."
        return found(
            f"{int(bad.sum())} of {bad.size} numbers of '{name}' are NaN or infinite, "
            f"in {len(samples)} of {len(bad)} samples: one is enough to turn all "
            "weights into NaN." + (axis if array.ndim > 1 else ""),
            "x = np.where(np.isfinite(x), x, 0.0)  # or fill in a mean, or drop them",
            not_finite=int(bad.sum()),
            nan=int(bad.sum()) - infinite,
            infinite=infinite,
            samples=len(samples),
            first_samples=samples[:8].tolist(),
            features=features[:8].tolist(),
        )
    return None


@check("KTF103", "inputs-constant", "error", per_output=False)
def inputs_constant(probe):
    """The inputs are the same for all samples, or most features are.

    ## What you see
    The model gives one answer for all samples, and no choice of layers, loss or
    learning rate changes it.

    ## Why it happens
    Equal inputs give equal outputs: the best that can be learned is a constant. Images
    that were divided by 255 as integers are all 0; a generator may hand out its first
    sample again and again; a table may have lost its columns in a merge.

    ## How to check
    `(x == x[:1]).all()` is True for inputs that do not vary. Constant pixels, such as a
    black border, and rare words or categories are normal and do not count.

    ```python
    import keras, numpy as np

    pixels = np.random.default_rng(0).integers(0, 255, (64, 8, 8, 1)).astype("uint8")
    y = (pixels.mean((1, 2, 3)) > 127).astype("float32")
    x = (pixels // 255).astype("float32")  # all 0
    model = keras.Sequential([
        keras.Input((8, 8, 1)),
        keras.layers.Flatten(),
        keras.layers.Dense(8, activation="relu"),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    model.compile("adam", "binary_crossentropy")
    ```

    ## Fix
    Repair what makes the inputs; here, convert before dividing.

    ```python
    import keras, numpy as np

    pixels = np.random.default_rng(0).integers(0, 255, (64, 8, 8, 1)).astype("uint8")
    y = (pixels.mean((1, 2, 3)) > 127).astype("float32")
    x = pixels.astype("float32") / 255
    model = keras.Sequential([
        keras.Input((8, 8, 1)),
        keras.layers.Flatten(),
        keras.layers.Dense(8, activation="relu"),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    model.compile("adam", "binary_crossentropy")
    ```

    ## When this is not the cause
    One constant input beside others that vary (positions, a mask of ones) is harmless,
    as are a few constant columns. If inputs vary and predictions do not, the fault lies
    between them.

    ## References
    [sklearn.feature_selection.VarianceThreshold](https://scikit-learn.org/stable/modules/generated/sklearn.feature_selection.VarianceThreshold.html).
    """
    arrays = {name: a for name, a in probe.inputs.items() if np.ndim(a)}
    same = {name: _same(a) for name, a in arrays.items()}
    if not arrays or any(len(a) < FEW for a in arrays.values()):
        return None
    if all(whole.all() for whole in same.values()):
        samples = len(next(iter(arrays.values())))
        return found(
            f"All {samples} samples have the same inputs, so the model can learn "
            "but a constant.",
            "print((x == x[:1]).all(), x.min(), x.max())  # look where x is made",
            samples=samples,
            constant_share=1.0,
        )
    for name, array in arrays.items():
        finding = array.ndim == 2 and _constant_features(name, array, same[name])
        if finding:
            return finding
    return None


@check("KTF128", "ids-layer-on-real-values", "error", per_output=False)
def ids_layer_on_real_values(probe):
    """An `Embedding` is fed numbers that are no ids from 0 to `input_dim - 1`.

    ## What you see
    Predictions hardly differ between samples, or are NaN (JAX), or the first step stops
    with an index that is out of range. Nothing warns that numbers were cut off.

    ## Why it happens
    An `Embedding` looks up a row for an integer. It cuts real values off, so that all
    of 0.2, 0.7 and 0.99 fetch row 0; it counts -1 from the end; and an id of
    `input_dim` or more has no row. Scaled features and vectors of TF-IDF are not ids.

    ## How to check
    Ids are whole, not negative, and below `input_dim`, which is the largest id plus 1.

    ```python
    import keras, numpy as np

    x = np.random.default_rng(0).random((64, 6)).astype("float32")
    y = (x[:, 0] > 0.5).astype("float32")
    model = keras.Sequential([
        keras.Input((6,)),
        keras.layers.Embedding(100, 8),
        keras.layers.GlobalAveragePooling1D(),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    model.compile("adam", "binary_crossentropy")
    ```

    ## Fix
    Real features need no `Embedding`. Words or categories become ids with
    `keras.layers.TextVectorization`, `StringLookup` or `IntegerLookup`.

    ```python
    import keras, numpy as np

    x = np.random.default_rng(0).random((64, 6)).astype("float32")
    y = (x[:, 0] > 0.5).astype("float32")
    model = keras.Sequential([
        keras.Input((6,)),
        keras.layers.Dense(8, activation="relu"),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    model.compile("adam", "binary_crossentropy")
    ```

    ## When this is not the cause
    Whole numbers in a float array are fine. Numbers that other layers made into ids
    before the `Embedding` are not looked at.

    ## References
    [keras.layers.Embedding](https://keras.io/api/layers/core_layers/embedding/).
    """
    for name, array in _numbers(probe).items():
        for layer in _embeddings_of(probe, array):
            finding = _no_ids(name, array, layer)
            if finding:
                return finding
    return None


def _embeddings_of(probe, array):
    """The embeddings that an input goes to; any of them if the call of it failed."""
    kind = keras.layers.Embedding
    if not probe.layers:
        return [layer for layer in all_layers(probe.model) if isinstance(layer, kind)]
    return [
        output.layer
        for output in probe.layers
        if isinstance(output.layer, kind) and _looked_up(output, array)
    ]


def _numbers(probe):
    """The inputs that are numbers, not strings."""
    return {
        name: array
        for name, array in probe.inputs.items()
        if getattr(array, "dtype", np.dtype(object)).kind in "biuf" and array.ndim
    }


def _by_feature(array):
    """Root mean squares along the last axis, of finite numbers."""
    rows = array.reshape(-1, array.shape[-1] if array.ndim > 1 else 1)
    rows = np.where(np.isfinite(rows), rows, 0).astype("float64")
    return np.sqrt((rows**2).mean(0))


def _may_be_unscaled(array):
    """A cheap look, before layers are called: whether the scale is not of order 1."""
    sizes = _by_feature(array)
    return sizes.max() >= 10 or 0 < np.abs(np.nan_to_num(array)).max() < 0.01


def _unscaled(name, array, kernel, layer):
    sizes = _by_feature(array)
    array = array.astype("float64")
    values = array[np.isfinite(array)]
    mean, spread = float(values.mean()), float(values.std())
    lowest, highest = float(values.min()), float(values.max())
    rows = (
        kernel.reshape(-1, len(sizes), kernel.shape[-1])
        if (kernel.size % (len(sizes) * kernel.shape[-1]) == 0)
        else None
    )
    if rows is None:  # flattened: features are not told apart
        sizes = np.full(1, np.sqrt((values**2).mean()))
        rows = kernel.reshape(-1, 1, kernel.shape[-1])
    powers = (rows**2).sum(0)  # (features, units)
    reached = float(np.sqrt((powers * sizes[:, None] ** 2).sum(0).mean()))
    usual = float(np.sqrt(powers.sum(0).mean()))
    gain = reached / usual if usual else 0.0
    worst = int(sizes.argmax())
    # By the largest numbers: a feature that is rarely used is not a small one.
    tops = np.abs(np.where(np.isfinite(array), array, 0))
    tops = tops.reshape(-1, array.shape[-1] if array.ndim > 1 else 1).max(0)
    tops = tops[tops > 0]
    ratio = float(tops.max() / tops.min())
    caffe = layer.trainable_weights and array.ndim == 4 and array.shape[-1] == 3
    if caffe and _is_centred(lowest, highest) and _is_trained(layer):
        return None
    evidence = {
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
        "keras.layers.Rescaling(1 / 127.5, offset=-1)  # the first layer"
        if is_picture
        else "normalization = keras.layers.Normalization()\n"
        "normalization.adapt(x_train)  # then the first layer of the model"
    )
    if gain >= 20 and reached >= 10:
        effect = (
            f", which makes the pre-activations of '{layer.name}' {gain:.0f} times as "
            "large as inputs of unit scale would."
        )
        return found(scale + effect, fix, **evidence)
    if array.ndim <= 3 and ratio >= 100 and gain >= 5 and reached >= 5:
        effect = (
            f", and its features differ in scale by a factor of {ratio:.4g}: in "
            f"'{layer.name}' feature {worst} drowns the others."
        )
        return found(scale + effect, fix, **evidence)
    if max(abs(lowest), abs(highest)) < 0.01 and gain < 0.01 and reached < 0.02:
        effect = (
            f", which makes the pre-activations of '{layer.name}' {gain:.2g} times "
            "those of inputs of unit scale. Was it scaled twice?"
        )
        fix = fix if not is_picture else "x = x * 255  # scaled twice: undo one"
        return found(scale + effect, fix, **evidence)
    return None


def _is_centred(lowest, highest):
    (a, b), (c, d) = CENTRED
    return a <= lowest <= b and c <= highest <= d


def _is_trained(layer):
    bias = getattr(layer, "bias", None)
    return bias is not None and bool(np.any(backend.to_numpy(bias)))


def _first_kernels(probe, array):
    """The layers with a kernel that get an input, scaled by no more than a constant.

    A list of `(kernel, layer, numbers that it gets)`.
    """
    fed = [(*pair, array) for pair in _recurrent(probe, array)]
    given = array
    carried = [array.astype("float32")]
    with unchanged(probe.model), backend.no_gradient():
        for index, output in enumerate(probe.layers):
            layer, values = output.layer, output.values
            kernel = _kernel(layer)
            if kernel is not None:
                gets_it = layer.trainable_weights and any(
                    _gives(layer, part, values) for part in carried
                )
                if gets_it and not _is_normalized(probe.layers[index + 1 :]):
                    fed.append((kernel, layer, given))
            elif isinstance(layer, SCALING) and _may_be_unscaled(values):
                if any(_gives(layer, part, values) for part in carried):
                    given, carried = values, [values]
            elif isinstance(layer, NORMALIZING):
                # Fresh batch normalization leaves numbers as they are until trained.
                carried = [part for part in carried if not _gives(layer, part, values)]
            elif isinstance(layer, keras.layers.Concatenate):
                if any(_holds(values, part) for part in carried):
                    carried.append(values)
            elif isinstance(layer, KEEP_SCALE) and any(
                _gives(layer, part, values) for part in carried
            ):
                carried.append(values)
    return fed


def _kernel(layer):
    """The kernel `(..., inputs, units)` of a dense or convolutional layer, or None."""
    if not layer.built or not isinstance(
        layer,
        (
            keras.layers.Dense,
            keras.layers.EinsumDense,
            keras.layers.Conv1D,
            keras.layers.Conv2D,
            keras.layers.Conv3D,
        ),
    ):
        return None
    return backend.to_numpy(layer.kernel).astype("float64")


def _recurrent(probe, array):
    """Recurrent layers that are fed the input of a model: not seen by their outputs."""
    tensors = getattr(probe.model, "inputs", None) or []
    if array.ndim != 3 or len(tensors) != len(probe.inputs):
        return
    for layer in getattr(probe.model, "layers", []):
        inner = getattr(layer, "forward_layer", layer)
        if not isinstance(inner, keras.layers.RNN):
            continue
        try:
            source = layer.input
        except (AttributeError, ValueError):  # shared, or never called on symbols
            continue
        kernel = getattr(inner.cell, "kernel", None)
        own = [t for t in tensors if t is source]
        if kernel is None or not own or kernel.shape[0] != array.shape[-1]:
            continue
        if tuple(own[0].shape[1:]) != tuple(array.shape[1:]) and len(tensors) > 1:
            continue
        yield backend.to_numpy(kernel).astype("float64"), layer


def _gives(layer, part, values):
    """Whether `layer` makes `values` of `part`, tried with a few samples."""
    part, values = part[:FEW], values[:FEW]
    try:
        again = backend.to_numpy(layer(part))
    except Exception:  # it takes no input of this shape
        return False
    again = again.astype("float32")
    return again.shape == values.shape and np.allclose(
        again, values, rtol=1e-2, atol=1e-5, equal_nan=True
    )


def _holds(values, part):
    """Whether the last axis of `values` has a slice that is `part`."""
    width = part.shape[-1]
    if values.shape[:-1] != part.shape[:-1] or values.shape[-1] < width:
        return False
    return any(
        np.array_equal(values[:FEW, ..., i : i + width], part[:FEW], equal_nan=True)
        for i in range(values.shape[-1] - width + 1)
    )


def _is_normalized(later):
    """Whether the next layer, but for activations and the like, normalizes."""
    for output in later:
        if isinstance(output.layer, NORMALIZING):
            return True
        if output.layer.weights:
            return False
    return False


def _replaces_nan(probe, array):
    """Whether the model itself deals with the NaN of its inputs."""
    if np.isinf(array).any():
        return False
    arrays = [output.values for output in probe.layers]
    arrays += [np.asarray(y) for y in probe.look.predictions]
    return all(np.isfinite(a).all() for a in arrays)


def _same(array):
    """Which features are the same for all samples; Inf is another matter."""
    same = np.asarray(array == array[:1]).all(0)
    return same & np.isfinite(array[0]) if array.dtype.kind == "f" else same


def _constant_features(name, array, same):
    columns = array.shape[1]
    counted = same
    if array.dtype.kind in "biuf" and not same.all():
        varying = array[:, ~same]
        if (varying == 0).mean() > 0.2:  # sparse: a few samples miss the rare ones
            counted = same & (array[0] != 0)
    share = float(counted.mean())
    if columns < 2 or share < 0.1 or same.all():
        return None
    constant = np.flatnonzero(counted)
    return found(
        f"{len(constant)} of {columns} features of '{name}' are the same for all "
        f"{len(array)} samples and tell the model nothing.",
        "x = x[:, x.std(0) > 0]  # or look where the columns were lost",
        "warning" if share > 0.5 else "note",
        samples=len(array),
        constant_share=share,
        features=constant[:8].tolist(),
    )


def _looked_up(output, array):
    """Whether an `Embedding` got `array`: its rows are those of the array's ids."""
    values = output.values
    if values.ndim != array.ndim + 1 or values.shape[1:-1] != array.shape[1:]:
        return False
    table = _table(output.layer)
    numbers = np.nan_to_num(array[: len(values)].astype("float64"))
    ids = np.trunc(np.clip(numbers, -(2**31), 2**31 - 1)).astype("int64")
    inside = (ids >= -len(table)) & (ids < len(table))
    if not inside.any():  # JAX gives NaN for them
        return bool(np.isnan(values).all())
    return np.allclose(table[ids[inside]], values[inside], rtol=1e-2, atol=1e-4)


def _table(layer):
    return backend.to_numpy(layer.embeddings).astype("float32")


def _no_ids(name, array, layer):
    numbers = array.astype("float64")
    finite = numbers[np.isfinite(numbers)]
    rows = int(layer.input_dim)
    real = float((finite != np.floor(finite)).mean()) if finite.size else 0.0
    negative = int((finite < 0).sum())
    beyond = int((finite >= rows).sum())
    if not (real or negative or beyond):
        return None
    lowest, highest = float(finite.min()), float(finite.max())
    ids = int(np.unique(np.trunc(finite)).size)
    evidence = {
        "min": lowest,
        "max": highest,
        "input_dim": rows,
        "real_share": real,
        "negative": negative,
        "beyond": beyond,
        "distinct_ids": ids,
    }
    where = f"'{layer.name}' is fed '{name}', from {lowest:.4g} to {highest:.4g}"
    if real:
        return found(
            f"{where}: {real:.0%} are no whole numbers. They are cut off, which leaves "
            f"{ids} different ids.",
            "x = keras.layers.Dense(16)(inputs)  # real features need no Embedding",
            **evidence,
        )
    return found(
        f"{where}: {negative} ids are negative and {beyond} are {rows} "
        "(its input_dim) or more.",
        f"keras.layers.Embedding({max(rows, int(highest) + 1)}, "
        f"{int(layer.output_dim)})  # ids from 0 to {max(rows, int(highest) + 1) - 1}",
        **evidence,
    )
