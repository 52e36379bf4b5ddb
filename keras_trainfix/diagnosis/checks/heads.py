"""Checks of the head: whether it can give what the loss and the targets ask for."""

import keras
import numpy as np

from keras_trainfix.diagnosis.checks.labels import (
    is_keras_region,
    label_faults,
    read_targets,
)
from keras_trainfix.diagnosis.registry import check, found

TAKES_PROBABILITIES = ("binary", "categorical", "sparse", "masked", "region", "sum")
SURE = 0.05  # share of targets or predictions beyond which nothing is chance
WRONG_SUM = 0.05  # of probabilities, beyond or below 1
ROUNDING = 1e-3
ACCURACIES = (
    "acc",
    "accuracy",
    "binary_accuracy",
    "categorical_accuracy",
    "sparse_categorical_accuracy",
    "top_k_categorical_accuracy",
    "sparse_top_k_categorical_accuracy",
)
ACCURACY_CLASSES = (
    "Accuracy",
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "SparseCategoricalAccuracy",
    "TopKCategoricalAccuracy",
    "SparseTopKCategoricalAccuracy",
)


@check("KTF201", "softmax-on-one-unit", severity="error")
def softmax_on_one_unit(probe):
    """A softmax over a single unit answers 1.0 whatever the input.

    ## What you see
    `predict` gives exactly 1.0 for every input, and the accuracy stays at the share of
    one class. On TensorFlow the loss may fall all the same.

    ## Why it happens
    A softmax divides each unit by the sum of all units; of one unit that is 1, with a
    gradient of 0. TensorFlow computes a binary cross-entropy from what comes before
    the softmax, as if it were a sigmoid, so that the loss falls while the predictions
    do not move.

    ## How to check
    `model.predict(x).std()` is 0.

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    y = (x.sum(axis=1) > 0).astype("float32")
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(1, activation="softmax")]
    )
    model.compile("adam", "binary_crossentropy")
    ```

    ## Fix
    A sigmoid for two classes; no activation for a regression; a unit for each class
    where there are more.

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    y = (x.sum(axis=1) > 0).astype("float32")
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(1, activation="sigmoid")]
    )
    model.compile("adam", "binary_crossentropy")
    ```

    ## When this is not the cause
    With two units or more, look for saturation or a collapse. A softmax along another
    axis, as in attention, is left alone.

    ## References
    - [Activations of Keras](https://keras.io/api/layers/activations/)
    """
    if not _is_constant_softmax(probe):
        return None
    if probe.task == "regression":
        head, loss = "Dense(1)(features)  # linear", "mse"
    elif probe.labels and len(probe.labels.classes) > 2:
        units = probe.labels.classes[-1] + 1
        head = f'Dense({units}, activation="softmax")(features)'
        loss = "sparse_categorical_crossentropy"
    else:
        head, loss = 'Dense(1, activation="sigmoid")(features)', "binary_crossentropy"
    if probe.predictions.ndim > 3 and "linear" not in head:
        head = head.replace("Dense(1,", "Conv2D(1, 1,")
    return found(
        f"The head is a softmax over 1 unit: all {probe.predictions.size} predictions "
        "are 1.0, whatever the input.",
        f'outputs = keras.layers.{head}\nmodel.compile(optimizer, loss="{loss}")',
        units=1,
        lowest=float(probe.predictions.min()),
        highest=float(probe.predictions.max()),
    )


