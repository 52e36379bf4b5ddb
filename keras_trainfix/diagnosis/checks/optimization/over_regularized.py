"""KTF408: penalties or dropout that outweigh the data."""

import numpy as np

from keras_trainfix.diagnosis.fix_code import layer_of, recompiled, with_new_weights
from keras_trainfix.diagnosis.observe.dropout import strongest_dropout
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot

MOSTLY_PENALTY = 0.8  # of the gradient
OUTWEIGHED = 2.5  # times the loss of the best constant
CRUSHING = 30
TRAINED, NO_SKILL = 100, 0.05  # steps, and skill of a model that has collapsed
NO_WEIGHT = 0.01  # size of weights: a tenth of what layers of 100 inputs begin with
SHRUNK = 0.3  # standard deviation of predictions, of that of the targets
INFORMED = 0.5  # rank correlation


@check(
    "KTF408",
    "over-regularized",
    "warning",
    action="weaken the regularization",
    scope="model",
    order=1,
    explains=(*ONE_ANSWER, "KTF504"),
    persistent=True,
    aliases=("over-regularised",),
)
def over_regularized(snapshot: Snapshot) -> Found | None:
    """Penalties or dropout outweigh the data.

    ## What you see
    The loss falls fast at first, as weights shrink, and ends far above zero.
    Predictions hardly vary, although they may be in the order of the targets.

    ## Why it happens
    The loss is that of the data plus `l2` times the sum of the squared weights. If the
    second part costs more than a better fit saves, the optimum is all weights at 0 and
    a constant answer. `activity_regularizer` does the same to the outputs of a layer.
    Dropout of 0.9 leaves one unit in ten to carry the signal.

    ## How to check
    ```python
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    decay = keras.regularizers.L2(1.0)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(32, "relu", kernel_regularizer=decay),
            keras.layers.Dense(32, "relu", kernel_regularizer=decay),
            keras.layers.Dense(1, kernel_regularizer=decay),
        ]
    )
    model.compile(keras.optimizers.Adam(0.001), "mse")
    x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
    y = x[:, :1]
    ```

    ## Fix
    Start without penalties, and add about `1e-4` once the model learns and overfits.

    ```python
    for weight in model.trainable_variables:
        if weight.regularizer is not None:
            weight.regularizer = keras.regularizers.L2(1e-4)
    model.compile(keras.optimizers.Adam(0.001), "mse")
    ```

    ## When this is not the cause
    A penalty does no harm if it is large at first and falls together with the loss of
    the data. Early in training, predictions vary little even without a penalty.

    ## References
    [Krogh and Hertz, 1991](
    https://papers.nips.cc/paper/1991/hash/8eefcfdf5990e441f0fb6f3fad709e21-Abstract.html)
    """
    worst = strongest_dropout(snapshot)
    if worst is not None:
        return found(
            f"The dropout layer '{worst.name}' sets {worst.rate:.0%} of its inputs to "
            f"0 in each step and multiplies the others by {1 / (1 - worst.rate):.3g}."
            if worst.rate < 1
            else f"The dropout layer '{worst.name}' with rate 1 lets nothing through.",
            _with_less_dropout(snapshot.model, worst),
            rate=float(worst.rate),
        )
    trial = snapshot.trial
    scores = [view.skill for view in snapshot.views() if view.skill is not None]
    if trial is None or not trial.penalty or not scores:
        return None
    decayed = [g for g in trial.gradients if g.decay]
    decay = np.sqrt(np.mean(np.square([g.decay for g in decayed] or [0.0])))
    whole = np.sqrt(np.mean(np.square([g.size for g in decayed] or [0.0])))
    share = decay / whole if whole else 0.0
    constant_loss = sum(score.constant_loss for score in scores)
    ratio = trial.penalty / constant_loss if constant_loss else 0.0
    has_collapsed = snapshot.iterations >= TRAINED and all(
        score.value < NO_SKILL for score in scores
    )
    weight = np.median([g.weight for g in decayed] or [np.inf])
    # The pull toward 0 is gone once the weights are there.
    is_crushed = has_collapsed and not trial.is_fresh and weight < NO_WEIGHT
    if has_collapsed:
        pulled = max((g.decay / g.size for g in decayed if g.size), default=0.0)
        is_found = ratio > 1 or share > 0.5 or (is_crushed and pulled > 0.5)
    elif trial.is_fresh:
        outweighs = ratio > OUTWEIGHED and share > MOSTLY_PENALTY
        is_found = outweighs or ratio > CRUSHING
    else:
        is_shrunk = any(
            score.std_ratio < SHRUNK and (score.correlation or 0) > INFORMED
            for score in scores
        )
        is_found = share > 0.5 and (is_shrunk or ratio > CRUSHING)
    if not is_found:
        return None
    state = (
        f"In {snapshot.iterations} steps the weights with a penalty have shrunk to "
        f"{weight:.1e}, and the answer is a constant"
        if is_crushed
        else f"The penalties are {trial.penalty:.4g}"
    )
    is_of_outputs = not decayed
    slope = f" Their gradient is {share:.2g} times that of the whole loss."
    return found(
        f"{state}, and the loss of the best constant answer is "
        f"{constant_loss:.4g}: it is cheaper not to learn."
        + ("" if is_of_outputs else slope),
        _without_penalties(snapshot, is_of_outputs),
        # No learning rate helps: the penalty itself rewards dead units.
        severity="error" if is_of_outputs else None,
        penalty=trial.penalty,
        constant_loss=constant_loss,
        penalty_ratio=ratio,
        gradient_share=float(share),
        std_ratio=min(score.std_ratio for score in scores),
    )


def _with_less_dropout(model, layer):
    """Code that lowers the rate of a dropout layer."""
    name = layer_of(model, layer.name)
    if name is None:
        return f"# keras.layers.Dropout(0.3) instead of {layer.rate:g}"
    return recompiled(model, f"{name}.rate = 0.3  # was {layer.rate:g}")


def _without_penalties(snapshot, is_of_outputs):
    """Code that takes the penalties away, with new weights if these have shrunk."""
    if is_of_outputs:
        lines = [
            "for layer in model.layers:  # the outputs need no penalty",
            "    layer.activity_regularizer = None",
        ]
    else:
        lines = [
            "for weight in model.trainable_variables:",
            "    if weight.regularizer is not None:",
            "        weight.regularizer = keras.regularizers.L2(1e-4)  # or None",
        ]
    if snapshot.iterations:
        lines.insert(0, with_new_weights(snapshot.model))
    return recompiled(snapshot.model, "\n".join(lines))
