"""Checks of batch normalization: the statistics that training and inference use."""

import functools

import keras
import numpy as np
from keras import layers

from keras_trainfix.backend import no_gradient, to_numpy
from keras_trainfix.diagnosis.change import freeze_statistics
from keras_trainfix.diagnosis.registry import ONE_ANSWER, check, found
from keras_trainfix.models.batch_norm_layers import all_layers
from keras_trainfix.models.batch_statistics import uses_batch_statistics


@check(
    "KTF302",
    "training-false-ignored",
    "warning",
    scope="model",
    explains=ONE_ANSWER,
    repair=freeze_statistics,
)
def training_false_ignored(snapshot):
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
    called = _called_in_inference(snapshot.model)
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
        iterations=snapshot.iterations,
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
