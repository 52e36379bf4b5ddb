"""KTF429 answer-elsewhere: the answers for a part of an image are in another place."""

from keras_trainfix.diagnosis.experiments.instruments.places import places_of_answers
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.thresholds import (
    LEAST_SCATTERED,
    LEAST_TURNED,
    LEAST_UNTOUCHED,
    MOST_OUT_OF_PLACE,
)


@check(
    "KTF429",
    "answer-elsewhere",
    "error",
    action="keep each place of the image where it is",
    scope="model",
    exact=True,
)
def answer_elsewhere(snapshot: Snapshot) -> Found | None:
    """The answers for a part of an image are in another place than that part.

    ## What you see
    A segmentation or image-to-image net learns only what is the same everywhere, such
    as the share of the background. Predicted masks look blurred or striped.

    ## Why it happens
    Between image and answer, height and width were exchanged, an axis was turned
    around, or a reshape read the numbers in another order than they were written.
    Shapes still fit, and convolutions cannot undo it.

    ## How to check
    Change a block of the image and look where the answer changes.

    ```python
    import keras, numpy as np

    x = np.random.default_rng(0).random((32, 16, 16, 1)).astype("float32")
    y = (x > 0.5).astype("float32")
    inputs = keras.Input((16, 16, 1))
    h = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(inputs)
    h = keras.layers.Permute((2, 1, 3))(h)  # width before height
    outputs = keras.layers.Conv2D(1, 1, activation="sigmoid")(h)
    model = keras.Model(inputs, outputs)
    model.compile("adam", "binary_crossentropy")
    other = x.copy()
    other[:, :4, 8:12] = 0
    moved = abs(model.predict(x) - model.predict(other)).mean((0, 3))
    print(np.argwhere(moved > moved.max() / 2))
    ```

    ## Fix
    Keep the order of the axes, or change it back before the head.

    ```python
    h = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(inputs)
    outputs = keras.layers.Conv2D(1, 1, activation="sigmoid")(h)
    model = keras.Model(inputs, outputs)
    model.compile("adam", "binary_crossentropy")
    ```

    ## When this is not the cause
    Nets that spread a change over the whole image, by dense layers, a narrow bottleneck
    or attention, are not judged. If the targets are turned in the same way as the
    answers, all is well.

    ## References
    [keras.layers.Permute](https://keras.io/api/layers/reshaping_layers/permute/).
    """
    for seen in places_of_answers(snapshot) or ():
        if seen.in_place >= MOST_OUT_OF_PLACE:
            continue
        is_turned = seen.turned >= LEAST_TURNED
        is_local = seen.untouched >= LEAST_UNTOUCHED
        is_scattered = is_local and seen.scattered >= LEAST_SCATTERED
        if not (is_turned or is_scattered or seen.is_torn):
            continue
        name = None if seen.layer is None else seen.layer.name
        where = "" if name is None else f" from '{name}' on"
        how = seen.turn if is_turned else "scattered over other places"
        return found(
            f"The answers are not where the image is{where}, but {how}: if a block of "
            f"the image changes, {max(seen.in_place, 0):.0%} of the change of the "
            "answers is there (0% is chance).",
            f"# keep the order of the axes in {repr(name) if name else 'the model'}",
            output=seen.output,
            in_place=seen.in_place,
            turn=seen.turn if is_turned else None,
            elsewhere=seen.turned if is_turned else seen.scattered,
            layer=name,
        )
    return None
