"""Checks of the targets: KTF111 to KTF113, and KTF125 to KTF127."""

import keras
import numpy as np

from keras_trainfix import backend
from keras_trainfix.diagnosis.registry import check, found
from keras_trainfix.losses.masked_loss import MaskedLoss

FEWEST = 20  # labels from which shares are told
# Optimizers whose steps are as long as their learning rate, whatever the gradient.
SIGN_LIKE = ("Adam", "AdamW", "Nadam", "Adamax", "RMSprop", "Lion")
TINY = 1e-3  # root mean square of targets,
TOO_COARSE = 30  # and how many times as much predictions vary at first
MANY_STEPS = 1000  # a third, where a mean is far off and the spread around it small
PART = 0.2  # what `validation_split` is most often


@check("KTF111", "targets-unscaled", "warning")
def targets_unscaled(probe):
    """The targets are far from what a fresh head gives, and many steps away.

    ## What you see
    The loss is huge and falls slowly, or is NaN after a few steps of SGD. Predictions
    are nearly equal, and far below the targets or at their mean.

    ## Why it happens
    A new head answers with numbers of order 1. Adam moves each weight by about the
    learning rate a step, so the answer moves by about `lr * (1 + sum|features|)`, and
    somewhat faster as the features grow. For prices of 200 000 that takes thousands of
    steps for the mean alone. With SGD the gradient is as large as the error, and
    diverges. For targets of a millionth each step is far too coarse.

    ## How to check
    Compare `y.mean()` and `y.std()` with the first predictions.

    ```python
    import keras, numpy as np

    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 4)).astype("float32")
    y = (200_000 + 50_000 * x[:, :1]).astype("float32")
    model = keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(1),
    ])
    model.compile("adam", "mse")
    ```

    ## Fix
    Train on standardized targets, and undo that after `predict`.

    ```python
    import keras, numpy as np

    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 4)).astype("float32")
    y = (200_000 + 50_000 * x[:, :1]).astype("float32")
    mean, std = y.mean(0), y.std(0)
    y = (y - mean) / std  # later: model.predict(x) * std + mean
    model = keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(1),
    ])
    model.compile("adam", "mse")
    ```

    ## When this is not the cause
    Where the learning rate is large enough, or the last bias starts at the mean of the
    targets and their spread is small, nothing is reported. Prices and counts over
    several powers of ten want a logarithm rather than a division.

    ## References
    [sklearn.compose.TransformedTargetRegressor](https://scikit-learn.org/stable/modules/generated/sklearn.compose.TransformedTargetRegressor.html).
    """
    y = _real_targets(probe)
    kind = probe.loss.kind
    if y is None or kind == "similarity" or not _starts_near_zero(probe):
        return None
    predictions = probe.predictions.astype("float64").reshape(-1, y.shape[1])
    with np.errstate(all="ignore"):
        offset = np.abs(y.mean(0) - predictions.mean(0))
        missing = np.maximum(y.std(0) - predictions.std(0), 0)
    way = offset + missing
    if not np.isfinite(way).all():
        return None
    column = int(way.argmax())
    distance = float(way[column])
    mean, spread = float(y[:, column].mean()), float(y[:, column].std())
    size = np.sqrt(np.mean(y**2))
    if size < TINY and predictions.std() > TOO_COARSE * y.std() > 0:
        return _tiny(y, predictions)
    if distance < 100:
        return None
    steps, rate = _steps(probe, distance)
    far = MANY_STEPS if offset[column] < 5 * y[:, column].std() else MANY_STEPS / 3
    if steps is not None and steps < far:
        return None
    what = f"The targets have mean {mean:.4g} and standard deviation {spread:.4g}"
    if y.shape[1] > 1:
        what += f" in column {column}"
    evidence = {
        "mean": mean,
        "std": spread,
        "column": column,
        "prediction_mean": float(predictions[:, column].mean()),
        "prediction_std": float(predictions[:, column].std()),
    }
    if steps is not None:
        evidence |= {"steps": steps, "learning_rate": rate}
        what += (
            f", the predictions {evidence['prediction_mean']:.4g} and "
            f"{evidence['prediction_std']:.4g}: with a learning rate of {rate:.2g} it "
            f"takes some {steps} steps to get there."
        )
    else:
        what += ", far from the numbers of order 1 that a fresh head gives."
    return found(
        what,
        "mean, std = y.mean(0), y.std(0)\n"
        "y = (y - mean) / std  # and later: model.predict(x) * std + mean",
        **evidence,
    )


