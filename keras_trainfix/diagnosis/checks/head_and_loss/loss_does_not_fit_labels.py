"""KTF206: labels of another form than the loss takes."""

import numpy as np

from keras_trainfix.diagnosis.change import (
    BINARY,
    CATEGORICAL,
    SPARSE,
    Change,
    same_scale,
)
from keras_trainfix.diagnosis.checks.head_and_loss.head_code import (
    present_loss,
    with_activation,
    with_loss,
    with_suited_head,
)
from keras_trainfix.diagnosis.fix_code import STANDARDIZED, recompiled
from keras_trainfix.diagnosis.observe.loss import (
    is_function_of_ours,
    is_keras_region,
    reader_of,
)
from keras_trainfix.diagnosis.observe.refusal import drops_axis
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView
from keras_trainfix.messages import count, percent


def _fit_loss_to_labels(case):
    if case.loss.kind == "categorical" and "units" in case.evidence:
        return Change(None, same_scale(case.loss, SPARSE))
    if case.loss.kind == "sparse" and "columns" in case.evidence:
        return Change(None, same_scale(case.loss, CATEGORICAL))
    if "multi_hot" in case.evidence:
        return Change("sigmoid", BINARY)
    return "the labels or the loss must change"


@check(
    "KTF206",
    "loss-does-not-fit-labels",
    "error",
    action="make the loss fit the labels",
    scope="output",
    explains=(*ONE_ANSWER, "KTF504"),
    mild=True,
    repair=_fit_loss_to_labels,
)
def loss_does_not_fit_labels(view: OutputView) -> Found | None:
    """The loss expects labels of another form.

    ## What you see
    `fit` raises an error about shapes, or the loss is negative or far from its usual
    value, or predictions never become better than a constant.

    ## Why it happens
    Each cross-entropy takes one form of labels. The sparse one takes class ids, the
    categorical one takes rows with one column per class, and the binary one takes
    numbers in [0, 1] for each unit. Ids compared with columns are broadcast or refused,
    and targets outside [0, 1] leave a binary cross-entropy without a minimum. A squared
    or absolute error is defined on a softmax of many classes, but its gradient fades
    where the model is confidently wrong. A percentage error is meaningless for targets
    of 0, and a logarithmic error is undefined below -1. The losses of `keras_trainfix`
    raise on labels that they cannot read, and are NaN in compiled code, which cannot
    raise.

    ## How to check
    Compare `y.shape`, `y.dtype` and `np.unique(y)` with the loss. Here a sparse
    cross-entropy gets one-hot rows:

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    y = keras.utils.to_categorical(np.arange(64) % 3, 3)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, activation="softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    ```

    ## Fix
    Use the loss that fits: here the categorical one. Real numbers call for a
    regression, with a linear head and `"mse"`.

    ```python
    model.compile("adam", "categorical_crossentropy")
    ```

    ## When this is not the cause
    Targets between 0 and 1, such as soft labels or the pixels of an autoencoder, suit a
    binary cross-entropy, although it does not fall to 0. One-hot rows multiplied by an
    advantage, as in policy gradients, are not reported.

    ## References
    - [Probabilistic losses of Keras](https://keras.io/api/losses/probabilistic_losses/)
    """
    fault = view.label_faults.get("KTF206")
    if fault is None:
        return None
    fault = dict(fault)
    case, name = fault.pop("case"), view.loss.name
    if case == "text":
        return found(
            f"The targets are text with {count(fault['distinct'], 'distinct value')}, "
            f"such as {fault['first']!r}, and a loss computes with numbers.",
            "names, y = np.unique(y, return_inverse=True)  # class ids",
            **fault,
        )
    if case == "refused":
        return found(
            f"{name} cannot read the labels: it raises, or is NaN in compiled code. "
            f"{fault['error']}",
            _fix_of_refused(view),
            **fault,
        )
    if case == "void":
        listed = ", ".join(f"{value:g}" for value in fault["values"])
        return found(
            f"{name} ignores all labels: they are {listed}, and nothing is left to "
            "learn.",
            "print(np.unique(y, return_counts=True))  # and `ignore_class` of the loss",
            **fault,
        )
    if case in ("one-hot", "rows"):
        return found(
            f"{name} takes one class id for each place, and the targets have "
            f"{fault['columns']} columns.",
            with_loss(view, _same_scale(view, CATEGORICAL)),
            **fault,
        )
    if case == "ids":
        return found(
            f"{name} compares each of the {fault['units']} units with its own column, "
            "and the targets have one class id for each place.",
            _take_ids(view),
            **fault,
        )
    if case in ("percent", "logarithm"):
        what = (
            "divides each error by its target"
            if case == "percent"
            else "takes the logarithm of 1 + target"
        )
        which = "(nearly) 0" if case == "percent" else "-1 or less"
        return found(
            f"{name} {what}, and {percent(fault['share'])} of the targets are "
            f"{which}: these outweigh, or hide, all others.",
            with_loss(view, "mse") + '  # or "mae"',
            severity="warning",
            **fault,
        )
    if case == "regression loss":
        return found(
            f"The targets are one-hot rows of {fault['classes']} classes for a "
            f"softmax, and the loss is {name}: it learns slowly, and hardly at all "
            "where the softmax is sure and wrong.",
            with_loss(view, CATEGORICAL),
            severity="warning",
            **fault,
        )
    if case == "several":
        return found(
            f"{percent(fault['share'])} of the rows name several classes, and {name} "
            "is for classes that exclude each other.",
            with_activation(view, "sigmoid", BINARY),
            severity="warning",
            **fault,
        )
    if case == "sums":
        return found(
            f"{name} takes rows that sum to 1, and {percent(fault['share'])} of the "
            "rows do not.",
            "y = y / y.sum(axis=-1, keepdims=True)\n"
            "# or, if the classes are independent: sigmoids and binary_crossentropy",
            severity="warning",
            **fault,
        )
    is_bytes = fault["lowest"] >= 0 and 1 < fault["highest"] <= 255
    if is_bytes and view.predictions.ndim > 3:
        fix = 'y = y.astype("float32") / 255  # pixels as numbers from 0 to 1'
    else:
        fix = with_suited_head(view)
        if len(view.names) == 1 and fault["distinct"] > 1:
            fix = f"{fix}\n{STANDARDIZED}"
    return found(
        f"{name} is for classes, and {percent(fault['share'])} of the targets are "
        f"not classes: they go from {fault['lowest']:.4g} to {fault['highest']:.4g} "
        f"with {fault['distinct']} distinct values.",
        fix,
        **fault,
    )


