"""Checks of what the layers give and hold: dead, saturated, frozen, broken."""

import warnings

import keras
import numpy as np
from keras import layers

from keras_trainfix.backend import to_numpy
from keras_trainfix.diagnosis.activity import unchanged
from keras_trainfix.diagnosis.head import activation_of
from keras_trainfix.diagnosis.registry import check, found
from keras_trainfix.models.batch_norm_layers import all_layers, plain_only
from keras_trainfix.models.batch_statistics import uses_batch_statistics
from keras_trainfix.models.gap import batch_norm_gap

LAYER_IS_DEAD = 0.999  # share of its units
UNITS_ARE_DEAD = 0.8
FEW_UNITS = 8  # of so few all may be 0 by chance, but for a whole layer
FEW_ROWS = 32  # samples and places
EARLY = 20  # steps before which averages of a momentum of .99 must lag
FEW_SAMPLES = 8
SATURATED = 0.9  # share of the outputs
NEAR_BOUND = 0.01
OUTPUT_GAP = 0.5  # standard deviations
ANSWERS_CHANGE = 0.1  # share of them
SHIFT = 0.3  # of the statistics of a layer, standard deviations
CELLS = (layers.SimpleRNNCell, layers.GRUCell, layers.LSTMCell)  # a call a time step
DENSE_OR_CONV = (
    layers.Dense,
    layers.Conv1D,
    layers.Conv2D,
    layers.Conv3D,
    layers.Conv1DTranspose,
    layers.Conv2DTranspose,
    layers.Conv3DTranspose,
)
TRANSPOSED = DENSE_OR_CONV[4:]


@check("KTF303", "nothing-trainable", severity="error", per_output=False)
def nothing_trainable(probe):
    """No weight that could learn is trainable, so that no step changes the answers.

    ## What you see
    The loss of every epoch is the same number, up to the order of the batches.
    `model.summary()` says `Trainable params: 0`; or all that is trainable is a head
    behind a frozen body that gives the same features for every sample.

    ## Why it happens
    `model.trainable = False` was meant for the body, and set on the whole; or the body
    was frozen before it had learned anything: its features say nothing, and a head can
    learn no more from them than one constant.

    ## How to check
    ```python
    import keras
    import numpy as np

    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1)]
    )
    model.trainable = False
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x[:, :1]
    print(len(model.trainable_weights))
    ```

    ## Fix
    Freeze the body alone, and compile afterwards.

    ```python
    import keras
    import numpy as np

    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1)]
    )
    model.layers[0].trainable = False
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x[:, :1]
    ```

    ## When this is not the cause
    A model that only predicts needs nothing trainable. A frozen body whose features
    differ between samples is usual in transfer learning, and no finding.

    ## References
    [Transfer learning and fine-tuning](https://keras.io/guides/transfer_learning/)
    """
    model = probe.model
    if not model.weights:
        return None
    trainable = _numbers(model.trainable_weights)
    if not trainable:
        return found(
            f"None of the {_numbers(model.weights)} weights of the model is trainable: "
            "training changes nothing.",
            "model.trainable = True  # then False for single layers, if they shall stay"
            "\nmodel.compile(...)    # again, after each change of `trainable`",
            trainable=0,
            weights=_numbers(model.weights),
        )
    outputs = probe.layers
    learns = [i for i, output in enumerate(outputs) if output.layer.trainable_weights]
    first = learns[0] if learns else 0
    if not _is_learned_body(outputs[:first]) or not _inputs_vary(probe):
        return None
    after = [outputs[first - 1].values, *(output.values for output in outputs[first:])]
    if any(map(_varies, [*after, *probe.look.predictions])):
        return None
    body = outputs[first - 1].layer.name
    return found(
        f"Only {trainable} weights are trainable, from layer "
        f"'{outputs[first].layer.name}' on, and the frozen layers before it, up to "
        f"'{body}', give the same features for all {len(probe.predictions)} samples.",
        "for layer in model.layers:  # train the body, or load trained weights\n"
        "    layer.trainable = True\nmodel.compile(...)",
        trainable=trainable,
        weights=_numbers(model.weights),
    )


