"""KTF403 dead-relu: ReLU units that are 0 for every sample."""

import numpy as np

from keras_trainfix.diagnosis.fix_code import recompiled, with_new_weights
from keras_trainfix.diagnosis.measure.learned import has_learned
from keras_trainfix.diagnosis.observe.layers import FEW_ROWS, is_relu, units_of
from keras_trainfix.diagnosis.observe.variation import (
    calls_by_layer,
    inputs_vary,
    varies,
)
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.models.optimizers import rate_of

LAYER_IS_DEAD = 0.999  # share of its units
UNITS_ARE_DEAD = 0.8
FEW_UNITS = 8  # fewer may all be 0 by chance, unless they are the whole layer
FEW_SAMPLES = 8


@check(
    "KTF403",
    "dead-relu",
    "error",
    action="start from new weights with smaller steps",
    scope="model",
    order=7,
    explains=ONE_ANSWER,
    irreversible=True,
    new_weights=True,
    rate="lower",
)
def dead_relu(snapshot: Snapshot) -> Found | None:
    """ReLU units are 0 for every sample; if a whole layer is, no signal gets past it.

    ## What you see
    All predictions are the same number, often the mean of the targets, and the loss
    stays at the value of that constant. It may depend on the seed.

    ## Why it happens
    One step that was too large made the biases so negative that no input lifts a unit
    above 0. There the slope of a ReLU is 0, so no gradient reaches the unit, and it
    stays dead. A high learning rate, unscaled inputs and large initial weights all lead
    there.

    ## How to check
    Count the units that are 0 for all samples.

    ```python
    import keras
    import numpy as np

    hidden = keras.layers.Dense(16, "relu")
    model = keras.Sequential([keras.Input((4,)), hidden, keras.layers.Dense(1)])
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x[:, :1]
    hidden.bias.assign(np.full(16, -50.0))  # the effect of one step that is too large
    features = keras.ops.convert_to_numpy(hidden(x))
    print((features == 0).all(axis=0).mean())
    ```

    ## Fix
    Start from new weights, with inputs of mean 0 and standard deviation 1 and a
    learning rate ten times smaller. `LeakyReLU` keeps a slope below 0.

    ```python
    model = keras.models.clone_model(model)
    model.compile(keras.optimizers.Adam(1e-4, clipnorm=1.0), "mse")
    ```

    ## When this is not the cause
    Some dead units are normal and cost little. It is a warning from 80 % of a layer, or
    if one branch is dead and others are alive; an error if nothing gets past; and a
    note once the model has learned its task.

    ## References
    [Lu et al., 2019](https://arxiv.org/abs/1903.06733)
    """
    samples = snapshot.samples
    if not inputs_vary(snapshot):
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
    if samples < FEW_SAMPLES and not is_end:
        return None  # by chance
    what = (
        f"All {count} ReLU units of layer '{name}' are"
        if name in whole
        else f"{share:.0%} of the {count} ReLU units of layer '{name}' are"
    )
    end = ": no signal and no gradient gets past it" if is_end else ""
    severity = "note" if has_learned(snapshot) else "warning"
    severity = "error" if is_end else severity
    died, steps = snapshot.died
    since = f" {died:.0%} of a layer died in the last {steps} steps." if died else ""
    return found(
        f"{what} 0 for all {samples} samples{end}.{since}",
        _fix(snapshot.model, name),
        severity=severity,
        dead_share=share,
        units=count,
        dead_layers=len(whole),
        layers=len(shares),
        died=died,
    )


def _fix(model, name):
    optimizer = getattr(model, "optimizer", None)
    rate = None if optimizer is None else rate_of(optimizer) / 10
    restarted = recompiled(
        model, with_new_weights(model), rate=rate, settings="clipnorm=1.0"
    )
    return (
        "x = (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-7)\n"
        f"{restarted}\n"
        f"# or keras.layers.LeakyReLU() instead of the ReLU of '{name}'"
    )