@check("KTF202", "head-cannot-reach-targets", severity="error")
def head_cannot_reach_targets(probe):
    """The activation of the head cannot give some of the targets.

    ## What you see
    Predictions that stick to a bound of the activation, and a loss that stops high.

    ## Why it happens
    A sigmoid ends at 0 and 1, a tanh at -1 and 1, a ReLU at 0, and the units of a
    softmax sum to 1. What lies beyond cannot be learned, and the gradient fades, or
    is 0, at the bound.

    ## How to check
    Compare `y.min()` and `y.max()` with the range of the activation.

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    y = 3 * x.sum(axis=1, keepdims=True)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(1, activation="sigmoid")]
    )
    model.compile("adam", "mse")
    ```

    ## Fix
    A linear head, with targets scaled to unit variance; or targets scaled to the range.

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    y = 3 * x.sum(axis=1, keepdims=True)
    y = (y - y.mean()) / y.std()
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    ```

    ## When this is not the cause
    If all targets are in the range, look for dead units or a learning rate that is too
    high. A loss of your own that scales predictions may be right: this is a warning
    then, as it is where few targets are out of reach.

    ## References
    - [Activations of Keras](https://keras.io/api/layers/activations/)
    """
    kind, head = probe.loss.kind, probe.head
    if kind not in ("regression", "count", "custom", "none"):
        return None
    if _is_constant_softmax(probe) or label_faults(probe):
        return None
    targets = read_targets(probe)
    if targets is None or (targets.rows is None and targets.units > 1):
        return None
    if targets.rows is not None and targets.rows.shape[1] != targets.units:
        return None
    numbers = targets.labels if targets.rows is None else targets.rows
    low, high = head.range
    margin = 0.02 * float(numbers.std()) + 1e-6
    outside = (numbers < low - margin) | (numbers > high + margin)
    share = float(outside.mean())
    reach = f"from {low:g} to {high:g}"
    if not share and head.activation == "softmax" and kind in ("regression", "count"):
        sums_to_one = np.abs(probe.predictions.sum(-1) - 1) < 0.05
        if targets.rows is not None and sums_to_one.all():
            share = float((np.abs(targets.rows.sum(1) - 1) > 0.05).mean())
            reach = "in rows that sum to 1"
    if not share:
        return None
    if kind in ("custom", "none") and len(np.unique(numbers[outside])) == 1:
        return None  # a mark for targets that are missing
    is_sure = share >= SURE and kind in ("regression", "count")
    return found(
        f"A {head.activation} head gives numbers {reach}, and {100 * share:.3g} % of "
        f"the targets are beyond: they go from {numbers.min():.4g} to "
        f"{numbers.max():.4g}.",
        f"outputs = keras.layers.Dense({targets.units})(features)  # linear\n"
        "y = (y - y.mean()) / y.std()  # and scale predictions back",
        severity="error" if is_sure else "warning",
        share=share,
        lowest=float(numbers.min()),
        highest=float(numbers.max()),
        head_lowest=None if np.isinf(low) else float(low),
        head_highest=None if np.isinf(high) else float(high),
    )


@check("KTF203", "logits-into-probability-loss", severity="error")
def logits_into_probability_loss(probe):
    """The loss takes probabilities, and the head gives numbers beyond 0 and 1.

    ## What you see
    A loss that starts at several times its usual size and hardly moves, or jumps.

    ## Why it happens
    Such a loss clips what it gets to between 0 and 1 before the logarithm. A clipped
    number has a gradient of 0, so that those units do not learn. With a ReLU all
    units at 0 are dead.

    ## How to check
    `model.predict(x)` has numbers below 0 or above 1, while the loss has
    `from_logits=False`, as is the default.

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    y = (x.sum(axis=1) > 0).astype("float32")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("adam", "binary_crossentropy")
    ```

    ## Fix
    Tell the loss that it gets logits, or end the model with a sigmoid or softmax.

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    y = (x.sum(axis=1) > 0).astype("float32")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True))
    ```

    ## When this is not the cause
    A net can have learned in spite of it; where few predictions are clipped it is a
    warning. If the targets are real numbers, the loss is wrong and not the head:
    KTF206.

    ## References
    - [Probabilistic losses of Keras](https://keras.io/api/losses/probabilistic_losses/)
    """
    loss, head, p = probe.loss, probe.head, probe.predictions
    if loss.kind not in TAKES_PROBABILITIES or loss.from_logits:
        return None
    is_alone = head.units == 1 and loss.kind in ("categorical", "sparse")
    if head.is_probability or is_alone or "KTF206" in label_faults(probe):
        return None
    p = p[np.isfinite(p)]
    if not p.size:
        return None
    share = float(((p <= 0) | (p >= 1)).mean())
    is_beyond = p.min() < -ROUNDING or p.max() > 1 + ROUNDING
    if not is_beyond and not (head.activation in ("relu", "relu6") and share):
        return None
    activation = "sigmoid" if head.units == 1 or loss.kind == "binary" else "softmax"
    described = "no activation" if head.activation == "linear" else head.activation
    if head.activation == "unknown":
        described = "an unknown last step"
    if is_keras_region(loss):
        fix = f'outputs = keras.layers.Activation("{activation}")(logits)'
    else:
        name = type(loss.loss).__name__
        name = name if isinstance(loss.loss, keras.Loss) else _camel(loss.name)
        fix = (
            f'outputs = keras.layers.Activation("{activation}")(logits)\n'
            f"# or keep the head, without activation, and {name}(from_logits=True)"
        )
    return found(
        f"{loss.name} takes probabilities, and a head with {described} gives numbers "
        f"from {p.min():.3g} to {p.max():.3g}: {100 * share:.3g} % are clipped and "
        "get no gradient.",
        fix,
        severity="error" if share > SURE else "warning",
        clipped_share=share,
        lowest=float(p.min()),
        highest=float(p.max()),
    )


