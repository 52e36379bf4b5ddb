"""KTF151: masks of class ids that were averaged when their size was changed."""

import numpy as np

from keras_trainfix.diagnosis.measure.interpolated import between
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView
from keras_trainfix.diagnosis.thresholds import IDS_BETWEEN
from keras_trainfix.messages import listed

FEWEST = 50  # places at which the id changes twice
OFTEN = 0.005  # of the pixels


@check(
    "KTF151",
    "mask-interpolated",
    "warning",
    scope="output",
    action="resize masks without interpolation",
    exact=True,
    persistent=True,
)
def mask_interpolated(view: OutputView) -> Found | None:
    """Along the borders of a mask are ids between those on both sides.

    ## What you see
    A segmentation finds classes along borders that are not there: a thin line of class
    2 between classes 1 and 3. The scores of the middle classes stay low.

    ## Why it happens
    Masks were resized like images, by averaging. Between an id 0 and an id 4 that
    gives a 2, which is another class. JPEG files and rotations with interpolation do
    the same.

    ## How to check
    Look at the ids along a border, and at what lies between.

    ```python
    import keras
    import numpy as np

    rng = np.random.default_rng(0)
    large = np.zeros((24, 64, 64))
    for mask in large:
        for label in rng.permutation([1, 2, 3, 4]):
            top, left = rng.integers(0, 44, 2)
            mask[top : top + 20, left : left + 20] = label

    def averaged(masks):
        return masks.reshape(24, 16, 4, 16, 4).mean((2, 4)).round().astype("int32")

    model = keras.Sequential([
        keras.Input((16, 16, 1)),
        keras.layers.Conv2D(8, 3, padding="same", activation="relu"),
        keras.layers.Conv2D(5, 3, padding="same"),
    ])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    x = large[:, 2::4, 2::4, None] / 4
    y = averaged(large)
    ```

    ## Fix
    Resize masks with `interpolation="nearest"`, and rotate and save them without
    interpolation (PNG).

    ```python
    y = large[:, 2::4, 2::4].astype("int32")
    ```

    ## When this is not the cause
    Ids that are an order, such as levels of depth, may have their neighbors between
    them; the finding can be ignored there.

    ## References
    [keras.layers.Resizing](https://keras.io/api/layers/preprocessing_layers/image_preprocessing/resizing/)
    """
    masks = _masks(view)
    if masks is None:
        return None
    seen = between(masks)
    if seen.number < max(FEWEST, OFTEN * masks.size) or seen.share < IDS_BETWEEN:
        return None
    ids = listed([str(int(one)) for one in seen.ids[:3]])
    return found(
        f"At {seen.number} places along the borders of the masks three ids follow "
        f"each other. In {seen.share:.0%} of them the middle one (as {ids}) lies "
        "between the other two, by chance in a third: the ids were averaged when the "
        "masks were resized.",
        "# resize masks without interpolation:\n"
        '# keras.layers.Resizing(height, width, interpolation="nearest")',
        share=seen.share,
        places=seen.number,
    )


def _masks(view: OutputView) -> np.ndarray | None:
    """The class ids `(N, height, width)` of masks, also of flat ones; or None."""
    labels = view.targets
    if labels is None or view.loss.kind not in ("sparse", "masked", "region", "custom"):
        return None
    if labels.dtype.kind not in "iuf" or labels.size == 0:
        return None
    if labels.ndim > 2 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    images = [x for x in view.inputs.values() if x.ndim == 4]
    if labels.ndim == 2 and len(images) == 1:
        height, width = images[0].shape[1:3]
        if labels.shape[1] == height * width:
            labels = labels.reshape(-1, height, width)
    is_whole = labels.ndim == 3 and np.isfinite(labels).all()
    if not is_whole or (labels != np.floor(labels)).any() or labels.max() < 2:
        return None
    return labels
