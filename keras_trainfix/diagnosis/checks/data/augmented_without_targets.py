"""KTF138 augmented-without-targets: images are moved, and their targets stay."""

from keras_trainfix.diagnosis.experiments.instruments.augmented_pairs import (
    FEWEST_PAIRS,
    augmented_pairs,
)
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.thresholds import MOVED_PAIRS, SIDE_IS_LOST

FIXES = {
    "masks": """\
def augment(images, masks):
    chosen = np.random.default_rng().random(len(images)) < 0.5
    images[chosen], masks[chosen] = images[chosen, :, ::-1], masks[chosen, :, ::-1]
    return images, masks""",
    "boxes": """\
def augment(images, boxes, width):  # of boxes (left, top, right, bottom)
    chosen = np.random.default_rng().random(len(images)) < 0.5
    images[chosen] = images[chosen, :, ::-1]
    boxes[chosen, ..., 0::2] = width - boxes[chosen, ..., 2::-2]
    return images, boxes""",
    "coordinates": """\
def augment(images, points, low, high, column=0):  # the column that is mirrored
    chosen = np.random.default_rng().random(len(images)) < 0.5
    images[chosen] = images[chosen, :, ::-1]
    points[chosen, ..., column] = low + high - points[chosen, ..., column]
    return images, points""",
}


@check(
    "KTF138",
    "augmented-without-targets",
    "error",
    action="transform the targets together with the images",
    scope="model",
    explains=("KTF501", "KTF504", "KTF505"),
    exact=True,
)
def augmented_without_targets(snapshot: Snapshot) -> Found | None:
    """Augmentation moves the images, but not their masks, boxes or points.

    ## What you see
    Predicted boxes sit in the middle, masks are symmetric or blurred, or one coordinate
    is never learned while the other is. Without augmentation the model learns.

    ## Why it happens
    A random flip, rotation or shift is applied to the image alone. For a class label
    that is right: a mirrored cat is a cat. A target that says where something is must
    move with the image.

    ## How to check
    Read two epochs, and compare the images of one target.

    ```python
    import keras, numpy as np

    rng = np.random.default_rng(0)
    images = rng.random((64, 16, 16, 1)).astype("float32")
    masks = (images > 0.5).astype("float32")

    class Flipped(keras.utils.PyDataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            part = slice(16 * index, 16 * index + 16)
            chosen = rng.random(16) < 0.5
            moved = images[part].copy()
            moved[chosen] = moved[chosen, :, ::-1]
            return moved, masks[part]

    x, y = Flipped(), None
    model = keras.Sequential([
        keras.Input((16, 16, 1)),
        keras.layers.Conv2D(8, 3, padding="same", activation="relu"),
        keras.layers.Conv2D(1, 1, activation="sigmoid"),
    ])
    model.compile("adam", "binary_crossentropy")
    print((x[0][0] == x[0][0]).all(), (x[0][1] == x[0][1]).all())
    ```

    ## Fix
    Move both together.

    ```python
    class Flipped(keras.utils.PyDataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            part = slice(16 * index, 16 * index + 16)
            chosen = rng.random(16) < 0.5
            moved, with_it = images[part].copy(), masks[part].copy()
            moved[chosen] = moved[chosen, :, ::-1]
            with_it[chosen] = with_it[chosen, :, ::-1]
            return moved, with_it

    x = Flipped()
    ```

    ## When this is not the cause
    If the target really does not depend on where things are. Class labels, and numbers
    such as an age or a count, are not reported.

    ## References
    [Shorten and Khoshgoftaar, 2019](https://doi.org/10.1186/s40537-019-0197-0).
    """
    seen = augmented_pairs(snapshot)
    if seen is None or not seen.kind or seen.moved < FEWEST_PAIRS:
        return None
    if seen.share < MOVED_PAIRS:
        return None
    if seen.kind == "coordinates" and seen.gain < SIDE_IS_LOST:
        return None
    where = (
        f"The layer '{seen.layer}' moves" if seen.layer else "The batches have moved"
    )
    return found(
        f"{where} {seen.moved} of {seen.pairs} images ({seen.how}), and their "
        f"{seen.kind} stay where they are.",
        FIXES[seen.kind],
        pairs=seen.pairs,
        moved=seen.moved,
        how=seen.how,
        targets=seen.kind,
        layer=seen.layer,
    )