@check("KTF204", "probabilities-into-logits-loss", severity="warning")
def probabilities_into_logits_loss(probe):
    """The loss has `from_logits=True`, and the head gives probabilities.

    ## What you see
    A loss that falls slowly and stops far above 0, and predictions that are all on
    the side of the frequent class. TensorFlow may print a warning.

    ## Why it happens
    The loss squashes the probabilities once more: of numbers between 0 and 1 a sigmoid
    makes 0.5 to 0.73, a softmax of 10 classes no more than 0.23. The loss cannot get
    small, and its gradient is weak. TensorFlow often undoes it, JAX and torch do not.

    ## How to check
    The last activation is `softmax` or `sigmoid`, and the loss has `from_logits=True`.

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    y = np.arange(64) % 3
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, activation="softmax")]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    ```

    ## Fix
    Only one of the two; logits are the more exact.

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    y = np.arange(64) % 3
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    ```

    ## When this is not the cause
    Where the model learns well on TensorFlow it costs nothing there.

    ## References
    - [Probabilistic losses of Keras](https://keras.io/api/losses/probabilistic_losses/)
    """
    loss, head = probe.loss, probe.head
    p = probe.predictions
    activation = "softmax" if _sums_to_one(probe) else head.activation
    is_probability = head.is_probability or activation == "softmax"
    if not loss.from_logits or not is_probability or _is_constant_softmax(probe):
        return None
    return found(
        f"{loss.name} has from_logits=True, and a {activation} gives it "
        f"probabilities, from {p.min():.3g} to {p.max():.3g}: they are squashed twice.",
        f"outputs = keras.layers.Dense({head.units})(features)  # logits\n"
        "# or keep the activation, and from_logits=False",
        lowest=float(p.min()),
        highest=float(p.max()),
        units=head.units,
    )


