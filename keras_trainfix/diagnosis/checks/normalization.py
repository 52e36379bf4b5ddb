"""Checks of batch normalization: the statistics that training and inference use."""

import functools
import warnings

import keras
import numpy as np
from keras import layers

from keras_trainfix.backend import no_gradient, to_numpy
from keras_trainfix.diagnosis.activity import unchanged
from keras_trainfix.diagnosis.registry import check, found
from keras_trainfix.diagnosis.variation import is_finite
from keras_trainfix.models.batch_norm_layers import all_layers, plain_only
from keras_trainfix.models.batch_statistics import uses_batch_statistics
from keras_trainfix.models.gap import batch_norm_gap

EARLY = 20  # steps before which averages of a momentum of .99 must lag
FEW_SAMPLES = 8
OUTPUT_GAP = 0.5  # standard deviations
ANSWERS_CHANGE = 0.1  # share of them
SHIFT = 0.3  # of the statistics of a layer, standard deviations


@check("KTF301", "batch-norm-gap", severity="warning", per_output=False)
def batch_norm_gap_is_large(probe):
    """Batch normalization in inference gives other answers than in training.

    ## What you see
    The training metrics are good, and `evaluate` and `predict` on the same data are
    not; often one class for everything.

    ## Why it happens
    In training each batch is normalized by its own statistics, in inference by moving
    ones. These have not caught up: few steps with the default momentum of 0.99, very
    small batches, or data that differ from those of the pretraining.

    ## How to check
    ```python
    import keras
    import numpy as np

    import keras_trainfix as kt

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(8, "relu"),
            keras.layers.Dense(3, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    rng = np.random.default_rng(0)
    x = rng.normal([5, -5, 5, -5], 0.5, size=(64, 4)).astype("float32")
    y = np.digitize(x[:, 0], [4.8, 5.2])
    model.fit(x, y, batch_size=16, epochs=6, verbose=0)
    print(kt.batch_norm_gap(model, x))
    ```

    ## Fix
    Renew the moving statistics after training, or freeze them before fine-tuning
    (`kt.freeze_batch_norm(model)`); `momentum=0.9` catches up in a tenth of the steps.

    ```python
    import keras
    import numpy as np

    import keras_trainfix as kt

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(8, "relu"),
            keras.layers.Dense(3, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    rng = np.random.default_rng(0)
    x = rng.normal([5, -5, 5, -5], 0.5, size=(64, 4)).astype("float32")
    y = np.digitize(x[:, 0], [4.8, 5.2])
    model.fit(x, y, batch_size=16, epochs=6, verbose=0)
    kt.recalibrate_batch_norm(model, x)
    ```

    ## When this is not the cause
    If training and inference agree on the training data, and only new data do badly,
    it is overfitting. Dropout opens a gap of its own, and is not counted here.

    ## References
    [Wu and Johnson, 2021](https://arxiv.org/abs/2105.07576)
    """
    model, steps = probe.model, probe.iterations
    if steps < EARLY or len(probe.predictions) < FEW_SAMPLES:
        return None
    found_layers = [
        layer
        for layer in all_layers(model)
        if isinstance(layer, layers.BatchNormalization) and layer.built
    ]
    with warnings.catch_warnings():  # a check has no place to warn
        warnings.simplefilter("ignore")
        by_batch = [
            layer
            for layer in plain_only(found_layers, stacklevel=2)
            if uses_batch_statistics(layer)
        ]
        finite = all(map(is_finite, [*probe.inputs.values(), *probe.look.predictions]))
        if not by_batch or not finite:
            return None
        with unchanged(model):
            gap = batch_norm_gap(model, probe.look.sample.x)
    moved = [
        layer
        for layer in gap.layers
        if layer.by_batch
        and (layer.mean_shift > SHIFT or abs(np.log(layer.std_ratio)) > SHIFT)
    ]
    changed = gap.changed_answers
    same = changed is not None and changed < ANSWERS_CHANGE
    if not moved or same or not gap.output_gap > OUTPUT_GAP:
        return None
    worst = max(moved, key=lambda layer: (layer.mean_shift, abs(layer.std_ratio - 1)))
    evidence = {} if changed is None else {"changed_answers": changed}
    other = "" if changed is None else f", {changed:.0%} of the answers change"
    return found(
        f"With batch statistics, as in training, the output differs by "
        f"{gap.output_gap:.2f} standard deviations from that with moving statistics, "
        f"as in inference{other}, after {steps} steps. The statistics of layer "
        f"'{worst.name}' are off by {worst.mean_shift:.2f} standard deviations.",
        "keras_trainfix.recalibrate_batch_norm(model, x_train)  # after training\n"
        "keras_trainfix.freeze_batch_norm(model)  # or: before fine-tuning",
        output_gap=float(gap.output_gap),
        mean_shift=float(worst.mean_shift),
        std_ratio=float(worst.std_ratio),
        iterations=steps,
        **evidence,
    )


