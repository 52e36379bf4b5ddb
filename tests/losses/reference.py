"""The losses as their docstrings define them, in float64 NumPy, and their gradients.

Nothing here is shared with the package, and void pixels are dropped, not masked. The
end of the module runs the package itself.
"""

import functools
import itertools
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from keras_trainfix import backend

BACKEND = keras.backend.backend()

# Relative and absolute tolerance of values and gradients. In float64, the central
# differences are the limit.
TOLERANCE = {"float32": 1e-5, "float64": 2e-7}


class Batch(NamedTuple):
    """`N` images of `P` pixels and `C` classes, flattened."""

    targets: np.ndarray  # (N, P, C), rows
    scores: np.ndarray  # (N, P, C), logits or probabilities
    valid: np.ndarray  # (N, P)
    weights: np.ndarray  # (N, P), the sample weights
    per_sample: bool  # whether the sample weights are weights of images
    exclusive: bool  # exactly one class is right: a softmax
    from_logits: bool
    pixels: tuple = ()  # the shape that was flattened to (N, P)


# --- cross-entropy ---


def masked_crossentropy(
    batch,
    class_weight=None,
    label_smoothing=0.0,
    focal_gamma=0.0,
    top_k=None,
    reduction="mean",
):
    targets, scores = batch.targets[batch.valid], batch.scores[batch.valid]
    channels = targets.shape[-1]
    present, absent = log_probabilities(scores, batch)
    focal = (1 - np.exp(present)) ** focal_gamma
    kept, spread = 1 - label_smoothing, label_smoothing
    weights = batch.weights[batch.valid]
    by_class = class_weights(class_weight, max(channels, 2))
    if batch.exclusive:
        smooth = kept * targets + spread / channels
        losses = np.sum(smooth * focal * -present, axis=-1)
        weights = weights * (targets @ by_class)
    else:
        smooth = kept * targets + spread / 2
        losses = smooth * focal * -present
        losses += (1 - smooth) * (1 - np.exp(absent)) ** focal_gamma * -absent
        if channels == 1:
            losses = losses[:, 0]
            weights = weights * (
                targets[:, 0] * by_class[1] + (1 - targets[:, 0]) * by_class[0]
            )
        else:
            # The mean over classes, in the proportion of their weights.
            shares = by_class / max(by_class.sum(), 1e-30)
            losses = losses @ shares
    if top_k is not None:
        counted = np.sum(weights > 0)
        number = top_k if isinstance(top_k, int) else int(np.ceil(top_k * counted))
        order = np.argsort(-np.where(weights > 0, weights * losses, -1), kind="stable")
        weights[order[number:]] = 0
    if reduction == "none":
        values = np.zeros(batch.valid.shape)
        values[batch.valid] = weights * losses
        return values
    return reduce(losses, weights, reduction)


def log_probabilities(scores, batch):
    """`log(p)` and `log(1 - p)` of every class."""
    if not batch.from_logits:
        with np.errstate(divide="ignore"):
            return np.log(scores), np.log(1 - scores)
    if batch.exclusive:
        shifted = scores - scores.max(axis=-1, keepdims=True)
        log = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
        return log, None
    return -np.logaddexp(0, -scores), -np.logaddexp(0, scores)


def class_weights(class_weight, number):
    if isinstance(class_weight, dict):
        return np.array([class_weight.get(c, 1.0) for c in range(number)], float)
    if class_weight is None:
        return np.ones(number)
    return np.array(class_weight, float)


def reduce(values, weights, reduction):
    if reduction == "none":
        return weights * values
    total = np.sum(weights * values)
    if reduction == "sum" or np.sum(weights) == 0:
        return total
    return total / np.sum(weights)


# --- losses of regions ---


