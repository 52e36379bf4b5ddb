"""KTF409: NaN or infinity in weights, activations or the loss."""

import keras
import numpy as np

from keras_trainfix.backend import to_numpy
from keras_trainfix.diagnosis.fix_code import recompiled, with_new_weights
from keras_trainfix.diagnosis.observe.dropout import late_dropout
from keras_trainfix.diagnosis.observe.refusal import refused_by_own_loss
from keras_trainfix.diagnosis.observe.variation import is_finite
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.keras_internals import child_layers
from keras_trainfix.models.batch_norm_layers import all_layers
from keras_trainfix.models.optimizers import rate_of


@check(
    "KTF409",
    "not-finite",
    "error",
    action="start from new weights with smaller steps",
    scope="model",
    order=9,
    collapse=True,
    irreversible=True,
    new_weights=True,
    rate="lower",
)
def not_finite(snapshot: Snapshot) -> Found | None:
    """Weights or activations are NaN or infinite, although the inputs are finite.

    ## What you see
    The loss is `nan`, often after some good steps, and stays so. Predictions are NaN,
    or one class for every sample.

    ## Why it happens
    A step was so large that numbers overflowed: the learning rate is too high, inputs
    or targets are not scaled, or float16 is used without loss scaling. Or a layer or a
    loss divides by 0, or takes a logarithm or root of 0. A single NaN reaches all
    weights in the next step.

    ## How to check
    ```python
    import keras
    import numpy as np

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(1e30), "mse")
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x[:, :1]
    model.fit(x, y, epochs=4, batch_size=16, verbose=0)
    print([np.isfinite(weight).all() for weight in model.get_weights()])
    ```

    ## Fix
    Weights that are NaN cannot be repaired. Create the model again, with a smaller
    learning rate and clipped gradients. `keras.callbacks.TerminateOnNaN` stops in time.

    ```python
    model = keras.models.clone_model(model)
    model.compile(keras.optimizers.SGD(1e-2, clipnorm=1.0), "mse")
    model.fit(x, y, epochs=4, batch_size=16, verbose=0)
    ```

    ## When this is not the cause
    NaN in the inputs or targets also leads to NaN, and has its own finding. Infinities
    that a later layer removes, as in a mask before a softmax, are not reported.

    ## References
    [TerminateOnNaN](https://keras.io/api/callbacks/terminate_on_nan/)
    """
    if not all(is_finite(values) for values in snapshot.inputs.values()):
        return None
    weights = {}
    for layer in all_layers(snapshot.model):
        # `weights` of a layer without layers in it are its own
        bad = (
            []
            if child_layers(layer)
            else [w for w in layer.weights if not _of_numbers(w)]
        )
        if bad:
            weights[layer.name] = len(bad)
    answers_bad = not all(map(is_finite, snapshot.predictions))
    activations = [
        output.layer.name
        for output in snapshot.layers
        if np.isnan(output.values).any() or (answers_bad and not output.is_finite)
    ]
    if not weights and not activations and not answers_bad:
        return _loss_not_finite(snapshot)
    in_order = [output.layer.name for output in snapshot.layers]
    bad_layers = {*weights, *activations}
    ordered = [name for name in in_order if name in bad_layers]
    first = next(iter([*ordered, *weights]), None)
    where = f"layer '{first}'" if first else "the output"
    kind = "weights" if first in weights else "activations"
    bad = [values.size - np.isfinite(values).sum() for values in snapshot.predictions]
    share = sum(bad) / max(1, sum(values.size for values in snapshot.predictions))
    return found(
        f"The {kind} of {where} are the first that hold NaN or Inf ({len(weights)} "
        f"layers have such weights; {share:.0%} of the predictions are not finite), "
        "although the inputs are finite.",
        _made_again(snapshot.model),
        layers_with_bad_weights=len(weights),
        layers_with_bad_activations=len(set(activations)),
        bad_prediction_share=float(share),
    )


def _loss_not_finite(snapshot):
    """What is found where only the loss is not finite."""
    trial, targets = snapshot.trial, snapshot.targets
    if trial is None or np.isfinite(trial.start):
        return None
    if not all(y is None or y.dtype.kind not in "f" or is_finite(y) for y in targets):
        return None
    # If dropout removes all predictions of a row, there is no sum: that is KTF411.
    if any(map(late_dropout, snapshot.views())):
        return None
    for view in snapshot.views():
        if error := refused_by_own_loss(view):
            return found(
                f"The loss is {trial.start}: {view.loss.name} calls a loss of "
                f"keras_trainfix that cannot read the labels. {error}",
                "print(y.shape, y.dtype, np.unique(y))  # what the loss gets",
                loss=trial.start,
            )
    return found(
        f"The loss is {trial.start}, although inputs, targets and predictions are all "
        "finite: it divides by 0, or takes a logarithm or root of 0 or less.",
        "# in the loss:\n# keras.ops.log(keras.ops.maximum(p, keras.config.epsilon()))",
        loss=trial.start,
    )


def _made_again(model):
    """Code for new weights, since NaN stays NaN, and for shorter steps."""
    optimizer = getattr(model, "optimizer", None)
    rate = rate_of(optimizer) if optimizer is not None else np.nan
    lower = min(1e-3, rate / 10) if np.isfinite(rate) else 1e-4
    again = with_new_weights(model)
    compiled = recompiled(model, again, rate=lower, settings="clipnorm=1.0")
    return f"{compiled}\ncallbacks = [keras.callbacks.TerminateOnNaN()]  # for `fit`"


def _of_numbers(weight):
    """Whether all numbers of a weight are finite."""
    if not keras.backend.is_float_dtype(keras.backend.standardize_dtype(weight.dtype)):
        return True
    return bool(np.isfinite(to_numpy(weight).astype("float32")).all())