@check("KTF302", "training-false-ignored", severity="warning", per_output=False)
def training_false_ignored(probe):
    """`training=False` in a functional model does not keep batch statistics out of fit.

    ## What you see
    Fine-tuning a pretrained body makes it worse from the first epoch on, and inference
    gives other answers than training, though the body was called with
    `training=False`.

    ## Why it happens
    A functional model records `base(inputs, training=False)`, and in `fit` this
    version of Keras calls all its layers with `training=True` nevertheless. As long as
    the body has `trainable=False` its batch normalization uses the moving statistics
    anyway. Once it is unfrozen, the layers normalize by the batch, and their moving
    statistics drift away from the pretrained ones.

    ## How to check
    ```python
    import keras
    import numpy as np

    base = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(8), keras.layers.BatchNormalization()]
    )
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(1)(base(inputs, training=False)))
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x[:, :1]
    model.fit(x, y, verbose=0)
    print(base.layers[-1].moving_mean)  # was 0
    ```

    ## Fix
    Freeze the statistics of the layers themselves: then no mode can move them.

    ```python
    import keras
    import numpy as np

    import keras_trainfix as kt

    base = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(8), keras.layers.BatchNormalization()]
    )
    kt.freeze_batch_norm(base)
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(1)(base(inputs)))
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x[:, :1]
    ```

    ## When this is not the cause
    Bodies that are not trainable are safe. So are models that call the body in a `call`
    method of their own, where `training=False` holds, and versions of Keras that
    honour it: how this one behaves is measured.

    ## References
    - [Keras #20285](https://github.com/keras-team/keras/issues/20285)
    """
    called = _called_in_inference(probe.model)
    moving = [
        layer
        for layer in {
            id(inner): inner for o in called for inner in all_layers(o)
        }.values()
        if isinstance(layer, layers.BatchNormalization) and uses_batch_statistics(layer)
    ]
    if not moving or not _fit_ignores_inference_mode():
        return None
    names = [o.name for o in called if any(m in all_layers(o) for m in moving)]
    return found(
        f"'{names[0]}' is called with training=False, which `fit` ignores in a "
        f"functional model: {len(moving)} batch normalization layers in it will use, "
        "and move, the statistics of each batch.",
        f'base = model.get_layer("{names[0]}")\n'
        "keras_trainfix.freeze_batch_norm(base)  # before fine-tuning",
        batch_norm_layers=len(moving),
        calls=len(names),
        iterations=probe.iterations,
    )


def _called_in_inference(model):
    """The layers that functional models, however deep, call with `training=False`."""
    called = {}
    for part in all_layers(model):
        by_depth = getattr(part, "_nodes_by_depth", {})
        for node in (node for nodes in by_depth.values() for node in nodes):
            is_layer = isinstance(node.operation, keras.Layer)
            if is_layer and node.arguments.kwargs.get("training") is False:
                called[id(node.operation)] = node.operation
    return list(called.values())


@functools.cache
def _fit_ignores_inference_mode():
    """Whether this version of Keras overrides a recorded `training=False`."""
    inputs = keras.Input((1,), name="probe_inputs")
    outputs = layers.BatchNormalization(name="probe_norm")(inputs, training=False)
    tiny = keras.Model(inputs, outputs, name="probe")
    with no_gradient():  # moving statistics would leave 10 as it is, nearly
        answers = to_numpy(tiny(np.array([[0.0], [10.0]], "float32"), training=True))
    return bool(np.abs(answers).max() < 5)
