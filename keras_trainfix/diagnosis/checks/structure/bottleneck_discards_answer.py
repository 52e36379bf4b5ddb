"""KTF411 bottleneck-discards-answer: places where a model loses the answer."""

import keras
import numpy as np
from keras import layers

from keras_trainfix.diagnosis.measure.eval_pairs import read_rows
from keras_trainfix.diagnosis.measure.learned import has_learned
from keras_trainfix.diagnosis.observe.dropout import late_dropout
from keras_trainfix.diagnosis.observe.layers import (
    DENSE_OR_CONV,
    is_relu,
    kernel_columns,
    units_of,
)
from keras_trainfix.diagnosis.observe.variation import (
    answer_layers,
    is_output,
    varies,
)
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot

POOLING = (layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D)
CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
WINDOWS = (layers.MaxPooling2D, layers.AveragePooling2D)
IN_PLACE = (  # layers that process each place separately
    layers.InputLayer,
    layers.Activation,
    layers.ReLU,
    layers.LeakyReLU,
    layers.PReLU,
    layers.ELU,
    layers.BatchNormalization,
    layers.Dropout,
    layers.SpatialDropout2D,
    layers.Rescaling,
    layers.Normalization,
    layers.Add,
)
FEW_IMAGES = 16
MOVES = 0.1  # pixels that the center of mass has to move
IS_POSITION = 0.8  # share of a target's variance that the center of mass explains
IS_PLACE = 0.65  # share of the center's variance that the class explains
LEARNED = 0.5  # skill, in spite of global pooling


LONG, BLIND = 100, 0.05  # steps, and the skill they should have brought


@check(
    "KTF411",
    "bottleneck-discards-answer",
    "warning",
    action="widen the bottleneck",
    scope="model",
    order=3,
    explains=ONE_ANSWER,
    overrules=("KTF412",),  # the logarithm of an answer that dropout made 0
)
def bottleneck_discards_answer(snapshot: Snapshot) -> Found | None:
    """One ReLU unit, global pooling or a late dropout discards the answer.

    ## What you see
    Training ends at a poor loss or, with some seeds, at one constant. With dropout
    last, the training loss is far above the validation loss and does not fall. With
    global pooling, all positions are predicted near the middle.

    ## Why it happens
    One ReLU unit passes a single number, and for about half of the samples only a 0. If
    it dies, nothing gets through. Dropout after the last layer with weights sets a
    share of the predictions themselves to 0, and scales up the others. Global pooling
    keeps what is in an image but not where it is: without strides before it, only the
    padding at the borders reveals a position.

    ## How to check
    Look for a hidden layer of one unit, a dropout at the end, and global pooling before
    targets that are positions.

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
    print([layer.output.shape for layer in model.layers])
    ```

    ## Fix
    Give the hidden layer more units; put dropout before the last layer with weights;
    use `Flatten` instead of global pooling, after strides or pooling by 2.

    ```python
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(16, "relu"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(3, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    ```

    ## When this is not the cause
    If the signal can also take another path, as around a gate of one unit, there is no
    bottleneck, and no finding. One linear unit, as in an autoencoder, keeps its input.
    After strides, features depend on positions, and global pooling often works: then it
    is a note, and only after 100 steps without success; a warning if they have brought
    nothing at all. Once the model has learned its task, it is a note.

    ## References
    - [Lu et al., 2019](https://arxiv.org/abs/1903.06733)
    - [Liu et al., 2018](https://arxiv.org/abs/1807.03247)
    """
    outputs = snapshot.layers
    for other in snapshot.views():
        late = late_dropout(other)
        if late is not None and other.loss.kind != "none":  # not only features
            return found(
                f"The dropout layer '{late.name}' (rate {late.rate:g}) comes after "
                f"'{other.head.layer}', the last layer with weights: in training it "
                "sets that share of the predictions to 0.",
                f"# put '{late.name}' before '{other.head.layer}', not after it",
                severity="note" if has_learned(snapshot) else None,
                rate=float(late.rate),
            )
    for other in snapshot.views():
        pooled = _pooled_positions(other)
        if pooled is not None:
            return pooled
    heads = answer_layers(snapshot)
    kernels = [i for i, o in enumerate(outputs) if isinstance(o.layer, DENSE_OR_CONV)]
    for index, output in enumerate(outputs):
        if not is_relu(output.layer) or is_output(snapshot, output.values):
            continue
        before = [i for i in kernels if i <= index]
        layer = outputs[before[-1]].layer if before else output.layer
        is_hidden = bool(before) and layer.name not in heads
        if not is_hidden or units_of(layer, output.values).shape[1] != 1:
            continue
        if kernel_columns(layer).shape[1] != 1 or not _all_passes(snapshot, index):
            continue
        zeros = float((output.values == 0).mean())
        return found(
            f"The hidden layer '{layer.name}' has one unit, and a ReLU: later layers "
            f"receive a single number, which is 0 in {zeros:.0%} of the cases.",
            f"# more units in '{layer.name}', such as 32 instead of 1",
            severity="note" if has_learned(snapshot) else None,
            units=1,
            zero_share=zeros,
        )
    return None