@check("KTF205", "loss-does-not-fit-head", severity="error")
def loss_does_not_fit_head(probe):
    """The loss asks for another number of units, or another activation.

    ## What you see
    A loss of exactly 0 from the first step, an error about labels out of range, or a
    net that learns less well than it could.

    ## Why it happens
    A categorical cross-entropy normalises the units of a place to the sum 1: of one
    unit it is always 0, without a gradient. A sparse one takes the label for the number
    of a unit, so that there must be one for each class. A binary one judges each unit
    by itself, which a softmax, whose units depend on each other, does not suit. And a
    softmax along another axis than that of the classes gives no probabilities of them.

    ## How to check
    Compare the units of the last layer with the number of classes.

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    y = (x.sum(axis=1, keepdims=True) > 0).astype("float32")
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(1, activation="sigmoid")]
    )
    model.compile("adam", "categorical_crossentropy")
    ```

    ## Fix
    One unit: sigmoid and binary cross-entropy. C classes that exclude each other: C
    units, softmax, and the categorical or sparse one. Classes that do not: sigmoids and
    the binary one.

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    y = (x.sum(axis=1, keepdims=True) > 0).astype("float32")
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(1, activation="sigmoid")]
    )
    model.compile("adam", "binary_crossentropy")
    ```

    ## When this is not the cause
    Sigmoids with a categorical cross-entropy, and a softmax with a binary one, are
    warnings: such nets often learn as well.

    ## References
    - [Probabilistic losses of Keras](https://keras.io/api/losses/probabilistic_losses/)
    """
    if _is_constant_softmax(probe):
        return None
    loss, head = probe.loss, probe.head
    off = _wrong_axis(probe)
    if off:
        return found(
            "The softmax runs along another axis than that of the classes in the loss: "
            f"the probabilities of a place sum to {1 + off:.3g}, and not to 1.",
            "outputs = keras.layers.Softmax(axis=-1)(logits)  # that of the classes",
            units=head.units,
            sum=1 + off,
        )
    faults = label_faults(probe)
    if "KTF206" in faults:
        return None
    form = probe.labels.form if probe.labels else None
    if head.units == 1 and loss.kind == "similarity":
        return found(
            f"The head has 1 unit, of which {loss.name} sees but the sign.",
            'model.compile(optimizer, loss="mse")',
            units=1,
        )
    if head.units == 1 and loss.kind in ("categorical", "sparse"):
        return _one_unit(loss, len(probe.labels.classes) if probe.labels else 0)
    if "KTF205" in faults:
        classes, units = faults["KTF205"]["classes"], faults["KTF205"]["units"]
        return found(
            f"The labels have {classes} classes, and the head has {units} "
            f"unit{'s' if units > 1 else ''}.",
            f'outputs = keras.layers.Dense({classes}, activation="softmax")(features)'
            + (
                '\nmodel.compile(optimizer, loss="sparse_categorical_crossentropy")'
                if units == 1
                else ""
            ),
            **faults["KTF205"],
        )
    if head.units < 2 or loss.from_logits:
        return None
    if loss.kind in ("categorical", "sparse") and "sigmoid" in head.activation:
        if form == "multi-hot":
            fix = 'model.compile(optimizer, loss="binary_crossentropy")'
        else:
            fix = (
                f"outputs = keras.layers.Dense({head.units}, "
                'activation="softmax")(features)'
            )
        return found(
            f"{loss.name} is for classes that exclude each other, and the head has "
            f"{head.units} sigmoids that do not. It often learns all the same.",
            fix,
            severity="warning",
            units=head.units,
        )
    is_softmax = loss.kind == "binary" and head.activation == "softmax"
    if is_softmax and (head.units > 2 or form == "multi-hot"):
        if form == "multi-hot":
            fix = (
                f"outputs = keras.layers.Dense({head.units}, "
                'activation="sigmoid")(features)'
            )
        else:
            fix = 'model.compile(optimizer, loss="categorical_crossentropy")'
        return found(
            f"{loss.name} judges each unit by itself, and the {head.units} units are "
            "those of a softmax, which sum to 1.",
            fix,
            severity="warning",
            units=head.units,
        )
    return None


@check("KTF207", "accuracy-on-regression", severity="warning")
def accuracy_on_regression(probe):
    """An accuracy is measured of a regression, where it means nothing.

    ## What you see
    An accuracy at 0, or near it, for all epochs, though the loss falls.

    ## Why it happens
    Accuracy counts predictions that equal the target, after a threshold or an arg-max.
    A real number is never equal to a class.

    ## How to check
    The targets are real numbers, and `compile` got `metrics=["accuracy"]`.

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    y = x.sum(axis=1, keepdims=True)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("adam", "mse", metrics=["accuracy"])
    ```

    ## Fix
    Measure an error, or R2.

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    y = x.sum(axis=1, keepdims=True)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae", keras.metrics.R2Score()])
    ```

    ## When this is not the cause
    The metric changes nothing in training. If the loss does not fall either, there is
    another fault.

    ## References
    - [Accuracy metrics of Keras](https://keras.io/api/metrics/accuracy_metrics/)
    """
    if probe.labels is None or probe.task != "regression":
        return None
    many = probe.labels.form == "ids" and max(probe.labels.classes, default=0) > 1
    if probe.labels.form != "real" and not (many and probe.head.units == 1):
        return None
    names = [name for name in map(_accuracy, _metrics_of(probe)) if name]
    if not names:
        return None
    targets = np.asarray(probe.targets)
    return found(
        f"The metric {names[0]!r} counts exact hits, and the targets are "
        f"{len(np.unique(targets))} distinct numbers from {targets.min():.4g} to "
        f"{targets.max():.4g}.",
        'model.compile(optimizer, loss, metrics=["mae", keras.metrics.R2Score()])',
        metrics=names,
        distinct_targets=len(np.unique(targets)),
    )


