"""KTF303 nothing-trainable: models that no step can change."""

import numpy as np

from keras_trainfix.diagnosis.change import Change
from keras_trainfix.diagnosis.fix_code import recompiled
from keras_trainfix.diagnosis.observe.layers import DENSE_OR_CONV
from keras_trainfix.diagnosis.observe.variation import inputs_vary, varies
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot


def _make_trainable(case):
    return Change(trainable=True)


@check(
    "KTF303",
    "nothing-trainable",
    "error",
    action="make layers trainable",
    scope="model",
    explains=ONE_ANSWER,
    repair=_make_trainable,
)
def nothing_trainable(snapshot: Snapshot) -> Found | None:
    """No weight that could learn is trainable, so no step changes the predictions.

    ## What you see
    The loss is the same in every epoch, up to the order of the batches.
    `model.summary()` says `Trainable params: 0`; or the only trainable part is a head
    on a frozen body that gives the same features for every sample.

    ## Why it happens
    `model.trainable = False` was meant for the body, and set on the whole model. Or the
    body was frozen before it had learned anything: its features carry no information,
    and a head on them can only learn one constant.

    ## How to check
    Count the trainable weights.

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
    Freeze the body only, and compile afterwards.

    ```python
    model.trainable = True
    model.layers[0].trainable = False
    model.compile("adam", "mse")
    ```

    ## When this is not the cause
    A model that only predicts needs no trainable weights. A frozen body whose features
    differ between samples is normal in transfer learning, and no finding.

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
            recompiled(
                model, "model.trainable = True  # then False for layers to keep frozen"
            ),
            trainable=0,
            weights=_numbers(model.weights),
        )
    outputs = snapshot.layers
    learns = [i for i, output in enumerate(outputs) if output.layer.trainable_weights]
    first = learns[0] if learns else 0
    if not _could_learn(outputs[:first]) or not inputs_vary(snapshot):
        return None
    after = [outputs[first - 1].values, *(output.values for output in outputs[first:])]
    if any(map(varies, [*after, *snapshot.predictions])):
        return None
    body = outputs[first - 1].layer.name
    return found(
        f"Only {trainable} weights are trainable, from layer "
        f"'{outputs[first].layer.name}' on, and the frozen layers before it, up to "
        f"'{body}', give the same features for all {snapshot.samples} samples.",
        recompiled(
            model,
            "for layer in model.layers:  # train the body, or load trained weights\n"
            "    layer.trainable = True",
        ),
        trainable=trainable,
        weights=_numbers(model.weights),
    )


def _numbers(weights):
    return int(sum(np.prod(weight.shape) for weight in weights))


def _could_learn(outputs):
    """Whether layers with kernels are among those of the outputs."""
    return any(isinstance(output.layer, DENSE_OR_CONV) for output in outputs)