def _all_passes(snapshot, index):
    """Whether the predictions depend on one output alone, judged by the samples.

    Samples for which it is 0 throughout must have the same predictions.
    """
    values = snapshot.layers[index].values
    answers = [prediction[: len(values)] for prediction in snapshot.predictions]
    blocked = (values.reshape(len(values), -1) == 0).all(1)
    if blocked.sum() >= 2:
        return not any(varies(answer[blocked]) for answer in answers)
    return isinstance(snapshot.model, keras.Sequential)


def _pooled_positions(view):
    """The finding for global pooling before targets that are positions, or None."""
    pooling = _only_pooling(view.layers)
    if view.loss.kind == "none" or pooling is None:
        return None
    images = list(view.inputs.values())
    if len(images) != 1 or images[0].ndim != 4:
        return None
    answers, kept = read_rows(view)
    seen, steps = view.skill, view.iterations
    if answers is None or seen is None or seen.value > LEARNED:
        return None
    fits = _fits_of_positions(images[0], answers, kept)
    least = IS_PLACE if answers.kind == "classes" else IS_POSITION
    positions = 0 if fits is None else int((fits > least).sum())
    if not positions:
        return None
    has_strides, width = _field([output.layer for output in view.layers])
    hides = (
        width is not None and not has_strides and width <= min(images[0].shape[1:3]) / 2
    )
    if not hides and steps < LONG:
        return None
    is_blind = seen.value < BLIND
    which = (
        "the classes show"
        if answers.kind == "classes"
        else f"{positions} of {len(fits)} targets show"
    )
    return found(
        f"'{pooling.name}' pools all places into one, but {which} where something is: "
        f"the center of mass of the image explains {fits.max():.0%} of the variance.",
        f"# instead of '{pooling.name}': keras.layers.MaxPooling2D(), a few times,\n"
        "# and then keras.layers.Flatten()",
        severity="warning" if hides or is_blind else "note",
        explained=float(fits.max()),
        positions=positions,
        targets=len(fits),
        skill=seen.value,
        iterations=steps,
    )


def _only_pooling(outputs):
    """The global pooling on the only path, with no places left after it; or None."""
    at = [i for i, output in enumerate(outputs) if isinstance(output.layer, POOLING)]
    if not at:
        return None
    before, after = outputs[: at[-1]], outputs[at[-1] + 1 :]
    is_first = all(output.values.ndim == 4 for output in before)
    pooled = outputs[at[-1]]
    width = pooled.values[0].size
    # A wider output of a layer without weights, a `Flatten`, still has the places.
    is_last = all(
        output.values.ndim <= 2
        and (output.layer.weights or output.values[0].size <= width)
        for output in after
    )
    return pooled.layer if before and is_first and is_last else None


def _field(all_of):
    """Whether there are strides before global pooling, and its receptive field.

    The size is None with an unknown layer, whose output may depend on positions.
    """
    size, has_strides = 1, False
    for layer in all_of:
        if isinstance(layer, POOLING):
            break
        if isinstance(layer, CONVOLUTIONS):
            dilation = max(getattr(layer, "dilation_rate", (1, 1)))
            size += (max(layer.kernel_size) - 1) * dilation
            has_strides |= max(layer.strides) > 1
        elif isinstance(layer, WINDOWS):
            has_strides |= max(layer.strides) > 1
            size += max(layer.pool_size) - 1
        elif type(layer) not in IN_PLACE:
            return has_strides, None
    return has_strides, size


def _fits_of_positions(images, answers, kept):
    """How much of each target a linear function of the center of mass explains.

    For classes, how much of both of its coordinates the class explains.

    Returns:
        Array of coefficients of determination; None if they cannot be computed.
    """
    y = answers.targets
    if len(y) < FEW_IMAGES or len(y) > len(images) or y.shape[1] > FEW_IMAGES:
        return None
    images = images[kept].astype("float64")
    y = y[:, y.std(0) > 0]
    if not y.size or not np.isfinite(images).all():
        return None
    weights = (images - np.median(images, axis=(1, 2), keepdims=True)) ** 2
    weights = weights.sum(-1)
    mass = np.maximum(weights.sum((1, 2)), 1e-12)
    rows, columns = (np.arange(size) for size in weights.shape[1:])
    places = np.stack(
        [weights.sum(2) @ rows / mass, weights.sum(1) @ columns / mass], axis=1
    )
    if answers.kind == "classes":
        rest = places - y @ np.linalg.lstsq(y, places, rcond=None)[0]
        whole = places.var(0).sum()
        if whole < MOVES**2:
            return None
        return 1 - rest.var(0).sum(keepdims=True) / whole
    known = np.column_stack([np.ones(len(y)), places])
    rest = y - known @ np.linalg.lstsq(known, y, rcond=None)[0]
    return 1 - rest.var(0) / y.var(0)
