"""Times updates of metrics on logits with 5 % void pixels, and one small image.

Each shape is measured compiled (on TensorFlow and JAX, by XLA) and eagerly. An update
includes that its counts can be read. The floor reads the logits once. The environment
variables are those of `benchmarks.losses`.
"""

import functools
import importlib.util
import json
import os
import warnings

import keras
import numpy as np
from keras import ops

import keras_trainfix as kt
from benchmarks import records
from benchmarks.losses import MODES, SHAPES, batch, rows_of
from benchmarks.measure import extra_memory

IS_TORCH = keras.backend.backend() == "torch"
FLOOR = "floor: logits read"
SMALL = (1, 256, 256, 21)
KERAS = "Keras MeanIoU"
REFERENCE = "arg-max and numpy.bincount"
NUMPY = "MeanIoU, NumPy arrays"
LIMITS = [  # (contestant, reference, maximum ratio)
    ("MeanIoU", KERAS, 1 / 3),
    ("MeanIoU", REFERENCE, 1.2),
    ("MeanIoU", "torchmetrics", 1.0),
    ("MeanIoU, classes first", "torchmetrics, classes first", 1.0),
    (NUMPY, "MeanIoU", 1.5),
]
SMALL_LIMITS = [
    ("MeanIoU update, NumPy", "Keras MeanIoU update, NumPy", 1.0),
    ("MeanIoU update, tensors", "Keras MeanIoU update, tensors", 1.0),
    ("MeanIoU update, NumPy", "MeanIoU update, tensors", 1.5),
    ("MeanIoU result", "Keras MeanIoU result", 1.0),
    ("MaskedCrossentropy, NumPy", "Keras crossentropy, NumPy", 1.0),
    ("MaskedCrossentropy, tensors", "Keras crossentropy, tensors", 1.0),
]
MEMORY_LIMIT = 12, 2 * 2**20  # bytes per pixel, and once
# Which metrics of others do the same.
COUNTERPARTS = {
    "MeanIoU": [KERAS, "torchmetrics", REFERENCE],
    "MeanIoU, classes first": ["torchmetrics, classes first"],
    "MeanIoU, multi_label": ["torchmetrics, multi-label"],
    "MeanIoU, scope='image'": ["MONAI MeanIoU"],
    "DiceScore, scope='image'": ["MONAI DiceMetric"],
    "SurfaceDistances": ["MONAI Hausdorff and surface distances"],
} | {ours: [theirs] for ours, theirs, _ in SMALL_LIMITS if theirs.startswith("Keras")}


def ours(shape, mode):
    """Dict of name to `(metric, which labels, has weights)`."""
    classes, is_2d = shape[-1], len(shape) == 4
    multi_label = kt.MeanIoU(classes, multi_label=True, from_logits=True)
    metrics = {
        "MeanIoU": (kt.MeanIoU(classes), "ids", False),
        "MeanIoU, weights of pixels": (kt.MeanIoU(classes), "ids", True),
        "MeanIoU, multi_label": (multi_label, "rows", False),
        "MeanIoU, multi_label, weights": (multi_label, "rows", True),
        "MeanIoU, scope='image'": (kt.MeanIoU(classes, scope="image"), "ids", False),
        "DiceScore": (kt.DiceScore(classes), "ids", False),
        "DiceScore, scope='image'": (
            *(kt.DiceScore(classes, scope="image"), "ids", False),
        ),
        "PixelAccuracy": (kt.PixelAccuracy(classes), "ids", False),
        "ConfusionMatrix": (kt.ConfusionMatrix(classes), "ids", False),
        "MaskedMean of MaskedCrossentropy": (
            *(kt.MaskedMean(kt.MaskedCrossentropy(from_logits=True)), "ids", False),
        ),
        "PredictionSpread": (
            *(kt.PredictionSpread(ignore_class=255, from_logits=True), "ids", False),
        ),
    }
    if is_2d:
        metrics["BoundaryIoU"] = (kt.BoundaryIoU(classes), "ids", False)
    if mode == "eager" and importlib.util.find_spec("scipy"):
        metrics["SurfaceDistances"] = (kt.SurfaceDistances(classes), "ids", False)
    return metrics