def _tiny(y, predictions):
    mean, spread, said = float(y.mean()), float(y.std()), float(predictions.std())
    return found(
        f"The targets have mean {mean:.3g} and standard deviation {spread:.3g}, and "
        f"predictions vary by {said:.3g}: the loss is tiny before anything is learned, "
        "and a step is far too coarse.",
        "mean, std = y.mean(0), y.std(0)\n"
        "y = (y - mean) / std  # and later: model.predict(x) * std + mean",
        mean=mean,
        std=spread,
        prediction_std=said,
    )


@check("KTF112", "targets-nearly-constant", "warning")
def targets_nearly_constant(probe):
    """The targets hardly vary, so a constant answer is almost perfect.

    ## What you see
    The loss becomes tiny within an epoch, and the predictions are all the same.

    ## Why it happens
    The loss counts absolute errors. Where targets spread over a thousandth of their
    mean, or are nearly always one value, a constant has hardly any error left, and the
    gradient of what remains is lost among the noise.

    ## How to check
    Compare `y.std()` with `abs(y.mean())`, and count the most frequent value.

    ```python
    import keras, numpy as np

    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = (5 + 0.01 * x[:, :1]).astype("float32")
    model = keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(1),
    ])
    model.compile("adam", "mse")
    ```

    ## Fix
    Subtract the mean and divide by the standard deviation. If one value dominates,
    weigh the other samples more, or first predict whether it is that value at all.

    ```python
    import keras, numpy as np

    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = (5 + 0.01 * x[:, :1]).astype("float32")
    y = (y - y.mean(0)) / y.std(0)
    model = keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(1),
    ])
    model.compile("adam", "mse")
    ```

    ## When this is not the cause
    If the small differences are noise of the measurement, there is nothing to learn,
    and the constant is the right answer.

    ## References
    [sklearn.dummy.DummyRegressor](https://scikit-learn.org/stable/modules/generated/sklearn.dummy.DummyRegressor.html),
    the constant to compare with.
    """
    y = _real_targets(probe)
    if y is None or len(y) < FEWEST or not np.isfinite(y).all():
        return None
    mean, spread = y.mean(0), y.std(0)
    shares = np.array([_most_frequent(column)[1] for column in y.T])
    tight = spread < 0.01 * np.abs(mean)
    flat = tight | (shares > 0.98)
    if flat.mean() < 0.5:
        return None
    column = int(np.flatnonzero(flat)[0])
    value, share = _most_frequent(y[:, column])
    if share > 0.98:
        message = f"{share:.1%} of the targets are {value:.4g}"
        fix = "# weigh the rare targets more\nsample_weight = np.where(y == "
        fix += (
            f"{value:.6g}, 1.0, {min(1000, max(2, share / max(1 - share, 1e-3))):.0f}"
        )
        fix += ".0).ravel()"
    else:
        message = (
            f"The targets have standard deviation {spread[column]:.3g} around a mean "
            f"of {mean[column]:.4g}"
        )
        fix = "mean, std = y.mean(0), y.std(0)\n"
        fix += "y = (y - mean) / std  # and later: model.predict(x) * std + mean"
    return found(
        message + ": a constant answer is almost perfect.",
        fix,
        mean=float(mean[column]),
        std=float(spread[column]),
        most_frequent=float(value),
        most_frequent_share=float(share),
        column=column,
    )


