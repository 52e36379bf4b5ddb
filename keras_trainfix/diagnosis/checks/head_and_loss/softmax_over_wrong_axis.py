"""KTF213 softmax-over-wrong-axis: answers sum to one on another axis than targets."""

from keras_trainfix.diagnosis.experiments.instruments.class_axes import (
    ClassAxes,
    class_axes,
)
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView


@check(
    "KTF213",
    "softmax-over-wrong-axis",
    "error",
    action="apply the softmax along the class axis",
    scope="output",
    exact=True,
    explains=ONE_ANSWER,
    overrules=("KTF205",),
    irreversible=True,
)
def softmax_over_wrong_axis(view: OutputView) -> Found | None:
    """The answers sum to one over another axis than the targets.

    ## What you see
    The loss falls a little and stays, far from zero, and the classes are hardly
    better than chance. The shapes fit, so nothing raises.

    ## Why it happens
    A softmax is taken over the last axis by default. With channels first, or with steps
    or places as the classes, that is another axis than that of the classes: the answers
    of one place can then be 0 or 1 for all classes at once.

    ## How to check
    Sum answers and targets: `model.predict(x).sum(1)`, `y.sum(1)`, and so on.

    ```python
    import keras, numpy as np

    x = np.random.default_rng(0).normal(size=(64, 10, 3)).astype("float32")
    y = np.eye(4, dtype="float32")[(x[..., 0] > 0) + 2 * (x[..., 1] > 0)]
    model = keras.Sequential([
        keras.Input((10, 3)),
        keras.layers.Dense(4),
        keras.layers.Softmax(axis=1),  # over the 10 steps
    ])
    model.compile("adam", "categorical_crossentropy")
    print(y.sum(2))  # 1 over the classes
    ```

    ## Fix
    Take the softmax over the axis of the classes.

    ```python
    model = keras.Sequential([
        keras.Input((10, 3)),
        keras.layers.Dense(4),
        keras.layers.Softmax(axis=2),
    ])
    model.compile("adam", "categorical_crossentropy")
    ```

    ## When this is not the cause
    Targets that sum to one over several axes fit any of them. Answers that sum to one
    nowhere, such as logits or sigmoids, are not judged.

    ## References
    [keras.layers.Softmax](https://keras.io/api/layers/activation_layers/softmax/)
    """
    axes = class_axes(view.snapshot)
    one = None if axes is None else axes[view.index]
    if one is None or not one.differ:
        return None
    return found(
        _message(one),
        _fix(one),
        answers=list(one.answers),
        targets=list(one.targets),
        shape=list(one.shape),
        layer=one.layer,
    )


def _message(one: ClassAxes) -> str:
    shape = ", ".join(("batch", *map(str, one.shape[1:])))
    which = (
        "the samples of a batch" if one.answers[0] == 0 else f"axis {one.answers[0]}"
    )
    where = f" of layer '{one.layer}'" if one.layer else ""
    classes = one.shape[one.targets[0]]
    return (
        f"The answers{where} sum to one over {which} of ({shape}). The targets have "
        f"their {classes} classes on axis {one.targets[0]}."
    )


def _fix(one):
    name = f" in place of that of '{one.layer}'" if one.layer else ""
    return f"# keras.layers.Softmax(axis={one.targets[0]}){name}"