def update(metric, mode, y, z, weights=None):
    """A function without arguments that returns once a batch is in the counts."""
    backend = keras.backend.backend()
    if not metric.variables:  # they depend on the batch
        metric.update_state(y[:1], z[:1])
    state = metric.variables[0]
    if mode == "compiled" and backend == "jax":
        import jax

        run = jax.jit(metric.stateless_update_state)
        values = [variable.value for variable in metric.variables]
        return lambda: jax.block_until_ready(run(values, y, z, weights))
    if mode == "compiled":
        import tensorflow as tf

        run = tf.function(metric.update_state, jit_compile=True, autograph=False)
    else:
        run = metric.update_state

    def counted():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras requests 64 bits from JAX
            run(y, z, weights)
        return np.asarray(ops.convert_to_numpy(state.value)).flat[0]

    return counted


def builders(shape, mode):
    """Dict of name to a function that builds what a contestant runs."""
    arrays = logits, labels = batch(shape)
    weights = np.random.default_rng(2).random(labels.shape, "float32")
    z, y, weights = map(ops.convert_to_tensor, (*arrays, weights))
    made = {FLOOR: functools.partial(read, z, mode)}
    rows = functools.cache(lambda: ops.convert_to_tensor(rows_of(*arrays)))

    def build(metric, kind, has_weights):
        batch = (y if kind == "ids" else rows()), z
        return update(metric, mode, *batch, weights if has_weights else None)

    for name, contestant in ours(shape, mode).items():
        made[name] = functools.partial(build, *contestant)
    if not IS_TORCH:  # on torch it counts pixels in a Python loop: half a minute
        theirs = keras.metrics.MeanIoU(shape[-1], ignore_class=255, sparse_y_pred=False)
        made[KERAS] = functools.partial(build, theirs, "ids", False)
    if mode == "eager":
        metric = kt.MeanIoU(shape[-1])
        made[NUMPY] = lambda: update(metric, mode, labels, logits)
        made[REFERENCE] = functools.partial(bincount, logits, labels)
    if IS_TORCH:
        made |= of_torch(z, y, rows)
    return made


def read(logits, mode):
    """Reads the logits once."""
    logits = ops.convert_to_tensor(logits)
    largest = ops.max
    if keras.backend.backend() == "jax":
        import jax

        largest = jax.jit(ops.max)
    elif mode == "compiled":
        import tensorflow as tf

        largest = tf.function(tf.reduce_max, jit_compile=True, autograph=False)
    return lambda: float(largest(logits))


def bincount(logits, labels):
    """The fastest arg-max of the backend, and a confusion matrix by NumPy."""
    z, classes = ops.convert_to_tensor(logits), logits.shape[-1]
    arg_max = functools.partial(ops.argmax, axis=-1)
    if IS_TORCH:
        arg_max = lambda z: z.max(-1).indices  # noqa: E731 - faster than `argmax`
    elif keras.backend.backend() == "jax":
        import jax

        arg_max = jax.jit(lambda z: jax.numpy.argmax(z, -1))
    else:
        import tensorflow as tf

        arg_max = tf.function(
            lambda z: tf.argmax(z, -1, output_type="int32"),
            **{"jit_compile": True, "autograph": False},
        )

    def run():
        found = np.asarray(ops.convert_to_numpy(arg_max(z)))
        valid = labels != 255
        cells = labels[valid] * classes + found[valid]
        counts = np.bincount(cells, minlength=classes**2)
        return counts.reshape(classes, classes)

    return run


def of_torch(z, y, rows):
    """Metrics for torch. They expect classes on axis 1, see `losses.of_torch`."""
    made, classes = {}, z.shape[-1]
    moved = z.movedim(-1, 1)
    if importlib.util.find_spec("torchmetrics"):
        from torchmetrics import classification as torchmetrics

        def jaccard(z, first=False):
            z = z.contiguous() if first else z
            metric = torchmetrics.MulticlassJaccardIndex(classes, ignore_index=255)
            return lambda: (metric.update(z, y), metric.confmat.cpu().numpy())[1]

        def multi_label():
            y = rows().long().movedim(-1, 1)
            metric = torchmetrics.MultilabelJaccardIndex(classes, ignore_index=255)
            return lambda: (metric.update(moved, y), metric.confmat.cpu().numpy())

        def ours_first():
            metric = kt.MeanIoU(classes, axis=1)
            return update(metric, "eager", y, moved.contiguous())

        made |= {
            "torchmetrics": lambda: jaccard(moved),
            "torchmetrics, classes first": lambda: jaccard(moved, first=True),
            "MeanIoU, classes first": ours_first,
            "torchmetrics, multi-label": multi_label,
        }
    if importlib.util.find_spec("monai"):
        made |= of_monai(moved, y % 255, classes)
    return made


