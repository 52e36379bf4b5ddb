"""Times value and gradient of segmentation losses on logits with 5 % void pixels.

Each shape is measured compiled (on TensorFlow and JAX, by XLA) and eagerly. The floor
reads the logits once and writes a gradient. Environment variables choose a part:

    BENCHMARK_CASES="512x512 eager"     cases whose name contains these words
    BENCHMARK_KEEP=1                    writes them into `benchmarks/results/`
"""

import functools
import importlib.util
import json
import os

import keras
import numpy as np
from keras import ops

import keras_trainfix as kt
from benchmarks import peers, records
from benchmarks.measure import extra_memory

SHAPES = [(4, 256, 256, 21), (1, 512, 512, 150), (2, 96, 96, 96, 4)]
MODES = ("eager",) if keras.backend.backend() == "torch" else ("compiled", "eager")
FLOOR = "floor: logits read, gradient written"
BLOCK = 8  # pixels across a patch of one class
LIMITS = [  # (contestant, reference, maximum ratio)
    ("MaskedCrossentropy", "Keras SparseCategoricalCrossentropy", 0.6),
    ("MaskedCrossentropy", "torch cross_entropy", 1.1),
    ("MaskedSoftDice", "softmax and its gradient", 1.3),
    ("MaskedSoftDice", "MONAI DiceLoss", 0.5),
    ("MaskedSoftDice", "MONAI DiceLoss, classes first", 0.5),
    ("MaskedSoftDice", "smp DiceLoss", 0.5),
    ("MaskedSoftDice", "smp DiceLoss, classes first", 0.5),
]
MEMORY_LIMIT = 2.5  # of crossentropy, Dice and their sum, in sizes of the logits
OF_LIMIT = ("MaskedCrossentropy", "MaskedSoftDice", "WeightedSum of these two")
# Which losses of others do the same.
COUNTERPARTS = {
    "MaskedCrossentropy": [
        "Keras SparseCategoricalCrossentropy",
        "torch cross_entropy",
    ],
    "MaskedCrossentropy, focal": [
        *("Keras SparseCategoricalFocalCrossentropy", "smp FocalLoss"),
    ],
    "MaskedCrossentropy, multi_label": ["Keras BinaryCrossentropy"],
    "MaskedSoftDice": [
        *("Keras Dice", "medicai SparseDiceLoss", "MONAI DiceLoss", "smp DiceLoss"),
        *("MONAI DiceLoss, classes first", "smp DiceLoss, classes first"),
    ],
    "MaskedSoftDice, multi_label": ["MONAI DiceLoss, sigmoid"],
    "WeightedSum of these two": ["MONAI DiceCELoss"],
    "MaskedTversky": [
        *("Keras Tversky", "medicai SparseTverskyLoss", "MONAI TverskyLoss"),
        "smp TverskyLoss",
    ],
    "MaskedLovasz": ["smp LovaszLoss"],
    "MaskedClDice": ["medicai SparseCenterlineDiceLoss", "MONAI SoftclDiceLoss"],
    "MaskedHausdorff": ["MONAI HausdorffDTLoss"],
}


