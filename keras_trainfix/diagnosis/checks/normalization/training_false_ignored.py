"""KTF302 training-false-ignored: `training=False` that `fit` does not respect."""

import functools

import keras
import numpy as np
from keras import layers

from keras_trainfix.backend import no_gradient, to_numpy
from keras_trainfix.diagnosis.change import freeze_statistics
from keras_trainfix.diagnosis.fix_code import layer_of
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.keras_internals import graph_nodes
from keras_trainfix.models.batch_norm_layers import all_layers
from keras_trainfix.models.batch_statistics import uses_batch_statistics


@check(
    "KTF302",
    "training-false-ignored",
    "warning",
    action="freeze batch normalization",
    scope="model",
    explains=ONE_ANSWER,
    repair=freeze_statistics,
)
def training_false_ignored(snapshot: Snapshot) -> Found | None:
    """`training=False` in a functional model does not stop batch statistics in `fit`.

    ## What you see
    Fine-tuning a pretrained body makes it worse from the first epoch on, and inference
    differs from training, although the body was called with `training=False`.

    ## Why it happens
    A functional model records `base(inputs, training=False)`, but in `fit` this version
    of Keras calls all its layers with `training=True`. As long as the body has
    `trainable=False`, its batch normalization uses the moving statistics anyway. Once
    it is unfrozen, the layers normalize by the batch, and their moving statistics drift
    away from the pretrained ones.

    ## How to check
    See whether `fit` moves the statistics.

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
    import keras_trainfix as kt

    kt.freeze_batch_norm(base)
    ```

    ## When this is not the cause
    A body that is not trainable is safe. So is a model that calls the body in its own
    `call` method, where `training=False` holds, and a version of Keras that respects
    it: the check measures how this one behaves.

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
        f"functional model: its {len(moving)} batch normalization layers will use the "
        "statistics of each batch, and move their own.",
        "import keras_trainfix as kt\n"
        f"kt.freeze_batch_norm({layer_of(snapshot.model, names[0]) or 'model'})"
        "  # before fine-tuning",
        batch_norm_layers=len(moving),
        calls=len(names),
        iterations=snapshot.iterations,
    )


def _called_in_inference(model):
    """The layers that functional models, at any depth, call with `training=False`."""
    called = {}
    for part in all_layers(model):
        for node in graph_nodes(part):
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