@check("KTF403", "dead-relu", severity="error", per_output=False)
def dead_relu(probe):
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
    samples = len(probe.predictions)
    if samples < FEW_SAMPLES or not _inputs_vary(probe):
        return None
    shares = {}
    for layer, calls in _calls(probe.layers):
        if not _is_relu(layer):
            continue
        units = [_units(layer, values) for values in calls]
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
    is_end = name in whole and not any(map(_varies, probe.look.predictions))
    what = (
        f"All {count} ReLU units of layer '{name}' are"
        if name in whole
        else f"{share:.0%} of the {count} ReLU units of layer '{name}' are"
    )
    end = ": no signal and no gradient gets past it" if is_end else ""
    return found(
        f"{what} 0 for all {samples} samples{end}.",
        "x = (x - x.mean(axis=0)) / x.std(axis=0)\n"
        "keras.layers.LeakyReLU()  # in place of the ReLU, and weights made anew\n"
        'model.compile(keras.optimizers.Adam(1e-4, clipnorm=1.0), "...")',
        severity="error" if is_end else "warning",
        dead_share=share,
        units=count,
        dead_layers=len(whole),
        layers=len(shares),
    )


@check("KTF404", "saturated-units", severity="warning", per_output=False)
def saturated_units(probe):
    """Nearly all outputs of a sigmoid or tanh layer are at a bound, where it is flat.

    ## What you see
    The loss falls very slowly or not at all, and the layers before the saturated one
    hardly change.

    ## Why it happens
    Inputs or weights are so large that the activation is within 0.01 of its bound
    almost everywhere. Its slope there is below 0.02, and 0 further out: that is what
    the gradients of all layers before it are multiplied with.

    ## How to check
    ```python
    import keras
    import numpy as np

    hidden = keras.layers.Dense(16, "tanh")
    model = keras.Sequential([keras.Input((4,)), hidden, keras.layers.Dense(1)])
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(1e4, 1e3, size=(64, 4)).astype("float32")
    y = x[:, :1] / 1e4
    features = keras.ops.convert_to_numpy(hidden(x))
    print((np.abs(features) > 0.99).mean())
    ```

    ## Fix
    Scale the inputs; between layers, `BatchNormalization` or `LayerNormalization`
    does it.

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(0).normal(1e4, 1e3, size=(64, 4)).astype("float32")
    y = x[:, :1] / 1e4
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(16, "tanh"), keras.layers.Dense(1)]
    )
    model.compile("adam", "mse")
    ```

    ## When this is not the cause
    A gate that has learned to be open or closed is at its bounds on purpose. The head
    is left out: a sure classifier is near 0 and 1.

    ## References
    [Glorot and Bengio, 2010](https://proceedings.mlr.press/v9/glorot10a.html)
    """
    if not probe.layers or not _inputs_vary(probe):
        return None
    heads = _heads(probe)
    for layer, calls in _calls(probe.layers):
        low = {"sigmoid": 0, "tanh": -1}.get(activation_of(layer))
        is_head = any(_is_output(probe, values) for values in calls)
        if low is None or is_head or layer.name in heads or isinstance(layer, CELLS):
            continue
        values = np.concatenate([call.ravel() for call in calls])
        share = (values < low + NEAR_BOUND) | (values > 1 - NEAR_BOUND)
        if values.size >= FEW_ROWS and share.mean() > SATURATED:
            return found(
                f"{share.mean():.0%} of the outputs of the {activation_of(layer)} "
                f"layer '{layer.name}' are within {NEAR_BOUND} of a bound, where its "
                "slope is nearly 0.",
                "x = (x - x.mean(axis=0)) / x.std(axis=0)\n"
                f"# or a LayerNormalization() before '{layer.name}', or a relu in its "
                "place",
                saturated_share=float(share.mean()),
                outputs=int(values.size),
            )
    return None


