"""KTF140 mask-mispaired: masks are mirrored, turned, shifted, or of another image."""

from keras_trainfix.diagnosis.experiments.instruments.moved_masks import (
    MovedMasks,
    moved_masks,
)
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView
from keras_trainfix.diagnosis.thresholds import PATCH_GAIN

CHANCE = 0.2  # R2 of masks as given: above it they are paired well enough
UNDO = {
    "mirrored left to right": "y = y[:, :, ::-1]",
    "mirrored top to bottom": "y = y[:, ::-1]",
    "turned by 180 degrees": "y = y[:, ::-1, ::-1]",
    "transposed": "y = y.swapaxes(1, 2)",
    "turned by 90 degrees": "y = y.swapaxes(1, 2)[:, ::-1]",
    "turned by 270 degrees": "y = y.swapaxes(1, 2)[:, :, ::-1]",
    "of image i + 1": "x, y = x[:-1], y[1:]",
    "of image i - 1": "x, y = x[1:], y[:-1]",
}


@check(
    "KTF140",
    "mask-mispaired",
    "error",
    action="align the masks with the images",
    scope="output",
    explains=("KTF131", "KTF501", "KTF502", "KTF504", "KTF505"),
    exact=True,
)
def mask_mispaired(view: OutputView) -> Found | None:
    """The masks do not lie over the images: mirrored, turned, shifted or exchanged.

    ## What you see
    Predicted masks are one class, or a blurred average, and no architecture helps.

    ## Why it happens
    Image and mask were read with different conventions: rows and columns exchanged, the
    origin at the bottom, one of them resized or augmented alone, or file lists sorted
    in different orders.

    ## How to check
    Draw image and mask over each other, or fit a linear model from a small patch to its
    pixel.

    ```python
    import keras, numpy as np

    rng = np.random.default_rng(0)
    x = rng.random((32, 16, 16, 1)).astype("float32")
    y = (x > 0.5).astype("float32").swapaxes(1, 2)
    model = keras.Sequential([
        keras.Input((16, 16, 1)),
        keras.layers.Conv2D(8, 3, padding="same", activation="relu"),
        keras.layers.Conv2D(1, 1, activation="sigmoid"),
    ])
    model.compile("adam", "binary_crossentropy")
    print([np.corrcoef(x.ravel(), m.ravel())[0, 1] for m in (y, y.swapaxes(1, 2))])
    ```

    ## Fix
    Read both the same way. Here:

    ```python
    y = y.swapaxes(1, 2)
    ```

    ## When this is not the cause
    Targets that are meant to be moved, such as the next frame of a video.

    ## References
    [keras.utils.image_dataset_from_directory](https://keras.io/api/data_loading/image/).
    """
    answers = moved_masks(view.snapshot)
    seen = None if answers is None else answers[view.index]
    if seen is None or seen.as_given > CHANCE or seen.gain < PATCH_GAIN:
        return None
    moved = seen.move if seen.order is None else f"of other images, {seen.move},"
    return found(
        f"Patches of the images predict the masks {moved} with R2 {seen.best:.2f} "
        f"on held-out images, and the masks as they are with {seen.as_given:.2f}.",
        _fix(seen),
        as_given=seen.as_given,
        best=seen.best,
        move=seen.move,
        images=seen.images,
    )


def _fix(seen: MovedMasks) -> str:
    if seen.order is not None:
        return seen.order.code
    if seen.move in UNDO:
        return UNDO[seen.move]
    words = seen.move.split()
    return f"y = np.roll(y, ({words[2]}, {words[5]}), (1, 2))"