def masked_soft_dice(
    batch,
    class_weight=None,
    scope="image",
    include_background=True,
    include_absent=False,
    squared=False,
    generalized=None,
    log_cosh=False,
    smooth=0.0,
    reduction="mean",
):
    power = 2 if squared else 1

    def of_unit(t, p, w):
        overlap = w @ (t * p)
        labeled, predicted = w @ t**power, w @ p**power
        weights = weights_of_classes(t, class_weight, include_background)
        share = predicted / w.sum()
        if generalized:
            exponent = {"square": 2, "simple": 1, "uniform": 0}[generalized]
            here = (labeled > 0) & (weights > 0)
            together = 0.0
            if here.any():
                # Weights are relative to the smallest class that counts.
                smallest = labeled[here].min()
                by_size = weights[here] * (smallest / labeled[here]) ** exponent
                above = 2 * by_size @ overlap[here] + smooth
                below = by_size @ (labeled + predicted)[here] + smooth
                together = 1 - above / below
            values = np.where(labeled > 0, together, share)
            present = labeled > 0
            return mean_over_classes(batch, values, present, weights, include_absent)
        total = labeled + predicted
        with np.errstate(invalid="ignore"):
            values = 1 - (2 * overlap + smooth) / (total + smooth)
        if not smooth:
            values = np.where(labeled > 0, values, share)
        return mean_over_classes(batch, values, labeled > 0, weights, include_absent)

    def value(t, p, w):
        found = of_unit(t, p, w)
        return np.log(np.cosh(found)) if log_cosh else found

    return over_units(batch, scope, reduction, value)


def masked_tversky(
    batch,
    class_weight=None,
    alpha=0.5,
    beta=0.5,
    gamma=1.0,
    scope="image",
    include_background=True,
    include_absent=False,
    smooth=0.0,
    reduction="mean",
):
    def value(t, p, w):
        hits, alarms, misses = w @ (t * p), w @ ((1 - t) * p), w @ (t * (1 - p))
        total = hits + alpha * alarms + beta * misses
        present = w @ t > 0
        with np.errstate(invalid="ignore"):
            values = 1 - (hits + smooth) / (total + smooth)
        if not smooth:
            values = np.where(present, values, w @ p / w.sum())
        values = values**gamma
        weights = weights_of_classes(t, class_weight, include_background)
        return mean_over_classes(batch, values, present, weights, include_absent)

    return over_units(batch, scope, reduction, value)


def masked_lovasz(
    batch,
    class_weight=None,
    scope="image",
    include_background=True,
    include_absent=False,
    hinge=False,
    reduction="mean",
):
    def value(t, p, w):
        labels = t > 0.5
        if batch.exclusive:
            labels = np.eye(t.shape[-1], dtype=bool)[t.argmax(axis=-1)]
        errors = np.abs(labels - p)
        if hinge:
            errors = np.maximum(0, np.where(labels, 1 - p, 1 + p))
        values = [extension(*pair, w) for pair in zip(errors.T, labels.T, strict=True)]
        weights = weights_of_classes(t, class_weight, include_background)
        present = labels.any(axis=0)
        values = np.array(values)
        return mean_over_classes(batch, values, present, weights, include_absent)

    return over_units(batch, scope, reduction, value, scores=hinge)


def extension(errors, labels, weights):
    """The integral over all levels of `1 - IoU` if larger errors count as wrong."""
    levels = np.unique([0, *errors])
    wrong = errors >= levels[1:, None]
    losses = wrong @ weights / ((wrong | labels) @ weights)
    return np.diff(levels) @ losses


# --- losses of shapes ---


def masked_cl_dice(
    batch,
    class_weight=None,
    iterations=3,
    scope="image",
    include_background=False,
    include_absent=False,
    smooth=1.0,
    reduction="mean",
):
    channels = batch.targets.shape[-1]

    def value(both, found, w):
        (t, lines), (p, found_lines) = (
            np.split(part, [channels], axis=-1) for part in (both, found)
        )
        with np.errstate(invalid="ignore"):
            precision = (w @ (found_lines * t) + smooth) / (w @ found_lines + smooth)
            sensitivity = (w @ (lines * p) + smooth) / (w @ lines + smooth)
            precision, sensitivity = (
                np.where(np.isnan(part), 1, part) for part in (precision, sensitivity)
            )
            together = 2 * precision * sensitivity / (precision + sensitivity)
        values = 1 - np.where(precision + sensitivity > 0, together, 0)
        present = w @ t > 0
        values = np.where(present, values, w @ p / w.sum())
        weights = weights_of_classes(t, class_weight, include_background)
        return mean_over_classes(batch, values, present, weights, include_absent)

    p = probabilities_of(batch)
    pairs = [
        np.concatenate([part, skeletons(batch, part, iterations)], axis=-1)
        for part in (batch.targets, p)
    ]
    batch = batch._replace(targets=pairs[0], scores=pairs[1], from_logits=False)
    return over_units(batch, scope, reduction, value)


