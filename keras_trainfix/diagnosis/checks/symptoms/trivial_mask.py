"""KTF503: a trained segmentation net that predicts one class everywhere."""

from typing import Any

from keras_trainfix.diagnosis.checks.head_and_loss.head_code import (
    dice_and_cross_entropy,
)
from keras_trainfix.diagnosis.checks.symptoms.collapse import (
    TRAINED,
    class_evidence,
    described_areas,
    from_the_start,
    is_one_class,
    steps_and_skill,
)
from keras_trainfix.diagnosis.measure.skill import constant_masks
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView


@check(
    "KTF503",
    "trivial-mask",
    "error",
    action="start from new weights with smaller steps",
    scope="output",
    collapse=True,
    before_training=False,
)
def trivial_mask(view: OutputView) -> Found | None:
    """The trained segmentation model predicts the same class for every pixel.

    ## What you see
    Masks are all background, and the pixel accuracy is the share of the background. Or
    they are all foreground, and the IoU is the share of the foreground.

    ## Why it happens
    All background: the foreground is rare, and the loss is lowest without it. All
    foreground: a Dice loss over the batch, masks of 0 and 255, or a softmax over one
    channel. Either: a learning rate that saturated the head.

    ## How to check
    ```python
    import keras
    import numpy as np

    hidden = keras.layers.Conv2D(8, 3, padding="same", activation="relu")
    model = keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            hidden,
            keras.layers.Conv2D(1, 1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy")
    x = np.random.default_rng(0).normal(size=(32, 16, 16, 1)).astype("float32")
    y = (x > 0.5).astype("float32")
    hidden.bias.assign(np.full(8, -50.0))  # dead units
    model.fit(x, y, batch_size=8, epochs=8, verbose=0)
    print((model.predict(x, verbose=0) > 0.5).mean(), y.mean())
    ```

    ## Fix
    Repair the first cause in the diagnosis, and train from new weights. Dice and
    cross-entropy together see a rare class, and do not end in all foreground.

    ```python
    import keras_trainfix as kt

    keras.utils.set_random_seed(1)
    model = keras.models.clone_model(model)
    loss = kt.WeightedSum([kt.MaskedSoftDice(), kt.MaskedCrossentropy()])
    model.compile(keras.optimizers.Adam(0.01), loss)
    model.fit(x, y, batch_size=8, epochs=6, verbose=0)
    ```

    ## When this is not the cause
    If the scores are higher where the foreground is, but all below the threshold,
    training is only at its start: this is not reported. Nor are images of a single
    class.

    ## References
    [Milletari et al., 2016](https://arxiv.org/abs/1606.04797)
    """
    steps, seen = steps_and_skill(view, TRAINED)
    if view.task != "segmentation" or not is_one_class(seen, steps):
        return None
    only = seen.classes_predicted[0]
    mask = constant_masks(seen.present)[only]
    names = ("all background", "all foreground")
    binary = len(seen.present) == 2
    name = names[only] if binary else f"class {only} everywhere"
    foreground = seen.present[1] if binary and only else 0.0
    iou = foreground if binary else mask.mean_iou
    which = "of the foreground" if binary else "mean"
    evidence: dict[str, Any] = {"iou": float(iou), "iou_of_class": mask.iou}
    return found(
        f"After {steps} steps every mask is {name}: accuracy {mask.accuracy:.3f}, IoU "
        f"{which} {iou:.3f}, as a constant gets ({described_areas(seen)}).",
        from_the_start(view, dice_and_cross_entropy(view), scale=False),
        predicted_class=only,
        label_share=seen.present[only],
        **evidence,
        **class_evidence(seen, steps),
    )
