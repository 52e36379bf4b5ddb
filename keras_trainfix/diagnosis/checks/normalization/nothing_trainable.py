"""Checks of what is trainable, and of when that was said."""

import numpy as np

from keras_trainfix.diagnosis.change import Change
from keras_trainfix.diagnosis.observe.layers import DENSE_OR_CONV
from keras_trainfix.diagnosis.observe.variation import inputs_vary, varies
from keras_trainfix.diagnosis.registry import ONE_ANSWER, check, found


def _make_trainable(case):
    return Change(trainable=True)


@check(
    "KTF303",
    "nothing-trainable",
    "error",
    scope="model",
    explains=ONE_ANSWER,
    repair=_make_trainable,
    rescue="unfreeze",
)
def nothing_trainable(snapshot):
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
    model = snapshot.model
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
    outputs = snapshot.layers
    learns = [i for i, output in enumerate(outputs) if output.layer.trainable_weights]
    first = learns[0] if learns else 0
    if not _is_learned_body(outputs[:first]) or not inputs_vary(snapshot):
        return None
    after = [outputs[first - 1].values, *(output.values for output in outputs[first:])]
    if any(map(varies, [*after, *snapshot.predictions])):
        return None
    body = outputs[first - 1].layer.name
    return found(
        f"Only {trainable} weights are trainable, from layer "
        f"'{outputs[first].layer.name}' on, and the frozen layers before it, up to "
        f"'{body}', give the same features for all {snapshot.samples} samples.",
        "for layer in model.layers:  # train the body, or load trained weights\n"
        "    layer.trainable = True\nmodel.compile(...)",
        trainable=trainable,
        weights=_numbers(model.weights),
    )


def _numbers(weights):
    return int(sum(np.prod(weight.shape) for weight in weights))


def _is_learned_body(outputs):
    """Whether frozen layers that could have learned are among the outputs."""
    return any(isinstance(output.layer, DENSE_OR_CONV) for output in outputs)