def masked_boundary(
    batch, class_weight=None, include_background=False, spacing=None, reduction="mean"
):
    p = probabilities_of(batch)
    signed = signed_distances(batch, hard_labels(batch), spacing)
    return pixel_mean(batch, signed * p, class_weight, include_background, reduction)


def masked_hausdorff(
    batch,
    class_weight=None,
    include_background=False,
    alpha=2.0,
    spacing=None,
    reduction="mean",
):
    p = probabilities_of(batch)
    far = np.abs(signed_distances(batch, hard_labels(batch), spacing)) ** alpha
    far += np.abs(signed_distances(batch, p > 0.5, spacing)) ** alpha
    values = (p - batch.targets) ** 2 * far
    return pixel_mean(batch, values, class_weight, include_background, reduction)


def pixel_mean(batch, values, class_weight, include_background, reduction):
    weights = weights_of_classes(values, class_weight, include_background)
    values = values @ (weights / max(weights.sum(), 1e-30))
    if reduction == "none":
        return np.where(batch.valid, batch.weights * values, 0)
    valid = batch.valid
    return reduce(values[valid], batch.weights[valid], reduction)


def hard_labels(batch):
    if batch.exclusive:
        channels = batch.targets.shape[-1]
        return np.eye(channels, dtype=bool)[batch.targets.argmax(axis=-1)]
    return batch.targets > 0.5


def signed_distances(batch, masks, spacing=None):
    """To the nearest valid pixel across the boundary, of all of them one by one."""
    places = np.argwhere(np.ones(batch.pixels[1:])) * (
        1 if spacing is None else spacing
    )
    found = np.zeros(masks.shape)
    for image, valid in enumerate(batch.valid):
        for index in range(masks.shape[-1]):
            mask = masks[image, :, index]
            for side, sign in ((mask, -1), (~mask, 1)):
                others = places[valid & ~side]
                for pixel in np.flatnonzero(valid & side):
                    steps = others - places[pixel]
                    squared = (steps**2).sum(axis=-1)
                    if len(others):
                        found[image, pixel, index] = sign * np.sqrt(squared.min())
    return found


def probabilities_of(batch):
    if not batch.from_logits:
        return batch.scores
    return np.exp(log_probabilities(batch.scores, batch)[0])


def skeletons(batch, values, iterations):
    """The soft skeletons of `values`, (N, P, C)."""
    unknown = ~batch.valid.reshape(batch.pixels)
    image = values.reshape(*batch.pixels, -1).copy()
    image[unknown] = np.nan
    skeleton = np.zeros(image.shape)
    rank = len(batch.pixels) - 1
    square = list(itertools.product((-1, 0, 1), repeat=rank))
    cross = [offset for offset in square if np.count_nonzero(offset) <= 1]
    for _ in range(iterations + 1):
        eroded = extreme(np.nanmin, image, cross, unknown)
        edge = np.maximum(image - extreme(np.nanmax, eroded, square, unknown), 0)
        skeleton = skeleton + np.maximum(edge - skeleton * edge, 0)
        image = eroded
    return np.where(unknown[..., None], 0, skeleton).reshape(values.shape)


def extreme(function, image, offsets, unknown):
    """The extreme of the valid pixels at some offsets of each pixel."""
    rank = len(offsets[0])
    edges = [(0, 0), *[(1, 1)] * rank, (0, 0)]
    padded = np.pad(image, edges, constant_values=np.nan)
    shifted = [
        padded[
            (
                slice(None),
                *(
                    slice(1 + step, 1 + step + size)
                    for step, size in zip(offset, image.shape[1:-1], strict=True)
                ),
            )
        ]
        for offset in offsets
    ]
    found = np.full(image.shape, np.nan)
    found[~unknown] = function(np.stack(shifted)[:, ~unknown], axis=0)
    return found


