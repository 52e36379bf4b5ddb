"""Weights of classes, from how often the labels have each of them."""

import numbers
import warnings

import numpy as np

from keras_trainfix.labels import ignored_ids
from keras_trainfix.labels.counting import count_classes
from keras_trainfix.labels.messages import shown

METHODS = ("inverse_frequency", "median_frequency", "effective_number")


def class_weights_from_labels(
    data,
    num_classes,
    ignore_class=255,
    method="inverse_frequency",
    beta=0.9999,
    axis=-1,
    steps=None,
    verbose="auto",
):
    """Weights that balance the classes, for `class_weight` of the losses.

    With `n_c` the number of valid pixels of class `c`, the weights are

    - `"inverse_frequency"`: `sum(n) / (classes present * n_c)`, so that every class
      has the same total weight, and the average pixel weighs 1. scikit-learn's
      `"balanced"`;
    - `"median_frequency"`: `median(f) / f_c`, where `f_c` is `n_c` over the number of
      valid pixels in the images in which `c` appears;
    - `"effective_number"`: `(1 - beta) / (1 - beta ** n_c)`, scaled to a mean of 1.
      Hundreds of thousands of pixels a class need a `beta` closer to 1 than the
      default, or all classes weigh the same.

    Void pixels do not count, nor do sample weights. Soft labels count for their
    largest class. A class without a pixel weighs 0, and a warning names it.

    The form of labels is told by their shape: one-hot with `num_classes` entries on
    `axis`, else sparse. Sparse labels that have this size by chance need a last axis
    more, `y[..., None]`.

    Only `"median_frequency"` has to know what an image is: a sample of the first
    axis; a batch of shape `(H, W)`, `(H, W, 1)` or `(H, W, num_classes)` is taken for
    one image without a batch axis; and labels of shape `(N,)` for one image in all.

    Args:
        data: Labels, sparse `(N, ...)` or `(N, ..., 1)` or one-hot or soft
            `(N, ..., num_classes)`, of any integer or float dtype: an array; a tuple
            `(x, y)` or `(x, y, sample_weight)` of arrays; or batches as `fit` takes
            them (`tf.data.Dataset`, `keras.utils.PyDataset`, torch `DataLoader`,
            generator, list), each a tuple like these or labels alone. Batches may
            differ in size.
        num_classes: Integer, 2 or more. One sigmoid unit has classes 0 and 1; floats
            between them are then read as its probabilities.
        ignore_class: Integer, tuple of integers, or None: ids of void. Ignored
            classes weigh 0. Defaults to `255`.
        method: String, one of the above. Defaults to `"inverse_frequency"`.
        beta: Float in `[0, 1)`, for `"effective_number"`. Defaults to `0.9999`.
        axis: Integer, the class axis of one-hot labels. Defaults to `-1`.
        steps: Integer, the number of batches to read, or None for all. Defaults to
            `None`.
        verbose: `"auto"` or 1 to show progress if counting takes more than two seconds
            and Keras' interactive logging is on; 0 for never. Defaults to `"auto"`.

    Returns:
        NumPy float32 array of shape `(num_classes,)`.

    Raises:
        ValueError: If an argument is out of range, if a label is neither a class nor
            ignored, if the labels have another form, if none is valid, or if the data
            are endless and `steps` is None.
        TypeError: If `data` is nothing to read batches from.

    Examples:
        >>> y = np.array([[[0, 0, 255], [0, 0, 1]]])  # one image, 5 valid pixels
        >>> class_weights_from_labels(y, num_classes=2).tolist()
        [0.625, 2.5]
        >>> maps = [np.array([[0, 0, 0, 1], [0, 0, 1, 1]]), np.zeros((1, 4))]
        >>> class_weights_from_labels(maps, 2, method="median_frequency").tolist()
        [0.75, 1.5]

    Reference:
        Median frequency: [Eigen and Fergus, 2015](https://arxiv.org/abs/1411.4734);
        [SegNet, 2017](https://arxiv.org/abs/1511.00561). Effective number:
        [Cui et al., 2019](https://arxiv.org/abs/1901.05555).
    """
    ignored = ignored_ids(ignore_class)
    wanted = _check(num_classes, ignored, method, beta)
    by_image = method == "median_frequency"
    counts, areas = count_classes(
        data, num_classes, ignored, by_image, axis, steps, verbose
    )
    present = counts > 0
    if not present.any():
        raise ValueError(
            "`data` must hold at least one label that is not void. Received: none, "
            f"with num_classes={num_classes}, ignore_class={ignore_class}. A generator "
            "that was used up has to be made again."
        )
    absent = np.flatnonzero(wanted & ~present).tolist()
    if absent:
        warnings.warn(
            f"No label in `data` is of class {', '.join(map(str, absent))}: weight 0. "
            "A model cannot learn a class without labels: read more data, check that "
            f"num_classes={num_classes} is right, or leave the class out of the model.",
            stacklevel=2,
        )
    weights = np.zeros(num_classes)
    weights[present] = _weights(method, counts[present], areas[present], beta)
    return weights.astype("float32")


def _check(num_classes, ignored, method, beta):
    """Which classes are not ignored, a boolean vector; raises on bad arguments."""
    is_integer = isinstance(num_classes, numbers.Integral)
    if not is_integer or num_classes < 2:  # so not a bool either
        raise ValueError(
            "`num_classes` must be an integer, 2 or more. Received: "
            f"num_classes={num_classes!r}. One sigmoid unit has two classes, 0 and 1."
        )
    if method not in METHODS:
        raise ValueError(
            f"`method` must be one of {METHODS}. Received: method={method!r}."
        )
    if not isinstance(beta, (int, float, np.floating)) or not 0 <= beta < 1:
        raise ValueError(
            f"`beta` must be a number from 0 to below 1. Received: beta={beta!r}. At 0 "
            "classes weigh the same, and near 1 they weigh as their inverse frequency."
        )
    wanted = ~np.isin(np.arange(num_classes), ignored)
    if not wanted.any():
        raise ValueError(
            "`ignore_class` must leave at least one class. Received: "
            f"ignore_class={shown(ignored)}, num_classes={num_classes}. Name the ids "
            "of void alone."
        )
    return wanted


def _weights(method, counts, areas, beta):
    if method == "inverse_frequency":
        return counts.sum() / (len(counts) * counts)
    if method == "median_frequency":
        frequencies = counts / areas
        return np.median(frequencies) / frequencies
    with np.errstate(divide="ignore"):  # beta = 0
        log_beta = np.log1p(float(beta) - 1)
    weights = -1 / np.expm1(counts * log_beta)
    return weights / weights.mean()