@check("KTF113", "targets-not-finite", "error")
def targets_not_finite(probe):
    """Some targets are NaN or infinite.

    ## What you see
    The loss is NaN from the first epoch on, and so are all predictions after it.

    ## Why it happens
    The error of a NaN is NaN, which spreads over the mean of its batch and the gradient
    to every weight. A weight of 0 does not help, since `0 * NaN` is NaN. NaN comes from
    missing measurements, `log(0)`, and shifts of a series that leave its ends empty.

    ## How to check
    `np.isfinite(y).all()`.

    ```python
    import keras, numpy as np

    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x[:, :1].copy()
    y[7] = np.nan
    model = keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(1),
    ])
    model.compile("adam", "mse")
    ```

    ## Fix
    Leave out the samples without a target. Void pixels of label maps get an id of their
    own, which the loss has to know as its `ignore_class`.

    ```python
    import keras, numpy as np

    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x[:, :1].copy()
    y[7] = np.nan
    known = np.isfinite(y).all(1)
    x, y = x[known], y[known]
    model = keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(1),
    ])
    model.compile("adam", "mse")
    ```

    ## When this is not the cause
    A loss of your own that masks NaN and gives a finite number gets no finding; see
    that it masks before the arithmetic, or its gradient is NaN all the same.

    ## References
    [JAX FAQ: gradients contain NaN where using where](https://docs.jax.dev/en/latest/faq.html#gradients-contain-nan-where-using-where).
    """
    y = probe.targets
    if y is None or y.dtype.kind != "f":
        return None
    bad = ~np.isfinite(y)
    if not bad.any() or _loss_masks(probe):
        return None
    samples = np.flatnonzero(bad.reshape(len(bad), -1).any(1))
    infinite = int(np.isinf(y).sum())
    fix = "known = np.isfinite(y).reshape(len(y), -1).all(1)\nx, y = x[known], y[known]"
    return found(
        f"{int(bad.sum())} of {bad.size} targets are NaN or infinite, in "
        f"{len(samples)} of {len(bad)} samples: one is enough to turn all weights into "
        "NaN.",
        fix,
        not_finite=int(bad.sum()),
        nan=int(bad.sum()) - infinite,
        infinite=infinite,
        samples=len(samples),
        first_samples=samples[:8].tolist(),
    )


@check("KTF125", "class-imbalance", "warning")
def class_imbalance(probe):
    """Nearly all labels are of one class, and the loss does not make up for it.

    ## What you see
    The accuracy is high from the first epoch on and equals the share of the largest
    class, which is all that is predicted. In segmentation, masks are empty.

    ## Why it happens
    A cross-entropy is a mean over labels: with 97 % background, answering "background"
    leaves little loss, and the few others pull too weakly on the shared weights.

    ## How to check
    `np.unique(y, return_counts=True)`; the best constant answer has that accuracy.

    ```python
    import keras, numpy as np

    x = np.random.default_rng(0).normal(size=(100, 4)).astype("float32")
    y = (x[:, 0] >= np.sort(x[:, 0])[-3]).astype("int32")  # 3 of 100
    model = keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(2, activation="softmax"),
    ])
    model.compile("adam", "sparse_categorical_crossentropy")
    ```

    ## Fix
    Weigh the classes in the loss, or with `class_weight` or `sample_weight` in `fit`;
    in segmentation, add a Dice part (`WeightedSum`).

    ```python
    import keras, numpy as np
    from keras_trainfix import MaskedCrossentropy

    x = np.random.default_rng(0).normal(size=(100, 4)).astype("float32")
    y = (x[:, 0] >= np.sort(x[:, 0])[-3]).astype("int32")  # 3 of 100
    model = keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(2, activation="softmax"),
    ])
    model.compile("adam", MaskedCrossentropy(class_weight=[0.5, 15.0]))
    ```

    ## When this is not the cause
    A `class_weight` that is given to `fit` cannot be seen here. Where the classes are
    easy to tell apart, or a ranking is all that is wanted, no weights are needed.

    ## References
    [Lin et al., Focal Loss, 2017](https://arxiv.org/abs/1708.02002);
    [Cui et al., 2019](https://arxiv.org/abs/1901.05555).
    """
    task = probe.task
    is_classes = "classification" in task or task == "segmentation"
    if not is_classes or _makes_up(probe.loss) or _weights(probe) is not None:
        return None
    ids = _class_ids(probe)
    if ids is None or ids.size < FEWEST:
        return None
    classes, counts = np.unique(ids, return_counts=True)
    shares = counts / counts.sum()
    largest = int(shares.argmax())
    if shares[largest] <= (0.97 if task == "segmentation" else 0.95):
        return None
    share = float(shares[largest])
    if len(classes) == 1:
        message = f"All {ids.size} labels that were looked at are {classes[0]}."
        fix = "print(np.unique(y, return_counts=True))  # where are the other classes?"
    else:
        message = (
            f"{share:.1%} of the labels are of class {classes[largest]}: a model that "
            "always answers so has that accuracy, and the loss does not weigh classes."
        )
        balanced = np.round(1 / (len(classes) * shares), 3)
        weights = dict(zip(classes.tolist(), balanced.tolist(), strict=True))
        fix = (
            f"model.fit(x, y, class_weight={weights})"
            if task != "segmentation"
            else "loss = keras_trainfix.MaskedCrossentropy(class_weight="
            f"{weights})  # or a WeightedSum with Dice"
        )
    order = np.argsort(-shares)[:10]
    return found(
        message,
        fix,
        largest_class=int(classes[largest]),
        largest_share=share,
        classes=classes[order].tolist(),
        shares=shares[order].tolist(),
        labels=int(ids.size),
    )