def _one_unit(loss, number):
    if loss.kind == "categorical":
        what = f"The head has 1 unit, of which {loss.name} is 0, without a gradient"
    else:
        what = f"The head has 1 unit, and {loss.name} takes a unit for each class"
    if number > 2:
        head = f'Dense({number}, activation="softmax")(features)'
        right = "sparse_categorical_crossentropy"
    else:
        head = 'Dense(1, activation="sigmoid")(features)'
        right = "binary_crossentropy"
    return found(
        f"{what}: it cannot learn.",
        f'outputs = keras.layers.{head}\nmodel.compile(optimizer, loss="{right}")',
        units=1,
        classes=number,
    )


def _wrong_axis(probe):
    """How far the probabilities of a place are from the sum 1; 0 if all is well."""
    loss, p = probe.loss, probe.predictions
    activation = probe.head.activation
    if activation not in ("softmax", "unknown") or p.ndim < 2 or loss.from_logits:
        return 0.0
    if activation == "unknown" and not _sums_to_one_elsewhere(p):
        return 0.0
    if loss.kind not in ("categorical", "sparse", "masked") or not np.isfinite(p).all():
        return 0.0
    axis = getattr(loss.loss, "axis", -1)
    sums = p.sum(axis if isinstance(axis, int) else -1, dtype="float64") - 1
    worst = float(sums.ravel()[np.abs(sums).argmax()])
    return worst if abs(worst) > WRONG_SUM and p.shape[-1] > 1 else 0.0


def _sums_to_one_elsewhere(p):
    """Whether numbers are those of a softmax along any axis but the last."""
    sums = (p.sum(axis, dtype="float64") for axis in range(p.ndim - 1))
    return any(np.abs(total - 1).max(initial=0) < ROUNDING for total in sums)


def _is_constant_softmax(probe):
    p = probe.predictions
    is_one = probe.head.activation == "softmax" and probe.head.units == 1
    return is_one and bool((np.abs(p - 1) < ROUNDING).all())


def _sums_to_one(probe):
    """Whether predictions from no known layer are those of a softmax all the same."""
    p = probe.predictions
    if probe.head.activation != "unknown" or probe.head.units == 1:
        return False
    return bool(p.min() >= 0 and (np.abs(p.sum(-1) - 1) < ROUNDING).all())


def _metrics_of(probe):
    """The compiled metrics of the output of a probe, as `compile` got them."""
    compiled = getattr(probe.model, "_compile_metrics", None)
    return [
        metric
        for key in ("_user_metrics", "_user_weighted_metrics")
        for metric in _of_output(getattr(compiled, key, None), probe)
    ]


def _of_output(metrics, probe):
    is_single = len(probe.names) == 1
    if isinstance(metrics, dict) and not is_single:
        metrics = metrics.get(probe.name)
    elif isinstance(metrics, (list, tuple)) and not is_single:
        metrics = metrics[probe.index] if len(metrics) == len(probe.names) else None
    return [] if metrics is None else keras.tree.flatten(metrics)


def _accuracy(metric):
    """The name of a metric if it is an accuracy of Keras, or None."""
    if isinstance(metric, str):
        return metric if metric.lower() in ACCURACIES else None
    kind = metric if isinstance(metric, type) else type(metric)
    if kind.__module__.startswith("keras."):
        if kind.__name__ in ACCURACY_CLASSES:
            return getattr(metric, "name", kind.__name__)
        return None
    name = getattr(metric, "__name__", "")
    is_keras = str(getattr(metric, "__module__", "")).startswith("keras.")
    return name if is_keras and name in ACCURACIES else None


def _camel(name):
    return "".join(part.capitalize() for part in name.split("_"))