def batch(shape):
    """Logits, labels in patches with void, and the labels as rows."""
    rng = np.random.default_rng(1)
    patches = [-(-size // BLOCK) for size in shape[1:-1]]
    labels = rng.integers(0, shape[-1], (shape[0], *patches), dtype="int32")
    for axis, size in enumerate(shape[1:-1], start=1):
        labels = labels.repeat(BLOCK, axis).take(range(size), axis)
    labels[rng.random(labels.shape) < 0.05] = 255
    logits = rng.standard_normal(shape, dtype="float32")
    return logits, labels


def rows_of(logits, labels):
    """Labels as rows of zeros and ones, uint8; void as rows of 255."""
    rows = (labels[..., None] == np.arange(logits.shape[-1])).astype("uint8")
    rows[labels == 255] = 255
    return rows


def ours():
    """Dict of name to a loss of this package."""
    logits = {"from_logits": True}
    crossentropy, dice = kt.MaskedCrossentropy(**logits), kt.MaskedSoftDice(**logits)
    focal = kt.MaskedCrossentropy(focal_gamma=2.0, **logits)
    tversky = {"alpha": 0.4, "beta": 0.6, "gamma": 0.5}
    return {
        "MaskedCrossentropy": crossentropy,
        "MaskedCrossentropy, focal": focal,
        "MaskedCrossentropy, multi_label": kt.MaskedCrossentropy(
            multi_label=True, **logits
        ),
        "MaskedSoftDice": dice,
        "MaskedSoftDice, multi_label": kt.MaskedSoftDice(multi_label=True, **logits),
        "WeightedSum of these two": kt.WeightedSum([dice, crossentropy]),
        "WeightedSum, unified focal": kt.WeightedSum(
            [kt.MaskedTversky(**tversky, **logits), focal], [0.5, 0.5]
        ),
        "MaskedTversky": kt.MaskedTversky(**logits),
        "MaskedLovasz": kt.MaskedLovasz(**logits),
        "MaskedClDice": kt.MaskedClDice(**logits),
        "MaskedBoundary": kt.MaskedBoundary(**logits),
        "MaskedHausdorff": kt.MaskedHausdorff(**logits),
    }


def contestants(shape):
    """Dict of name to `(function of logits and labels, which labels, axis)`.

    The labels are `"ids"` or `"rows"`, the axis is that of the classes.
    """
    functions = {
        "softmax and its gradient": (
            lambda z, y: ops.sum(ops.softmax(z) ** 2),
            "ids",
            -1,
        )
    }
    for name, loss in ours().items():
        rows = "rows" if "multi_label" in name else "ids"
        functions[name] = (functools.partial(_swapped, loss), rows, -1)
    functions |= of_keras(shape) | of_medicai(shape)
    if keras.backend.backend() == "torch":
        functions |= of_torch()
    return functions


def _swapped(loss, z, y):
    return loss(y, z)


def of_keras(shape):
    """The losses of Keras. Those without void get class 0 there."""
    pixels = {"from_logits": True, "ignore_class": 255}
    sparse = keras.losses.SparseCategoricalCrossentropy(**pixels)
    binary = keras.losses.BinaryCrossentropy(from_logits=True)
    dice, tversky = keras.losses.Dice(), keras.losses.Tversky()

    def region(loss):
        def value(z, y):
            rows = ops.one_hot(y % 255, shape[-1])
            return loss(rows, ops.softmax(z))

        return value

    functions = {
        "Keras SparseCategoricalCrossentropy": (lambda z, y: sparse(y, z), "ids", -1),
        "Keras BinaryCrossentropy": (lambda z, y: binary(y % 255, z), "rows", -1),
        "Keras Dice": (region(dice), "ids", -1),
        "Keras Tversky": (region(tversky), "ids", -1),
    }
    if hasattr(keras.losses, "SparseCategoricalFocalCrossentropy"):  # Keras 3.16
        focal = keras.losses.SparseCategoricalFocalCrossentropy(**pixels)
        functions["Keras SparseCategoricalFocalCrossentropy"] = (
            *(lambda z, y: focal(y, z), "ids", -1),
        )
    return functions


def of_medicai(shape):
    """The losses of medicai; on torch its one-hot rows refuse 255."""
    medicai = peers.medicai_losses()
    if medicai is None:
        return {}
    settings = {"from_logits": True, "num_classes": shape[-1]}
    void = {} if keras.backend.backend() == "torch" else {"ignore_class_ids": [255]}
    losses = {
        "SparseDiceLoss": medicai.dice.SparseDiceLoss(**settings, **void),
        "SparseTverskyLoss": medicai.tversky.SparseTverskyLoss(**settings, **void),
        "SparseCenterlineDiceLoss": medicai.cldice.SparseCenterlineDiceLoss(
            **settings, **void, iters=3, memory_efficient_skeleton=False
        ),
    }

    def value(loss):
        def of_batch(z, y):
            y = y if void else y % 255
            return loss(y[..., None], z)

        return of_batch

    return {f"medicai {name}": (value(one), "ids", -1) for name, one in losses.items()}


def of_torch():
    """Losses for torch. They expect classes on axis 1; a Keras model has them last.

    So they are moved, which copies nothing. Dice is also measured on logits that have
    them first. MONAI does not support void.
    """
    import torch

    functions = {
        "torch cross_entropy": (
            lambda z, y: torch.nn.functional.cross_entropy(
                z.flatten(0, -2), y.flatten().long(), ignore_index=255
            ),
            *("ids", -1),
        )
    }

    def moved(function):
        return lambda z, y: function(z.movedim(-1, 1), y)

    def of_monai(loss):
        return lambda z, y: loss(z, (y % 255)[:, None])

    def of_rows(loss):
        return lambda z, y: loss(z, (y % 255).movedim(-1, 1))

    def of_softmax(loss):
        def value(z, y):
            rows = torch.nn.functional.one_hot((y % 255).long(), z.shape[1])
            return loss(rows.movedim(-1, 1).float(), z.softmax(1))

        return value

    if importlib.util.find_spec("monai"):
        monai = peers.monai_losses()
        softmax = {"softmax": True, "to_onehot_y": True}
        first = of_monai(monai.DiceLoss(**softmax))
        functions |= {
            "MONAI DiceLoss": (moved(first), "ids", -1),
            "MONAI DiceLoss, classes first": (first, "ids", 1),
            "MONAI DiceLoss, sigmoid": (
                *(moved(of_rows(monai.DiceLoss(sigmoid=True))), "rows", -1),
            ),
            "MONAI DiceCELoss": (
                *(moved(of_monai(monai.DiceCELoss(**softmax))), "ids", -1),
            ),
            "MONAI TverskyLoss": (
                *(moved(of_monai(monai.TverskyLoss(**softmax))), "ids", -1),
            ),
            "MONAI SoftclDiceLoss": (
                *(moved(of_softmax(monai.SoftclDiceLoss(iter_=3))), "ids", -1),
            ),
            "MONAI HausdorffDTLoss": (
                *(moved(of_monai(monai.HausdorffDTLoss(**softmax))), "ids", -1),
            ),
        }
    smp = peers.smp_losses()
    if smp is None:
        return functions
    kind = {"mode": "multiclass", "ignore_index": 255}

    def of_smp(loss):
        return lambda z, y: loss(z, y.long())

    dice = of_smp(smp.dice.DiceLoss(**kind))
    return functions | {
        "smp DiceLoss": (moved(dice), "ids", -1),
        "smp DiceLoss, classes first": (dice, "ids", 1),
        "smp TverskyLoss": (moved(of_smp(smp.tversky.TverskyLoss(**kind))), "ids", -1),
        "smp FocalLoss": (moved(of_smp(smp.focal.FocalLoss(**kind))), "ids", -1),
        "smp LovaszLoss": (moved(of_smp(smp.lovasz.LovaszLoss(**kind))), "ids", -1),
    }


def step(function, logits, labels, mode):
    """A function without arguments that returns once value and gradient are ready."""
    backend = keras.backend.backend()
    logits, labels = map(ops.convert_to_tensor, (logits, labels))
    if backend == "jax":
        import jax

        run = jax.value_and_grad(function)
        run = jax.jit(run) if mode == "compiled" else run
        return lambda: jax.block_until_ready(run(logits, labels))
    if backend == "tensorflow":
        import tensorflow as tf

        def run(logits, labels):
            with tf.GradientTape() as tape:
                tape.watch(logits)
                value = function(logits, labels)
            return value, tape.gradient(value, logits)

        if mode == "compiled":
            run = tf.function(run, jit_compile=True, autograph=False)
        return lambda: float(run(logits, labels)[0])
    logits.requires_grad_()

    def run():
        logits.grad = None
        function(logits, labels).backward()
        if logits.is_cuda:
            import torch

            torch.cuda.synchronize()

    return run


def copy(logits, mode):
    """Reads the logits once and writes as much, as any gradient must."""
    backend = keras.backend.backend()
    logits = ops.convert_to_tensor(logits)
    if backend == "jax":
        import jax

        negative = jax.jit(lambda z: -z)
        return lambda: negative(logits).block_until_ready()
    if backend == "tensorflow":
        import tensorflow as tf

        negative = tf.negative
        if mode == "compiled":
            negative = tf.function(negative, jit_compile=True, autograph=False)
        return lambda: negative(logits).numpy()[:0]
    return lambda: -logits


def builders(shape, mode):
    """Dict of name to a function that builds what a contestant runs."""
    logits, labels = map(ops.convert_to_tensor, batch(shape))
    made = {FLOOR: functools.partial(copy, logits, mode)}
    rows = functools.cache(lambda: ops.convert_to_tensor(rows_of(*batch(shape))))

    def build(function, kind, axis):
        y = labels if kind == "ids" else rows()
        z = ops.moveaxis(logits, -1, axis)
        z = z if axis == -1 else z.detach().contiguous()
        return step(function, z, y, mode)

    for name, contestant in contestants(shape).items():
        made[name] = functools.partial(build, *contestant)
    return made


def print_memory(shape):
    """Prints the peak memory of each loss of this package, as JSON."""
    makers = builders(shape, MODES[0])
    found = {name: extra_memory(makers[name]()) for name in ours()}
    print(json.dumps(found))


def main():
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for shape in SHAPES:
        for mode in MODES:
            case = f"losses {records.name_of(shape)} {mode}"
            if records.is_asked_for(case):
                makers = builders(shape, mode)
                records.compare(case, "value and gradient", makers, FLOOR, LIMITS)
    case = f"losses {records.name_of(SHAPES[0])} memory"
    if records.is_asked_for(case):
        size = 4 * np.prod(SHAPES[0])
        found = records.memory_of("losses", SHAPES[0])
        print(f"\n{case}: peak of value and gradient, in sizes of the logits")
        for name, value in found.items():
            limit = f" (at most {MEMORY_LIMIT})" if name in OF_LIMIT else ""
            print(f"  {name:<42} {value / size:>6.2f}{limit}")
        records.keep(case, {name: v / size for name, v in found.items()}, {}, None)
