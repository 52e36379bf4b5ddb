"""All terms that losses need from a softmax and integer labels, with one gradient.

Only one copy and the gradient have the size of the logits: there are no one-hot labels
and no masked logits, which is where a masked loss usually spends its time.
"""

from collections.abc import Sequence
from typing import Any

from keras import ops

from keras_trainfix import backend
from keras_trainfix.labels.types import Tensor


def class_terms(
    logits: Tensor,
    ids: Tensor,
    valid: Tensor,
    weights: Tensor,
    needed: Sequence[str] = ("crossentropy", "region"),
) -> dict[str, Any]:
    """Cross-entropy of each pixel and region sums of each class, in one pass.

    With `p` the softmax of the logits and `y` the class of a pixel, these are

        crossentropy = -log(p[y])
        overlap[c] = sum of weights * p[c] over the pixels of class c
        predicted[c] = sum of weights * p[c] over all pixels

    Logits under void, NaN included, change neither the terms nor their gradient. NaN
    elsewhere makes the terms NaN.

    Args:
        logits: Float tensor `(N, K, L, C)`.
        ids: Integer tensor `(N, K, L)` of classes; any class under void.
        valid: Boolean tensor `(N, K, L)`.
        weights: Float tensor `(N, K, L)`, weights in the region sums; 0 where not
            valid.
        needed: Which of `"crossentropy"` and `"region"` to compute.

    Returns:
        Dict with the needed ones of `"crossentropy"`, `(N, K, L)`, and `"region"`, a
        tuple `(overlap, predicted)`, both `(N, C)`.
    """
    needed = tuple(needed)
    function = backend.custom_gradient(
        lambda *tensors: backend.run_compiled(_forward, tensors, needed),
        lambda kept, *slopes: backend.run_compiled(_backward, (*kept, *slopes), needed),
    )
    outputs = list(function(logits, ids, valid, weights))
    terms = {"crossentropy": outputs.pop(0)} if "crossentropy" in needed else {}
    return {**terms, "region": tuple(outputs)} if outputs else terms


def _forward(
    logits: Tensor, ids: Tensor, valid: Tensor, weights: Tensor, needed: Sequence[str]
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    has_crossentropy = "crossentropy" in needed
    at_ids, exps, inverse_sum = backend.softmax(logits, ids, log=has_crossentropy)
    at_ids = ops.where(valid, at_ids, 0)
    inverse_sum = ops.where(valid, inverse_sum, 0)
    outputs, kept = [], [exps, inverse_sum, ids]
    if has_crossentropy:
        outputs.append(-at_ids)
    if "region" in needed:
        correct = weights * (ops.exp(at_ids) if has_crossentropy else at_ids)
        weights = weights * inverse_sum
        overlap = backend.sums_by_class(correct, ids, exps.shape[-1])
        predicted = backend.product(ops.expand_dims(weights, -2), exps)
        outputs += [ops.sum(overlap, axis=1), ops.sum(predicted, axis=(1, 2))]
        kept.append(weights)
    return tuple(outputs), tuple(kept)


def _backward(*arguments: Any) -> Tensor:
    """The gradient from what `_forward` kept, the slopes of its outputs, `needed`."""
    exps, inverse_sum, ids, *others, needed = arguments
    # p * (slope - mean slope) of a softmax; the slope of the label is added last.
    # Augmented assignment saves a temporary where tensors are mutable.
    at_label = 0
    weights = others.pop(0) if "region" in needed else None  # times `inverse_sum`
    if "crossentropy" in needed:
        slope = others.pop(0)
        at_label = ops.where(inverse_sum != 0, -slope, 0)
    if "region" not in needed:
        gradient = exps * ops.expand_dims(-at_label * inverse_sum, -1)
        return backend.add_at_class(gradient, ids, at_label)
    of_overlap, of_predicted = others
    of_label = backend.of_class(of_overlap, ids)
    of_label *= weights
    of_label *= backend.at_class(exps, ids)
    of_label += at_label
    flat = ops.reshape(exps, (ops.shape(exps)[0], -1, exps.shape[-1]))
    mean = backend.product(flat, ops.expand_dims(of_predicted, -1))
    mean = ops.reshape(mean, ops.shape(ids))
    mean *= weights
    mean += of_label
    mean *= -inverse_sum
    gradient = backend.scaled_and_shifted(of_predicted, weights, mean)
    gradient *= exps
    return backend.add_at_class(gradient, ids, of_label)