@check("KTF126", "sample-weight-on-columns", "error")
def sample_weight_on_columns(probe):
    """The weights of samples are applied to columns, or steps, instead.

    ## What you see
    Nothing: the fit runs, and weighs the wrong things. With another batch size it stops
    and complains of shapes that do not match.

    ## Why it happens
    The losses of Keras give a value a pixel, `(N, H, W)`, and multiply it by the
    weights as arrays broadcast, from the right: weights `(N,)` meet the columns `W`. If
    the batch size equals `W`, nothing fails.

    ## How to check
    Compare the shape of `sample_weight` with that of the targets: it has to have all
    axes but the class axis, or be `(N, 1, 1)`.

    ```python
    import keras, numpy as np

    rng = np.random.default_rng(0)
    x = rng.random((16, 16, 16, 1)).astype("float32")
    y = (x[..., 0] > 0.5).astype("int32")
    sample_weight = np.where(np.arange(16) < 8, 1.0, 2.0)
    model = keras.Sequential([
        keras.Input((16, 16, 1)),
        keras.layers.Conv2D(4, 3, padding="same", activation="relu"),
        keras.layers.Conv2D(2, 1, activation="softmax"),
    ])
    model.compile("adam", "sparse_categorical_crossentropy")
    ```

    ## Fix
    Give the weights the axes that they lack. The losses of keras_trainfix read `(N,)`
    as weights of samples as it is.

    ```python
    import keras, numpy as np

    rng = np.random.default_rng(0)
    x = rng.random((16, 16, 16, 1)).astype("float32")
    y = (x[..., 0] > 0.5).astype("int32")
    sample_weight = np.where(np.arange(16) < 8, 1.0, 2.0)[:, None, None]
    model = keras.Sequential([
        keras.Input((16, 16, 1)),
        keras.layers.Conv2D(4, 3, padding="same", activation="relu"),
        keras.layers.Conv2D(2, 1, activation="softmax"),
    ])
    model.compile("adam", "sparse_categorical_crossentropy")
    ```

    ## When this is not the cause
    With batches of one sample, or one number a sample as target, `(N,)` is right.

    ## References
    [keras.Model.fit](https://keras.io/api/models/model_training_apis/#fit-method), on
    `sample_weight`.
    """
    weights = _weights(probe)
    values = _value_shape(probe)
    if weights is None or values is None or np.ndim(weights) == 0:
        return None
    shape = np.shape(weights)
    if len(shape) >= len(values) or (len(values) == len(shape) + 1 and values[-1] == 1):
        return None
    met = values[len(values) - len(shape) :]  # what each axis of the weights meets
    rest = zip(shape[1:], met[1:], strict=True)
    if shape[0] < 2 or met[0] < 2 or any(a != b and 1 not in (a, b) for a, b in rest):
        return None
    axis = len(values) - len(shape)
    always = shape[0] == met[0]
    lacking = ", ".join(["None"] * axis)
    axes = ":, " * (len(shape) - 1)
    return found(
        f"`sample_weight` of shape {shape} meets losses of shape {tuple(values)} from "
        f"the right, so that the weights of samples go to axis {axis}, of size "
        f"{met[0]}: silently in batches of {met[0]}, and with an error in all others "
        "of more than one sample.",
        f"sample_weight = sample_weight[:, {axes}{lacking}]  # of shape "
        f"{(*shape, *[1] * axis)}",
        "error" if always or met[0] == 32 else "warning",  # 32: the default of `fit`
        samples=int(shape[0]),
        columns=int(met[0]),
        axis=axis,
        weights_shape=list(map(int, shape)),
        values_shape=list(map(int, values)),
    )


