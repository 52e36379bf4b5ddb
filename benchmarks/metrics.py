"""Times an eager mean IoU update from logits with 5 % void pixels."""

import functools
import importlib.util
import os
import warnings

import keras
import numpy as np
from keras import ops

import keras_trainfix as kt
from benchmarks.measure import in_turns, peak_memory, print_table

CLASSES = 21
SHAPE = (8, 512, 512)
IS_TORCH = keras.backend.backend() == "torch"
# On torch, Keras counts pixels in a Python loop: half a minute for `SHAPE`.
PART = (1, 64, 64)
KERAS = "keras MeanIoU" + (" (1x64x64, scaled by pixels)" if IS_TORCH else "")
REFERENCE = "argmax and numpy.bincount"
LIMITS = [  # (contestant, reference, maximum ratio)
    ("MeanIoU", KERAS, 1 / 10 if IS_TORCH else 1 / 3),
    ("MeanIoU", REFERENCE, 1.2),
    ("MeanIoU", "torchmetrics", 1.0),
    ("MeanIoU", "torchmetrics, unchecked", 1.0),
    ("MeanIoU, classes first", "torchmetrics, classes first", 1.0),
    ("MeanIoU, classes first", "torchmetrics, unchecked, classes first", 1.0),
]
MEMORY_LIMIT = 12  # bytes per pixel
KINDS = ("tensors", "NumPy arrays")


def batch(shape):
    """Logits, and labels with void."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, CLASSES, shape, dtype="int32")
    labels[rng.random(shape) < 0.05] = 255
    return rng.standard_normal((*shape, CLASSES), dtype="float32"), labels


def contestants(logits, labels):
    """Dict of name to a function without arguments that counts a batch again.

    Each returns its counts on the host, so it returns only when the work is done.
    """
    z, y = ops.convert_to_tensor(logits), ops.convert_to_tensor(labels)
    weights = np.random.default_rng(2).random(labels.shape, "float32")
    weights = ops.convert_to_tensor(weights)
    runs = {
        "MeanIoU": ours(y, z),
        "MeanIoU, NumPy arrays": ours(labels, logits),
        "MeanIoU, weights of pixels": ours(y, z, weights),
        REFERENCE: lambda: bincount(labels, arg_max(z)),
        # Labels known to be 0 to 20 or 255 need no mask.
        "fastest argmax and bincount, unchecked": lambda: bincount_of_bytes(
            labels, fastest_arg_max(z)
        ),
        "numpy.argmax and numpy.bincount": lambda: bincount(labels, logits.argmax(-1)),
    }
    if not IS_TORCH:
        runs[KERAS] = of_keras(labels, logits)
    elif importlib.util.find_spec("torchmetrics"):
        runs |= torch_peers(y, z)
    return runs


def ours(y, z, weights=None, axis=-1):
    metric = kt.MeanIoU(CLASSES, axis=axis)

    def run():
        metric.update_state(y, z, weights)
        return metric.confusion_matrix()

    return run


def of_keras(labels, logits):
    metric = keras.metrics.MeanIoU(CLASSES, ignore_class=255, sparse_y_pred=False)
    y, z = ops.convert_to_tensor(labels), ops.convert_to_tensor(logits)

    def run():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it requests 64 bits from JAX
            metric.update_state(y, z)
        return ops.convert_to_numpy(metric.total_cm.value)

    return run


def torch_peers(y, z):
    from torchmetrics.classification import MulticlassJaccardIndex

    # torchmetrics expects classes on axis 1. A Keras model has them last, so they are
    # moved, which copies nothing; each is also measured on channels-first logits.
    first = z.movedim(-1, 1).contiguous()

    def jaccard(z, **arguments):
        metric = MulticlassJaccardIndex(CLASSES, ignore_index=255, **arguments)

        def run():
            metric.update(z, y)
            return metric.confmat.cpu().numpy()

        return run

    return {
        "torchmetrics": jaccard(z.movedim(-1, 1)),
        "torchmetrics, unchecked": jaccard(z.movedim(-1, 1), validate_args=False),
        "MeanIoU, classes first": ours(y, first, axis=1),
        "torchmetrics, classes first": jaccard(first),
        "torchmetrics, unchecked, classes first": jaccard(first, validate_args=False),
    }


def arg_max(z):
    """The backend's arg-max, as a NumPy array."""
    if IS_TORCH:
        return z.argmax(-1).cpu().numpy()
    return np.asarray(_compiled_arg_max()(z))


def fastest_arg_max(z):
    """The same, but on torch `max` is faster than `argmax`."""
    return z.max(-1).indices.cpu().numpy() if IS_TORCH else arg_max(z)


@functools.cache
def _compiled_arg_max():
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(lambda z: jax.numpy.argmax(z, -1))
    import tensorflow as tf

    return tf.function(
        lambda z: tf.argmax(z, -1, output_type="int32"),
        jit_compile=True,
        autograph=False,
    )


def bincount(labels, predictions):
    valid = labels != 255
    cells = labels[valid] * CLASSES + predictions[valid]
    return np.bincount(cells, minlength=CLASSES**2).reshape(CLASSES, CLASSES)


def bincount_of_bytes(labels, predictions):
    cells = (labels * CLASSES + predictions).ravel()
    return np.bincount(cells, minlength=256 * CLASSES).reshape(256, CLASSES)[:CLASSES]


def updates_of(kind, shape, number=2):
    """A few updates, for measuring memory; only creates the batch if `number` is 0."""
    library = ops if kind == "tensors" else np  # each creates the batch without copies
    labels = library.full(shape, 1, dtype="int32")
    logits = library.full((*shape, CLASSES), 0.5, dtype="float32")
    float(logits[0, 0, 0, 0])  # waits for the arrays
    metric = kt.MeanIoU(CLASSES)
    for _ in range(number):
        metric.update_state(labels, logits)
        metric.confusion_matrix()


def extra_memory(kind):
    """Peak memory of an update on top of the batch: bytes, and bytes per further pixel.

    The latter is the difference between two sizes, so fixed costs such as the compiler
    and the chunk being counted are left out.
    """
    small, large = SHAPE, (5 * SHAPE[0], *SHAPE[1:])

    def beyond(shape):
        without, peak = (
            peak_memory(
                f"from benchmarks import metrics as b; b.updates_of{kind, shape, n}"
            )
            for n in (0, 2)
        )
        return peak - without

    little, much = beyond(small), beyond(large)
    return little, (much - little) / (np.prod(large) - np.prod(small))


def main():
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logits, labels = batch(SHAPE)
    seconds = in_turns(contestants(logits, labels), rounds=11, repeats=2)
    if IS_TORCH:
        part = tuple(map(slice, PART))
        run = of_keras(labels[part], logits[part])
        scale = labels.size / labels[part].size
        seconds[KERAS] = in_turns({KERAS: run}, rounds=1, repeats=1)[KERAS] * scale
        if not importlib.util.find_spec("torchmetrics"):
            print("\ntorchmetrics is not installed, and left out")
    print_table(f"one update, {'x'.join(map(str, SHAPE))}", seconds, REFERENCE)
    for name, theirs, limit in LIMITS:
        if theirs in seconds:
            ratio = seconds[name] / seconds[theirs]
            print(f"{name} / {theirs}: {ratio:.3g} (at most {limit:.2g})")
    print("\nextra memory, in all and in bytes for each further pixel")
    for kind in KINDS:
        total, slope = extra_memory(kind)
        print(
            f"MeanIoU, {kind}: {total / 2**20:.0f} MiB, {slope:.1f} "
            f"(at most {MEMORY_LIMIT})"
        )
