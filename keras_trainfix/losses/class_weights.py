"""Class weights from how often each class occurs in the labels."""

import numbers
import warnings
from typing import Any

import numpy as np

from keras_trainfix.arguments import known_names
from keras_trainfix.labels import ignored_ids
from keras_trainfix.labels.counting import count_classes
from keras_trainfix.labels.messages import shown
from keras_trainfix.labels.types import IgnoreClass

METHODS = ("inverse_frequency", "median_frequency", "effective_number")


@known_names
def class_weights_from_labels(
    data: Any,
    num_classes: int,
    ignore_class: IgnoreClass = 255,
    method: str = "inverse_frequency",
    beta: float = 0.9999,
    axis: int = -1,
    steps: int | None = None,
    verbose: str | int = "auto",
) -> np.ndarray:
    """Weights that balance the classes, for `class_weight` of the losses.

    With `n_c` the number of valid pixels of class `c`, the weights are

    - `"inverse_frequency"`: `sum(n) / (classes present * n_c)`, so that every class
      has the same total weight, and the average pixel weighs 1. This is `"balanced"`
      in scikit-learn;
    - `"median_frequency"`: `median(f) / f_c`, where `f_c` is `n_c` over the number of
      valid pixels in the images in which `c` appears;
    - `"effective_number"`: `(1 - beta) / (1 - beta ** n_c)`, scaled to a mean of 1.
      With hundreds of thousands of pixels per class, `beta` must be closer to 1 than
      the default, or all classes weigh the same.

    Void pixels and sample weights do not count. Soft labels count for their largest
    class. A class without a pixel weighs 0, and a warning names it.

    The form of labels is inferred from their shape: one-hot if `axis` has
    `num_classes` entries, otherwise sparse. If sparse labels only happen to have this
    size, add a last axis: `y[..., None]`.

    Only `"median_frequency"` depends on what an image is: each entry of the first
    axis is one. A batch of shape `(H, W)`, `(H, W, 1)` or `(H, W, num_classes)` is
    one image without a batch axis, and labels of shape `(N,)` are one image in total.

    Args:
        data: Labels, sparse `(N, ...)` or `(N, ..., 1)` or one-hot or soft
            `(N, ..., num_classes)`, of any integer or float dtype: an array; a tuple
            `(x, y)` or `(x, y, sample_weight)` of arrays; or batches as `fit` takes
            them (`tf.data.Dataset`, `keras.utils.PyDataset`, torch `DataLoader`,
            generator, list), each such a tuple or labels alone. Batches may differ in
            size.
        num_classes: Integer, 2 or more. With 2 classes, those of one sigmoid unit,
            floats between 0 and 1 are read as probabilities of class 1.
        ignore_class: Integer, tuple of integers, or None: ids of void. Ignored
            classes weigh 0. Defaults to `255`.
        method: String, one of the above. Defaults to `"inverse_frequency"`.
        beta: Float in `[0, 1)`, for `"effective_number"`. Defaults to `0.9999`.
        axis: Integer, the class axis of one-hot labels. Defaults to `-1`.
        steps: Integer, the number of batches to read, or None for all. Defaults to
            `None`.
        verbose: `"auto"` or 1 to show progress if counting takes over two seconds and
            Keras' interactive logging is on; 0 for never. Defaults to `"auto"`.

    Returns:
        NumPy float32 array of shape `(num_classes,)`.

    Raises:
        ValueError: If an argument is out of range, if a label is neither a class nor
            ignored, if the labels have another form, if all labels are void, or if the
            data are endless and `steps` is None.
        TypeError: If batches cannot be read from `data`.

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
            f"with num_classes={num_classes}, ignore_class={ignore_class}. If `data` "
            "is a generator that has been used before, create it again."
        )
    absent = np.flatnonzero(wanted & ~present).tolist()
    if absent:
        warnings.warn(
            f"No label in `data` has class {', '.join(map(str, absent))}: weight 0. A "
            "model cannot learn a class without labels. Read more data, check that "
            f"num_classes={num_classes} is right, or remove the class from the model.",
            stacklevel=2,
        )
    weights = np.zeros(num_classes)
    weights[present] = _weights(method, counts[present], areas[present], beta)
    return weights.astype("float32")


def _check(
    num_classes: int, ignored: tuple[int, ...], method: str, beta: float
) -> np.ndarray:
    """A boolean vector of the classes that are not ignored; raises on bad arguments."""
    is_integer = isinstance(num_classes, numbers.Integral)
    if not is_integer or num_classes < 2:  # this excludes bool, too
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
            f"`beta` must be at least 0 and below 1. Received: beta={beta!r}. At 0 all "
            "classes weigh the same; near 1 they weigh as their inverse frequency."
        )
    wanted = ~np.isin(np.arange(num_classes), ignored)
    if not wanted.any():
        raise ValueError(
            "`ignore_class` must leave at least one class. Received: "
            f"ignore_class={shown(ignored)}, num_classes={num_classes}. Pass only the "
            "ids of void."
        )
    return wanted


def _weights(
    method: str, counts: np.ndarray, areas: np.ndarray, beta: float
) -> np.ndarray:
    if method == "inverse_frequency":
        return counts.sum() / (len(counts) * counts)
    if method == "median_frequency":
        frequencies = counts / areas
        return np.median(frequencies) / frequencies
    with np.errstate(divide="ignore"):  # beta = 0
        log_beta = np.log1p(float(beta) - 1)
    weights = -1 / np.expm1(counts * log_beta)
    return weights / weights.mean()