@check("KTF127", "one-class-split", "warning")
def one_class_split(probe):
    """The samples are in the order of their classes, so that a split lacks some.

    ## What you see
    With `validation_split`, the training accuracy rises and the validation accuracy
    stays at 0; or the model names one class, that of the last samples it saw.

    ## Why it happens
    `validation_split` takes the last samples as they come, before any shuffling. Files
    read folder by folder come class by class, so the last class is in the validation
    part alone. With `shuffle=False`, or in a dataset that was not shuffled, each batch
    has one class, and the model follows the last one.

    ## How to check
    `np.flatnonzero(np.diff(y))` has few entries where the labels are sorted.

    ```python
    import keras, numpy as np

    x = np.random.default_rng(0).normal(size=(100, 4)).astype("float32")
    y = np.repeat(np.arange(5), 20)
    model = keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(5, activation="softmax"),
    ])
    model.compile("adam", "sparse_categorical_crossentropy")
    ```

    ## Fix
    Shuffle samples and labels together, once, before they are split.

    ```python
    import keras, numpy as np

    x = np.random.default_rng(0).normal(size=(100, 4)).astype("float32")
    y = np.repeat(np.arange(5), 20)
    order = np.random.default_rng(1).permutation(len(x))
    x, y = x[order], y[order]
    model = keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(5, activation="softmax"),
    ])
    model.compile("adam", "sparse_categorical_crossentropy")
    ```

    ## When this is not the cause
    `fit` shuffles arrays by itself: with `validation_data` of its own and all classes
    in the training part, sorted arrays do no harm.

    ## References
    [keras.Model.fit](https://keras.io/api/models/model_training_apis/#fit-method), on
    `validation_split`.
    """
    task = probe.task
    if not probe.look.sample.ordered or not task.endswith("classification"):
        return None
    ids = _class_ids(probe)
    if ids is None or ids.size != len(probe.targets) or ids.size < FEWEST:
        return None
    classes, counts = np.unique(ids, return_counts=True)
    changes = int((np.diff(ids) != 0).sum())
    expected = ids.size - (counts**2).sum() / ids.size  # of shuffled labels
    is_sorted = changes == len(classes) - 1
    if len(classes) < 2 or expected < 8 or changes > (0.5 * expected):
        # So many classes that most have a sample or two: only a full order tells.
        steps = np.diff(ids)
        is_sorted = (steps >= 0).all() or (steps <= 0).all()
        if len(classes) < 8 or not is_sorted:
            return None
    cut = round(ids.size * (1 - PART))
    first, last = set(ids[:cut].tolist()), set(ids[cut:].tolist())
    untrained, untested = sorted(last - first), sorted(first - last)
    if not untrained and not (is_sorted and untested):
        return None
    message = (
        f"The labels change {changes} times in {ids.size} samples; shuffled ones would "
        f"change about {expected:.0f} times. "
    )
    message += (
        f"With validation_split={PART}, {_listed(untrained)} would be in the "
        "validation part alone, never trained."
        if untrained
        else f"With validation_split={PART}, {_listed(untested)} would be missing from "
        "the validation part."
    )
    return found(
        message,
        "order = np.random.default_rng(1).permutation(len(x))\n"
        "x, y = x[order], y[order]  # before fit(..., validation_split=...)",
        changes=changes,
        expected_changes=float(expected),
        only_in_last_part=untrained[:10],
        only_in_first_part=untested[:10],
    )


def _listed(classes):
    some = ", ".join(map(str, classes[:5]))
    more = f" and {len(classes) - 5} more" if len(classes) > 5 else ""
    return f"class{'es' if len(classes) > 1 else ''} {some}{more}"


def _real_targets(probe):
    """The targets of a regression as float64 `(rows, columns)`, or None."""
    y = probe.targets
    if y is None or probe.task != "regression" or y.dtype.kind not in "biuf":
        return None
    if not y.size or probe.predictions.size != y.size:
        return None
    return y.reshape(-1, probe.head.units).astype("float64")


def _starts_near_zero(probe):
    """Whether the head has a kernel and can give any, or any positive, number."""
    head = probe.head
    layer = _head_layer(probe)
    unbounded = head.range[1] == np.inf and head.activation not in (
        "unknown",
        "exponential",  # which gets anywhere in a few steps
    )
    return unbounded and getattr(layer, "kernel", None) is not None


def _head_layer(probe):
    found_layers = [o.layer for o in probe.layers if o.layer.name == probe.head.layer]
    return found_layers[-1] if found_layers else None