def of_monai(z, y, classes):
    """Its metrics want binary rows, which are part of their price; no void."""
    import torch
    from monai import metrics

    def rows(ids):
        ids = ids.long()
        return torch.nn.functional.one_hot(ids, classes).movedim(-1, 1)

    def run(*measures):
        def of_batch():
            predicted, labeled = rows(z.max(1).indices), rows(y)
            for metric in measures:
                metric.reset()
                metric(y_pred=predicted, y=labeled)
                metric.aggregate()

        return of_batch

    surfaces = (
        metrics.HausdorffDistanceMetric(percentile=95),
        metrics.SurfaceDistanceMetric(symmetric=True),
        metrics.SurfaceDiceMetric([1.0] * (classes - 1)),
    )
    return {
        "MONAI DiceMetric": lambda: run(metrics.DiceMetric()),
        "MONAI MeanIoU": lambda: run(metrics.MeanIoU()),
        "MONAI Hausdorff and surface distances": lambda: run(*surfaces),
    }


def small_builders():
    """Eager calls on one image, where the price of a call counts."""
    logits, labels = batch(SMALL)
    arrays = {
        "NumPy": (labels, logits),
        "tensors": tuple(map(ops.convert_to_tensor, (labels, logits))),
    }
    mine, theirs = kt.MeanIoU(SMALL[-1]), None
    if not IS_TORCH:
        theirs = keras.metrics.MeanIoU(SMALL[-1], ignore_class=255, sparse_y_pred=False)
    pixels = {"from_logits": True, "ignore_class": 255}
    losses = {
        "MaskedCrossentropy": kt.MaskedCrossentropy(from_logits=True),
        "MaskedSoftDice": kt.MaskedSoftDice(from_logits=True),
        "Keras crossentropy": keras.losses.SparseCategoricalCrossentropy(**pixels),
    }
    made = {FLOOR: functools.partial(read, logits, "eager")}

    def value(loss, y, z):
        return lambda: float(loss(y, z))

    for kind, (y, z) in arrays.items():
        made[f"MeanIoU update, {kind}"] = functools.partial(update, mine, "eager", y, z)
        if theirs is not None:
            made[f"Keras MeanIoU update, {kind}"] = functools.partial(
                update, theirs, "eager", y, z
            )
        for name, loss in losses.items():
            made[f"{name}, {kind}"] = functools.partial(value, loss, y, z)
    filled = kt.MeanIoU(SMALL[-1])
    filled.update_state(labels, logits)
    empty = keras.metrics.MeanIoU(SMALL[-1], ignore_class=255, sparse_y_pred=False)
    return made | {
        "MeanIoU result": lambda: lambda: float(filled.result()),
        "Keras MeanIoU result": lambda: lambda: float(empty.result()),
        "MeanIoU.best_threshold of 4x256x256": best_threshold,
    }


def best_threshold():
    """The threshold of a sigmoid from a thousand, by a model that computes nothing."""
    inputs = keras.Input((256, 256, 1))
    model = keras.Model(inputs, keras.layers.Activation("linear")(inputs))
    rng = np.random.default_rng(1)
    scores = rng.random((4, 256, 256, 1), "float32")
    labels = (rng.random((4, 256, 256)) < scores[..., 0]).astype("int32")
    metric = kt.MeanIoU(2)
    return lambda: metric.best_threshold(model, (scores, labels))


def print_memory(shape):
    """Prints the peak memory of each metric of this package, as JSON."""
    makers = builders(shape, MODES[0])
    found = {name: extra_memory(makers[name]()) for name in ours(shape, MODES[0])}
    print(json.dumps(found))


def main():
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    cases = [
        (f"metrics {records.name_of(shape)} {mode}", LIMITS, (shape, mode))
        for shape in SHAPES
        for mode in MODES
    ]
    for case, limits, which in [("metrics small", SMALL_LIMITS, None), *cases]:
        if not records.is_asked_for(case):
            continue
        makers = small_builders() if which is None else builders(*which)
        records.compare(case, "one update", makers, FLOOR, limits)
    case = f"metrics {records.name_of(SHAPES[0])} memory"
    if records.is_asked_for(case):
        found = records.memory_of("metrics", SHAPES[0])
        pixels = np.prod(SHAPES[0][:-1])
        found = {name: v / pixels for name, v in found.items()}
        most = MEMORY_LIMIT[0] + MEMORY_LIMIT[1] / pixels
        print(f"\n{case}: peak of an update, in bytes per pixel")
        for name, value in found.items():
            limit = f" (at most {most:.0f})" if name == "MeanIoU" else ""
            print(f"  {name:<42} {value:>6.1f}{limit}")
        records.keep(case, found, {}, None)