@check("KTF407", "bad-initialisation", severity="error", per_output=False)
def bad_initialisation(probe):
    """The units of a hidden layer are copies of each other, or their kernel is zero.

    ## What you see
    The net learns no more than one unit a layer could, or nothing at all: predictions
    are the same for every sample.

    ## Why it happens
    Units that start with the same weights get the same gradient as long as the next
    layer treats them alike, and stay copies for ever. A kernel of zeros gives the
    same output for every sample, and a ReLU after it lets no gradient back. Constant
    initialisers ("zeros", "ones") of a kernel are the usual reason.

    ## How to check
    ```python
    import keras
    import numpy as np

    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(8, "relu", kernel_initializer="zeros"),
            keras.layers.Dense(1, kernel_initializer="zeros"),
        ]
    )
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x[:, :1]
    print(np.unique(model.layers[0].get_weights()[0], axis=1).shape[1], "of 8")
    ```

    ## Fix
    Leave the initialiser at its default, or use "he_normal" before a ReLU.

    ```python
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(8, "relu", kernel_initializer="he_normal"),
            keras.layers.Dense(1),
        ]
    )
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x[:, :1]
    ```

    ## When this is not the cause
    A head of zeros is a fair start: its units get different gradients. So is the last
    layer of a residual branch; neither is reported. Where copies meet a next layer
    that treats them differently they part in training: a warning.

    ## References
    [Glorot and Bengio, 2010](https://proceedings.mlr.press/v9/glorot10a.html)
    """
    heads = _heads(probe)
    outputs = probe.layers
    for index, output in enumerate(outputs):
        layer = output.layer
        if not isinstance(layer, DENSE_OR_CONV) or not layer.trainable_weights:
            continue
        if layer.name in heads or _is_output(probe, output.values):
            continue
        kernel = _columns(layer)
        copies = _copies(layer, kernel)
        is_zero = not kernel.any()
        if is_zero and _signal_goes_on(probe, index):
            continue
        if not is_zero and not copies:
            continue
        units = kernel.shape[1]
        is_stuck = is_zero or _treated_alike(outputs[index + 1 :], units)
        what = (
            "is zero throughout" if is_zero else f"has {copies} columns that are copies"
        )
        return found(
            f"The kernel of the hidden layer '{layer.name}' of {units} units {what}: "
            + ("it cannot learn from there." if is_stuck else "they learn the same."),
            "# the default is a fair start for all layers\n"
            f'{type(layer).__name__}(..., kernel_initializer="glorot_uniform")',
            severity="error" if is_stuck else "warning",
            units=units,
            copies=copies,
            largest_weight=float(np.abs(kernel).max(initial=0)),
        )
    return None


@check("KTF409", "not-finite", severity="error", per_output=False)
def not_finite(probe):
    """Weights or activations are NaN or infinite, although the inputs are finite.

    ## What you see
    The loss is `nan`, often after some good steps, and stays so. Predictions are NaN,
    or one class for every sample.

    ## Why it happens
    A step was so large that numbers overflowed: a learning rate that is too high,
    inputs or targets that are not scaled, float16 without loss scaling. Or a layer or a
    loss divides by 0, or takes a logarithm or root of 0. A single NaN reaches all
    weights with the next step.

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
    Weights that are NaN cannot be repaired: make the model anew, with a smaller
    learning rate and clipped gradients. `keras.callbacks.TerminateOnNaN` stops in time.

    ```python
    import keras
    import numpy as np

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(1e-2, clipnorm=1.0), "mse")
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x[:, :1]
    model.fit(x, y, epochs=4, batch_size=16, verbose=0)
    ```

    ## When this is not the cause
    NaN in the inputs or targets comes out as NaN as well, and is a finding of its own.
    Infinities that a later layer removes, as a mask before a softmax, are none.

    ## References
    [TerminateOnNaN](https://keras.io/api/callbacks/terminate_on_nan/)
    """
    if not all(_is_finite(values) for values in probe.inputs.values()):
        return None
    weights = {}
    for layer in all_layers(probe.model):
        # `weights` of a layer without layers in it are its own
        bad = [] if layer._layers else [w for w in layer.weights if not _of_numbers(w)]
        if bad:
            weights[layer.name] = len(bad)
    answers_bad = not all(map(_is_finite, probe.look.predictions))
    activations = [
        output.layer.name
        for output in probe.layers
        if np.isnan(output.values).any() or (answers_bad and not output.is_finite)
    ]
    if not weights and not activations and not answers_bad:
        return None
    in_order = [output.layer.name for output in probe.layers]
    bad_layers = {*weights, *activations}
    ordered = [name for name in in_order if name in bad_layers]
    first = next(iter([*ordered, *weights]), None)
    where = f"layer '{first}'" if first else "the output"
    kind = "weights" if first in weights else "activations"
    bad = [values.size - np.isfinite(values).sum() for values in probe.look.predictions]
    share = sum(bad) / max(1, sum(values.size for values in probe.look.predictions))
    return found(
        f"The {kind} of {where} are the first that hold NaN or Inf ({len(weights)} "
        f"layers have such weights; {share:.0%} of the predictions are not finite), "
        "although the inputs are finite.",
        "# make the model anew: weights that are NaN stay so\n"
        'model.compile(keras.optimizers.Adam(1e-4, clipnorm=1.0), "...")\n'
        "model.fit(..., callbacks=[keras.callbacks.TerminateOnNaN()])",
        layers_with_bad_weights=len(weights),
        layers_with_bad_activations=len(set(activations)),
        bad_prediction_share=float(share),
    )