def _steps(probe, distance):
    """`(steps, learning rate)`: how long an optimizer takes to move the outputs so far.

    In t steps the bias and the weights of the head move by `lr * t`, and so do those of
    the layer before it, whose outputs are the features: the answer moves by
    `lr * t * (1 + S) + H * (lr * t) ** 2 * (1 + S0) / 2`, with `S` and `S0` the sums of
    the absolute inputs of both and `H` the features.
    """
    optimizer = getattr(probe.model, "optimizer", None)
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if optimizer is None or type(optimizer).__name__ not in SIGN_LIKE:
        return None, None
    rate = float(backend.to_numpy(optimizer.learning_rate))
    layers = [o for o in probe.layers if getattr(o.layer, "kernel", None) is not None]
    names = [o.layer.name for o in layers]
    at = names.index(probe.head.layer)
    linear = 1 + _sum_of_inputs(probe, layers[at])
    square = 0.0
    if at:
        features = int(np.prod(layers[at].layer.kernel.shape[:-1]))
        square = features * (1 + _sum_of_inputs(probe, layers[at - 1])) / 2
    if rate <= 0:
        return None, None
    if not square:
        return int(distance / (rate * linear)), rate
    moved = (np.sqrt(linear**2 + 4 * square * distance) - linear) / (2 * square)
    return int(moved / rate), rate


def _sum_of_inputs(probe, output):
    """The mean sum of absolute inputs of a unit of a layer; its fan-in if not known."""
    *places, width, _ = output.layer.kernel.shape
    before = [o.values for o in probe.layers[: probe.layers.index(output)]]
    known = [a for a in before if a.shape[-1] == width]
    known = known or [
        a
        for a in probe.inputs.values()
        if a.dtype.kind in "iuf" and a.shape[-1] == width
    ]
    size = float(np.prod(places))
    if not known:
        return size * width
    sums = np.abs(known[-1].reshape(-1, width).astype("float64")).sum(1)
    return size * float(np.nan_to_num(sums).mean())


def _most_frequent(column):
    values, counts = np.unique(column, return_counts=True)
    return values[counts.argmax()], counts.max() / len(column)


def _loss_masks(probe):
    """Whether a loss of the user's own gives a finite number in spite of NaN."""
    if probe.loss.kind != "custom":
        return False
    try:
        with backend.no_gradient():
            loss = keras.losses.get(probe.loss.loss)
            y = keras.ops.convert_to_tensor(probe.targets.astype("float32"))
            value = loss(y, keras.ops.convert_to_tensor(probe.predictions))
        return bool(np.isfinite(backend.to_numpy(value)).all())
    except Exception:  # a loss that takes something else
        return False


def _makes_up(loss):
    """Whether a loss counters imbalance, or may: of others' losses nothing is known."""
    if loss.kind in ("region", "sum", "custom", "none") or "focal" in loss.name:
        return True
    settings = ("class_weight", "focal_gamma", "top_k")
    return any(
        value is not None and np.size(value) and np.any(np.asarray(value) != 0)
        for value in (getattr(loss.loss, key, None) for key in settings)
    )


def _weights(probe):
    """The sample weights of an output, or None."""
    weights = probe.look.sample.sample_weight
    if isinstance(weights, dict):
        return weights.get(probe.name)
    if isinstance(weights, (list, tuple)):
        return weights[probe.index] if probe.index < len(weights) else None
    return weights


def _class_ids(probe):
    """The valid labels as a vector of integers, or None."""
    labels, y = probe.labels, probe.targets
    ignored = probe.loss.ignore_class
    if labels is None or labels.form not in ("binary", "ids", "one-hot", "soft"):
        return None
    if labels.form in ("one-hot", "soft"):
        rows = y.reshape(-1, y.shape[-1]).astype("float64")
        void = np.isin(rows, [i for i in ignored if i not in (0, 1)]).any(1)
        rows = rows[~void & np.isfinite(rows).all(1) & (rows.sum(1) > 0)]
        ids = rows.argmax(1)
    else:
        ids = y.ravel().astype("float64")
        ids = ids[np.isfinite(ids)].astype("int64")
    return ids[~np.isin(ids, ignored)]


def _value_shape(probe):
    """The shape of the values that a loss of Keras has before weights, or None."""
    loss, y = probe.loss, probe.targets
    kinds = ("custom", "none", "region", "sum", "masked")
    if y is None or loss.kind in kinds or isinstance(loss.loss, MaskedLoss):
        return None
    shape = probe.predictions.shape
    if loss.kind != "sparse" and len(shape) == y.ndim + 1 and shape[-1] == 1:
        shape = (
            shape[:-1] if y.ndim > 1 else shape
        )  # Keras squeezes them to the targets
    return shape[:-1]
