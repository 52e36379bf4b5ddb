"""What losses need of a softmax and integer labels, with one gradient for all of it.

Nothing of the size of the logits is made but one copy and the gradient: no one-hot
labels, no masked logits. That is where the time of a masked loss goes.
"""

import functools

from keras import ops

from keras_trainfix import backend


def class_terms(logits, ids, valid, weights, needed=("crossentropy", "region")):
    """Cross-entropy of each pixel and region sums of each class, in one pass.

    With `p` the softmax of the logits and `y` the class of a pixel these are

        crossentropy = -log(p[y])
        overlap[c] = sum of weights * p[c] over the pixels of class c
        predicted[c] = sum of weights * p[c] over all pixels

    Whatever is under void, NaN included, changes neither them nor their gradient. A
    NaN elsewhere makes them NaN.

    Args:
        logits: Float tensor `(N, K, L, C)`.
        ids: Integer tensor `(N, K, L)`, classes; any class under void.
        valid: Boolean tensor `(N, K, L)`.
        weights: Float tensor `(N, K, L)` of the region sums; 0 where not valid.
        needed: Which of `"crossentropy"` and `"region"` to compute.

    Returns:
        Dict with `"crossentropy"`, `(N, K, L)`, and `"region"`, a tuple of
        `(overlap, predicted)`, both `(N, C)`; whichever are needed.
    """
    function = backend.custom_gradient(
        functools.partial(_forward, needed), functools.partial(_backward, needed)
    )
    outputs = list(function(logits, ids, valid, weights))
    terms = {"crossentropy": outputs.pop(0)} if "crossentropy" in needed else {}
    return {**terms, "region": tuple(outputs)} if outputs else terms


def _forward(needed, logits, ids, valid, weights):
    has_crossentropy = "crossentropy" in needed
    at_ids, parts, share = backend.softmax(logits, ids, log=has_crossentropy)
    at_ids = ops.where(valid, at_ids, 0)
    share = ops.where(valid, share, 0)
    outputs, kept = [], [parts, share, ids]
    if has_crossentropy:
        outputs.append(-at_ids)
    if "region" in needed:
        correct = weights * (ops.exp(at_ids) if has_crossentropy else at_ids)
        weights = weights * share
        overlap = backend.sums_by_class(correct, ids, parts.shape[-1])
        predicted = backend.product(ops.expand_dims(weights, -2), parts)
        outputs += [ops.sum(overlap, axis=1), ops.sum(predicted, axis=(1, 2))]
        kept.append(weights)
    return tuple(outputs), tuple(kept)


def _backward(needed, kept, *gradients):
    parts, share, ids, *kept = kept
    # p * (slope - mean slope) of a softmax, where the slope of the label is added last.
    # Augmented assignment saves the memory of a temporary where tensors are mutable.
    at_label = 0
    if "crossentropy" in needed:
        at_label = ops.where(share != 0, -gradients[0], 0)
    if "region" not in needed:
        gradient = parts * ops.expand_dims(-at_label * share, -1)
        return backend.add_at_class(gradient, ids, at_label)
    (weights,) = kept  # times the share
    of_overlap, of_predicted = gradients[-2:]
    of_label = backend.of_class(of_overlap, ids)
    of_label *= weights
    of_label *= backend.at_class(parts, ids)
    of_label += at_label
    flat = ops.reshape(parts, (ops.shape(parts)[0], -1, parts.shape[-1]))
    mean = backend.product(flat, ops.expand_dims(of_predicted, -1))
    mean = ops.reshape(mean, ops.shape(ids))
    mean *= weights
    mean += of_label
    mean *= -share
    gradient = backend.scaled_and_shifted(of_predicted, weights, mean)
    gradient *= parts
    return backend.add_at_class(gradient, ids, of_label)
