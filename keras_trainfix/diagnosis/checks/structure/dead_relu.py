"""Checks of activations: units that are dead or saturated."""

import numpy as np

from keras_trainfix.diagnosis.observe.layers import is_relu, units_of
from keras_trainfix.diagnosis.observe.variation import (
    calls_by_layer,
    inputs_vary,
    varies,
)
from keras_trainfix.diagnosis.registry import ONE_ANSWER, check, found

LAYER_IS_DEAD = 0.999  # share of its units


UNITS_ARE_DEAD = 0.8


FEW_UNITS = 8  # of so few all may be 0 by chance, but for a whole layer


FEW_ROWS = 32  # samples and places


FEW_SAMPLES = 8


@check(
    "KTF403",
    "dead-relu",
    "error",
    scope="model",
    order=7,
    explains=ONE_ANSWER,
    irreversible=True,
    new_weights=True,
    rescue="slower",
)
def dead_relu(snapshot):
    """ReLU units are 0 for every sample; where a whole layer is, the signal ends.

    ## What you see
    All predictions are the same number, often the mean of the targets, and the loss
    stays where that constant puts it. It may depend on the seed.

    ## Why it happens
    One step that was too large made the biases so negative that no input lifts a unit
    above 0. There the slope of a ReLU is 0, no gradient comes back, and the unit stays
    so. A high learning rate, inputs that are not scaled and large initial weights lead
    there.

    ## How to check
    ```python
    import keras
    import numpy as np

    hidden = keras.layers.Dense(16, "relu")
    model = keras.Sequential([keras.Input((4,)), hidden, keras.layers.Dense(1)])
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x[:, :1]
    hidden.bias.assign(np.full(16, -50.0))  # as one step that is too large leaves it
    features = keras.ops.convert_to_numpy(hidden(x))
    print((features == 0).all(axis=0).mean())
    ```

    ## Fix
    Start afresh, with inputs of mean 0 and standard deviation 1 and a learning rate
    ten times smaller; `LeakyReLU` keeps a slope below 0.

    ```python
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(16, kernel_initializer="he_normal"),
            keras.layers.LeakyReLU(),
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-3, clipnorm=1.0), "mse")
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x[:, :1]
    ```

    ## When this is not the cause
    Some dead units are usual, and cost little. It is a warning from 80 % of a layer,
    or where a branch is dead and the others go on; an error where nothing passes.

    ## References
    [Lu et al., 2019](https://arxiv.org/abs/1903.06733)
    """
    samples = snapshot.samples
    if samples < FEW_SAMPLES or not inputs_vary(snapshot):
        return None
    shares = {}
    for layer, calls in calls_by_layer(snapshot.layers):
        if not is_relu(layer):
            continue
        units = [units_of(layer, values) for values in calls]
        if len({unit.shape[-1] for unit in units}) == 1:
            dead = np.all([(unit == 0).all(0) for unit in units], axis=0)
            shares[layer.name] = (float(dead.mean()), len(dead), len(units[0]))
    whole = [name for name, share in shares.items() if share[0] >= LAYER_IS_DEAD]
    many = [
        name
        for name, (share, units, rows) in shares.items()
        if share >= UNITS_ARE_DEAD and units >= FEW_UNITS and rows >= FEW_ROWS
    ]
    name = next(iter(whole + many), None)
    if name is None:
        return None
    share, count, _ = shares[name]
    is_end = name in whole and not any(map(varies, snapshot.predictions))
    what = (
        f"All {count} ReLU units of layer '{name}' are"
        if name in whole
        else f"{share:.0%} of the {count} ReLU units of layer '{name}' are"
    )
    end = ": no signal and no gradient gets past it" if is_end else ""
    died, steps = snapshot.died
    since = f" {died:.0%} of a layer died in the last {steps} steps." if died else ""
    return found(
        f"{what} 0 for all {samples} samples{end}.{since}",
        "x = (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-7)\n"
        "keras.layers.LeakyReLU()  # in place of the ReLU, and weights made anew\n"
        'model.compile(keras.optimizers.Adam(1e-4, clipnorm=1.0), "...")',
        severity="error" if is_end else "warning",
        dead_share=share,
        units=count,
        dead_layers=len(whole),
        layers=len(shares),
        died=died,
    )
