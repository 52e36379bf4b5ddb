"""KTF307 batch-norm-of-one-value: each batch holds one value per channel."""

import numpy as np

from keras_trainfix.diagnosis.change import freeze_statistics
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.models.batch_norm_layers import batch_norm_layers
from keras_trainfix.models.batch_statistics import uses_batch_statistics


@check(
    "KTF307",
    "batch-norm-of-one-value",
    "error",
    action="use batches of more than one sample",
    scope="model",
    exact=True,
    explains=ONE_ANSWER,
    repair=freeze_statistics,
)
def batch_norm_of_one_value(snapshot: Snapshot) -> Found | None:
    """Batch normalization of batches of one sample answers the same for all of them.

    ## What you see
    With `batch_size=1` training stands still from the first step on. Inference gives
    other values than training.

    ## Why it happens
    In training, the mean of one value is the value itself, and what is left after
    subtracting it is 0: the layer answers `beta`, whatever its input. Behind a `Dense`
    layer each sample is one value per channel; behind a convolution it is one for each
    position.

    ## How to check
    ```python
    import keras
    import numpy as np

    table = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")

    class OneByOne(keras.utils.PyDataset):
        def __len__(self):
            return len(table)

        def __getitem__(self, i):
            return table[i : i + 1], table[i : i + 1, :1]

    keras.utils.set_random_seed(1)
    x, y = OneByOne(), None  # or `batch_size=1`
    model = keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(8),
        keras.layers.BatchNormalization(),
        keras.layers.Dense(1),
    ])
    model.compile("adam", "mse")
    answers = [model(x[i][0], training=True) for i in range(4)]
    print([keras.ops.convert_to_numpy(answer) for answer in answers])
    ```

    ## Fix
    Take larger batches, or layer normalization, which does not look at other samples.

    ```python
    x, y = table, table[:, :1]
    model.fit(x, y, batch_size=32, verbose=0)
    ```

    ## When this is not the cause
    A layer that is frozen normalizes by its moving statistics. Small batches of two or
    more samples are noisy, and not constant: see KTF301.

    ## References
    - [Ioffe and Szegedy, 2015](https://arxiv.org/abs/1502.03167), algorithm 1
    - [Wu and He, 2018](https://arxiv.org/abs/1803.08494)
    """
    size = snapshot.batch_size
    if size != 1:
        return None
    norms = {
        id(layer): layer
        for layer in batch_norm_layers(snapshot.model)
        if uses_batch_statistics(layer)
    }
    alone = [
        layer.name
        for layer, values in snapshot.layers
        if id(layer) in norms and _positions(values.shape, layer.axis) == 1
    ]
    if not alone:
        return None
    return found(
        f"Batches of one sample give '{alone[0]}' one value per channel. In training "
        "it subtracts that value from itself, and answers the same for every sample.",
        "import keras_trainfix as kt\n"
        "kt.freeze_batch_norm(model)  # or larger batches, or LayerNormalization",
        batch_size=size,
        layers=alone[:20],
    )


def _positions(shape, axis):
    """How many values per channel a sample has."""
    channels = shape[axis if isinstance(axis, int) else axis[0]]
    return int(np.prod(shape[1:])) // max(channels, 1)