@check("KTF411", "bottleneck-discards-answer", severity="warning", per_output=False)
def bottleneck_discards_answer(probe):
    """All that the head sees has passed one ReLU unit, or dropout takes its answers.

    ## What you see
    Training ends at a poor loss, or, with some seeds, at one constant. With dropout
    last, the training loss is far above the validation loss and does not fall.

    ## Why it happens
    One ReLU unit passes a single number, and of about half of the samples only a 0. If
    it dies, nothing passes. Dropout behind the layer with the answers sets a share of
    the answers themselves to 0, and scales up the others.

    ## How to check
    ```python
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(16, "relu"),
            keras.layers.Dense(1, "relu"),
            keras.layers.Dense(3, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = np.digitize(x[:, 0], [-0.5, 0.5])
    ```

    ## Fix
    Give the hidden layer more units; put dropout before the last layer with weights.

    ```python
    import keras
    import numpy as np

    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(16, "relu"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(3, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = np.digitize(x[:, 0], [-0.5, 0.5])
    ```

    ## When this is not the cause
    Where the signal also goes another way, as around a gate of one unit, there is no
    bottleneck, and no finding. One linear unit, as in an autoencoder, keeps what it is
    given.

    ## References
    [Lu et al., 2019](https://arxiv.org/abs/1903.06733)
    """
    outputs = probe.layers
    for other in probe.look.probes():
        late = _late_dropout(outputs, other)
        if late is not None and other.loss.kind != "none":  # no mere features
            return found(
                f"The dropout layer '{late.name}' (rate {late.rate:g}) comes after "
                f"'{other.head.layer}', the layer with the answers: in training it "
                "sets that share of the answers to 0.",
                f"# {late.name} before '{other.head.layer}', not after it",
                rate=float(late.rate),
            )
    heads = _heads(probe)
    kernels = [i for i, o in enumerate(outputs) if isinstance(o.layer, DENSE_OR_CONV)]
    for index, output in enumerate(outputs):
        if not _is_relu(output.layer) or _is_output(probe, output.values):
            continue
        before = [i for i in kernels if i <= index]
        layer = outputs[before[-1]].layer if before else output.layer
        is_hidden = bool(before) and layer.name not in heads
        if not is_hidden or _units(layer, output.values).shape[1] != 1:
            continue
        if _columns(layer).shape[1] != 1 or not _all_passes(probe, index):
            continue
        zeros = float((output.values == 0).mean())
        return found(
            f"The hidden layer '{layer.name}' has one unit, and a ReLU: all that comes "
            f"after sees a single number, which is 0 in {zeros:.0%} of the cases.",
            f'{type(layer).__name__}(32, ..., activation="relu")  # more units in '
            f"'{layer.name}'",
            units=1,
            zero_share=zeros,
        )
    return None


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
        finite = all(map(_is_finite, [*probe.inputs.values(), *probe.look.predictions]))
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


def _numbers(weights):
    return int(sum(np.prod(weight.shape) for weight in weights))


def _is_learned_body(outputs):
    """Whether frozen layers that could have learned are among the outputs."""
    return any(isinstance(output.layer, DENSE_OR_CONV) for output in outputs)


def _inputs_vary(probe):
    return any(_varies(values) for values in probe.inputs.values())


def _varies(values):
    """Whether values differ between samples by more than rounding."""
    if values.dtype.kind not in "biuf":
        return len(set(values.ravel().tolist())) > 1
    if values.ndim == 0 or len(values) < 2:
        return False
    values = values.astype("float64")
    if not np.isfinite(values).all():
        return True
    spread = np.ptp(values, axis=0).max(initial=0)
    return bool(spread > 1e-5 * np.abs(values).max(initial=0))


def _calls(outputs):
    """Pairs of each layer and the list of what its calls gave, in order."""
    calls: dict[int, tuple] = {}
    for layer, values in outputs:
        if values.ndim:
            calls.setdefault(id(layer), (layer, []))[1].append(values)
    return list(calls.values())