def _take_ids(view):
    """Code with a loss that takes class ids."""
    if is_keras_region(view.loss):
        return with_loss(view, "keras_trainfix.MaskedSoftDice()")
    if "sigmoid" in view.head.activation:
        return with_activation(view, "softmax", SPARSE)
    return with_loss(view, _same_scale(view, SPARSE))


def _fix_of_refused(view):
    """Code for labels that a loss of keras_trainfix cannot read."""
    labels, shape = np.asarray(view.targets), view.predictions.shape
    loss = view.loss.loss
    if is_function_of_ours(loss) and drops_axis(labels.shape, shape):
        return with_loss(view, f"keras_trainfix.{type(reader_of(loss)).__name__}()")
    if len(shape) > 2 and labels.shape in (shape, (*shape, 1)):
        is_hot = view.labels is not None and view.labels.form in ("multi-hot", "soft")
        if not (is_hot and (len(shape) > 3 or labels.dtype.kind == "f")):
            return _with_class_axis(view, (*shape[1:], 1))
    expression = present_loss(view, multi_label=True)
    is_rows = labels.shape == shape and view.head.units > 1
    if is_rows and expression and np.isin(labels, (0, 1)).all():
        return with_activation(view, "sigmoid", expression)
    if is_rows and (labels >= 0).all():
        return "y = y / y.sum(axis=-1, keepdims=True)  # rows of probabilities"
    return "print(y.shape, y.dtype, np.unique(y))  # what the loss gets"


def _with_class_axis(view, shape):
    """Code that gives an output the axis of size 1 that was squeezed away."""
    if len(view.names) > 1 or not getattr(view.model, "outputs", None):
        return f"# in the definition of the model, keep the last axis: {shape}"
    inputs = "model.inputs[0]" if len(view.model.inputs) == 1 else "model.inputs"
    change = (
        f"outputs = keras.layers.Reshape({shape})(model.outputs[0])\n"
        f"model = keras.Model({inputs}, outputs)"
    )
    return recompiled(view.model, change)


def _same_scale(view, name):
    """The expression of a loss, on logits where the present one is."""
    if not view.loss.from_logits:
        return name
    words = "".join(word.capitalize() for word in name.split("_"))
    return f"keras.losses.{words}(from_logits=True)"