def over_units(batch, scope, reduction, value, scores=False):
    """The mean of `value(targets, probabilities, weights)` over images, or once."""
    units = range(len(batch.valid)) if scope == "image" else [slice(None)]
    values, weights = np.zeros(len(units)), np.zeros(len(units))
    for index, unit in enumerate(units):
        valid = batch.valid[unit]
        if not valid.any():
            continue
        t, s = batch.targets[unit][valid], batch.scores[unit][valid]
        w = batch.weights[unit][valid]
        weights[index] = 1
        if scope == "image" and batch.per_sample:
            weights[index], w = w[0], np.ones(len(w))
        p = s
        if batch.from_logits and not scores:
            p = np.exp(log_probabilities(s, batch)[0])
        values[index] = value(t, p, w)
    return reduce(values, weights, reduction)


def weights_of_classes(targets, class_weight, include_background):
    channels = targets.shape[-1]
    if channels == 1:
        return class_weights(class_weight, 2)[1:]
    weights = class_weights(class_weight, channels)
    if not include_background:
        weights[0] = 0
    return weights


def mean_over_classes(batch, values, present, weights, include_absent):
    here = present & (weights > 0)
    if batch.exclusive and not include_absent and here.any():
        return mean(values[here], weights[here])
    return mean(values, weights)


def mean(values, weights):
    total = weights.sum()
    return weights @ values / total if total else 0.0


def weighted_sum(batch, losses, weights):
    """The sum over pairs of a function above and its arguments."""
    return sum(
        weight * function(batch, **arguments)
        for (function, arguments), weight in zip(losses, weights, strict=True)
    )


# --- gradients ---


def slopes(function, batch, at, step=1e-7):
    """Central differences of `function(batch)` in the scores at some indices."""
    found = []
    for index in at:
        ends = []
        for change in (step, -step):
            scores = batch.scores.copy()
            scores[index] += change
            ends.append(function(batch._replace(scores=scores)))
        found.append((ends[0] - ends[1]) / (2 * step))
    return np.array(found)


# --- the package ---


def array(tensor):
    return backend.to_numpy(ops.stop_gradient(tensor))


def tensor(values, dtype=None):
    return ops.convert_to_tensor(values, dtype)


def value_and_gradient(loss, y_true, y_pred, sample_weight=None, mode="eager"):
    """`loss` of a batch and its gradient with respect to `y_pred`, as arrays.

    The gradient is that of the sum of all values times `cotangent(shape)`.

    Args:
        loss: Function of `y_true`, `y_pred` and `sample_weight`. It is compiled once
            per mode and shape: pass the same object again to reuse it.
        y_true: Array or tensor.
        y_pred: Array or tensor.
        sample_weight: Array, tensor or None.
        mode: `"eager"`, or one of `COMPILED`.
    """
    found = _differentiated(loss, mode)(tensor(y_pred), y_true, sample_weight)
    return tuple(map(array, found))


def cotangent(shape):
    return np.cos(np.arange(np.prod(shape, dtype=int))).reshape(shape)


COMPILED = {"jax": ["jit"], "tensorflow": ["graph", "xla"], "torch": []}[BACKEND]


@functools.lru_cache(maxsize=64)
def _differentiated(loss, mode):
    """A function of `y_pred`, `y_true` and `sample_weight`: `(value, gradient)`."""

    def total(y_pred, y_true, sample_weight):
        value = loss(y_true, y_pred, sample_weight=sample_weight)
        factor = cotangent(tuple(value.shape))
        return ops.sum(value * ops.cast(factor, value.dtype)), value

    if BACKEND == "jax":
        import jax

        function = jax.value_and_grad(total, has_aux=True)
        function = jax.jit(function) if mode == "jit" else function

        def run(*arguments):
            (_, value), gradient = function(*arguments)
            return value, gradient

        return run
    if BACKEND == "tensorflow":
        import tensorflow as tf

        def run(y_pred, *arguments):
            with tf.GradientTape() as tape:
                tape.watch(y_pred)
                scalar, value = total(y_pred, *arguments)
            return value, tape.gradient(scalar, y_pred)

        if mode == "eager":
            return run
        return tf.function(run, jit_compile=mode == "xla")

    def run(y_pred, *arguments):
        y_pred = y_pred.clone().requires_grad_()
        scalar, value = total(y_pred, *arguments)
        scalar.backward()
        return value, y_pred.grad

    return run
