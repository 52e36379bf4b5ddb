"""KTF428 answer-depends-on-batch: other samples change the answer to a sample."""

import keras

from keras_trainfix.diagnosis.experiments.instruments.other_samples import (
    HALF,
    other_samples,
)
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.thresholds import MOST_BY_OTHERS


@check(
    "KTF428",
    "answer-depends-on-batch",
    "error",
    action="remove what mixes the samples of a batch",
    scope="model",
    exact=True,
    overrules=("KTF205",),  # a softmax over the batch leaves the scores of a sample
)
def answer_depends_on_batch(snapshot: Snapshot) -> Found | None:
    """The answer to a sample depends on the other samples of its batch.

    ## What you see
    The model learns badly, or its predictions for the same sample change with the batch
    size and with the order of the samples.

    ## Why it happens
    Axis 0 is the batch. A softmax, mean or normalization over axis 0, or a reshape or
    transpose that moves it, mixes the samples.

    ## How to check
    Predict a sample in two batches, with other samples beside it.

    ```python
    import keras, numpy as np

    x = np.random.default_rng(0).normal(size=(64, 6)).astype("float32")
    y = (x[:, 0] > 0).astype("int32")
    model = keras.Sequential([
        keras.Input((6,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(2),
        keras.layers.Softmax(axis=0),
    ])
    model.compile("adam", "sparse_categorical_crossentropy")
    print(model.predict(x[:4])[0], model.predict(x[:8])[0])
    ```

    ## Fix
    Name an axis of the sample, such as the last one, and keep axis 0 first in every
    reshape.

    ```python
    model.layers[-1].axis = -1
    ```

    ## When this is not the cause
    It is a warning if the layer is a `BatchNormalization` that was called with
    `training=True`. Answers about all pairs of a batch, as in contrastive learning, and
    answers with a random part are not examined.

    ## References
    [keras.layers.Softmax](https://keras.io/api/layers/activation_layers/softmax/).
    """
    for seen in other_samples(snapshot) or ():
        if seen.moved <= MOST_BY_OTHERS:
            continue
        where = "" if seen.layer is None else f" from '{seen.layer.name}' on"
        is_norm = isinstance(seen.layer, keras.layers.BatchNormalization)
        return found(
            f"The answers depend on the other samples of the batch{where}: exchanging "
            f"the other {HALF} of {2 * HALF} moves them {seen.moved:.2g} times as far "
            "as two samples are apart.",
            _fix(seen.layer),
            "warning" if is_norm else None,
            output=seen.output,
            moved=seen.moved,
            layer=None if seen.layer is None else seen.layer.name,
        )
    return None


def _fix(layer: keras.Layer | None) -> str:
    if layer is None:
        return "# softmax, mean, normalization and reshape must leave axis 0 alone"
    if isinstance(layer, keras.layers.BatchNormalization):
        return f"# call '{layer.name}' without training=True"
    if isinstance(layer, keras.layers.Softmax):
        return f"# build '{layer.name}' with axis=-1: axis 0 is the batch"
    return f"# '{layer.name}' must leave axis 0, which is the batch, alone"