def _is_relu(layer):
    if isinstance(layer, CELLS) or activation_of(layer) not in ("relu", "relu6"):
        return False
    slope = getattr(layer, "negative_slope", 0)
    return not (slope and np.any(slope))


def _units(layer, values):
    """Values as `(samples and places, units)`."""
    if getattr(layer, "data_format", None) == "channels_first" and values.ndim > 2:
        values = np.moveaxis(values, 1, -1)
    return values.reshape(-1, values.shape[-1])


def _heads(probe):
    """Names of the layers that give the answers: the last with weights among them."""
    names = {other.head.layer for other in probe.look.probes()}
    weighted = [output.layer.name for output in probe.layers if output.layer.weights]
    return names | set(weighted[-1:])


def _is_output(probe, values):
    """Whether values are those of an output."""
    return any(
        values.size
        and prediction.size >= values.size
        and np.array_equal(values.ravel(), prediction.ravel()[: values.size], True)
        for prediction in probe.look.predictions
    )


def _columns(layer):
    """The kernel as `(inputs, units)`."""
    kernel = to_numpy(layer.kernel).astype("float64")
    if isinstance(layer, TRANSPOSED):
        kernel = np.moveaxis(kernel, -2, -1)
    return kernel.reshape(-1, kernel.shape[-1])


def _copies(layer, kernel):
    """How many columns repeat another one; 0 unless they are most of a layer."""
    units = kernel.shape[1]
    bias = getattr(layer, "bias", None)
    rows = kernel if bias is None else np.vstack([kernel, to_numpy(bias)])
    if units < 2 or not np.isfinite(rows).all():
        return 0
    different = len(np.unique(rows.T, axis=0))
    if different == 1:
        return units
    pruned = int((kernel == 0).all(0).sum())  # zeros among other columns
    copies = units - different - max(0, pruned - 1)
    return copies if copies >= units / 2 else 0


def _signal_goes_on(probe, index):
    """Whether something behind a layer still differs between samples."""
    heads = _heads(probe)
    after = [
        output.values
        for output in probe.layers[index + 1 :]
        if output.layer.name not in heads
    ]
    return any(map(_varies, [*after, *probe.look.predictions]))


def _treated_alike(after, units):
    """Whether the next layer with a kernel has the same weights for all units."""
    for output in after:
        if not isinstance(output.layer, DENSE_OR_CONV):
            continue
        kernel = to_numpy(output.layer.kernel).astype("float64")
        if isinstance(output.layer, TRANSPOSED):
            kernel = np.moveaxis(kernel, -2, -1)
        if kernel.shape[-2] != units:
            return False
        return bool((kernel == kernel[..., :1, :]).all())
    return False


def _is_finite(values):
    return values.dtype.kind != "f" or bool(np.isfinite(values).all())


def _of_numbers(weight):
    """Whether all numbers of a weight are finite."""
    if not keras.backend.is_float_dtype(keras.backend.standardize_dtype(weight.dtype)):
        return True
    return bool(np.isfinite(to_numpy(weight).astype("float32")).all())


def _late_dropout(outputs, probe):
    """The dropout between the layer with the answers of an output and its end."""
    end = max(
        (i for i, output in enumerate(outputs) if _same(output.values, probe)),
        default=None,
    )
    if end is None or probe.head.layer is None:
        return None
    for index in range(end, -1, -1):
        layer, values = outputs[index]
        if layer.name == probe.head.layer:
            return None
        same_size = values.shape[1:] == probe.predictions.shape[1:]
        if isinstance(layer, layers.Dropout) and layer.rate > 0 and same_size:
            return layer
    return None


def _same(values, probe):
    part = probe.predictions.ravel()[: values.size]
    return values.size > 0 and np.array_equal(values.ravel(), part, True)


def _all_passes(probe, index):
    """Whether the answers follow from one output alone, as far as samples tell.

    Samples for which it is 0 throughout must have the same answers.
    """
    values = probe.layers[index].values
    answers = [prediction[: len(values)] for prediction in probe.look.predictions]
    blocked = (values.reshape(len(values), -1) == 0).all(1)
    if blocked.sum() >= 2:
        return not any(_varies(answer[blocked]) for answer in answers)
    return isinstance(probe.model, keras.Sequential)
