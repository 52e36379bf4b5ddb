"""KTF426 sees-the-future: an answer depends on later steps, which hold its target."""

import keras

from keras_trainfix.diagnosis.experiments.instruments.future import seen_future
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.thresholds import MOST_FROM_FUTURE


@check(
    "KTF426",
    "sees-the-future",
    "error",
    action="hide the next step from the model",
    scope="model",
    exact=True,
)
def sees_the_future(snapshot: Snapshot) -> Found | None:
    """A model that predicts the next step sees that step.

    ## What you see
    The loss of a language model or decoder falls far lower than it should, also on
    validation data. When it generates, the text is nonsense or repeats one token.

    ## Why it happens
    Where the targets are the inputs one step later, the answer at a step may only
    depend on that step and earlier ones. Attention without a causal mask, a
    bidirectional layer, a convolution with `padding="same"` and a mean over all steps
    also read the next step, which is the target.

    ## How to check
    Replace the later steps of the input and compare the earlier answers.

    ```python
    import keras, numpy as np

    tokens = np.random.default_rng(0).integers(1, 9, (64, 9))
    x, y = tokens[:, :-1], tokens[:, 1:]
    inputs = keras.Input((8,))
    h = keras.layers.Embedding(9, 16)(inputs)
    h = h + keras.layers.MultiHeadAttention(2, 8)(h, h)
    model = keras.Model(inputs, keras.layers.Dense(9, activation="softmax")(h))
    model.compile("adam", "sparse_categorical_crossentropy")
    other = x.copy()
    other[:, 4:] = 1
    print(abs(model.predict(x) - model.predict(other))[:, :4].max())
    ```

    ## Fix
    Use `use_causal_mask=True` in attention, `padding="causal"` in convolutions, and
    recurrent layers that read forward only.

    ```python
    h = keras.layers.Embedding(9, 16)(inputs)
    h = h + keras.layers.MultiHeadAttention(2, 8)(h, h, use_causal_mask=True)
    model = keras.Model(inputs, keras.layers.Dense(9, activation="softmax")(h))
    model.compile("adam", "sparse_categorical_crossentropy")
    ```

    ## When this is not the cause
    Only targets that are the inputs some steps later are examined, so encoders that
    label each step may look both ways. For a series of numbers it is a warning: a
    model that is used for its last step only is not harmed, but its loss is.

    ## References
    [Vaswani et al., 2017](https://arxiv.org/abs/1706.03762), section 3.2.3;
    [van den Oord et al., WaveNet, 2016](https://arxiv.org/abs/1609.03499).
    """
    tasks = {view.name: view.task for view in snapshot.views()}
    for seen in seen_future(snapshot) or ():
        if seen.moved <= MOST_FROM_FUTURE:
            continue
        later = "the next step" if seen.steps == 1 else f"the step {seen.steps} later"
        where = "" if seen.layer is None else f" through '{seen.layer.name}'"
        return found(
            f"The targets are '{seen.input.name}' {seen.steps} step(s) later, and each "
            f"answer depends on {later}{where}: replacing it moves the answer "
            f"{seen.moved:.2g} times as far as replacing the step itself.",
            _fix(seen.layer),
            "warning" if tasks[seen.output] == "regression" else None,
            input=seen.input.name,
            output=seen.output,
            steps=seen.steps,
            moved=seen.moved,
            layer=None if seen.layer is None else seen.layer.name,
        )
    return None


def _fix(layer: keras.Layer | None) -> str:
    name = "this layer" if layer is None else f"'{layer.name}'"
    kind = type(layer).__name__
    if "Attention" in kind:
        return f"# call {name} with use_causal_mask=True"
    if "Conv" in kind:
        return f"# build {name} with padding='causal'"
    if kind == "Bidirectional":
        return (
            f"# instead of {name}, use its recurrent layer alone, which reads forward"
        )
    return f"# {name} mixes all steps: it may use a step and earlier ones only"
