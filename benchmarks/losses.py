"""Times value and gradient of segmentation losses on logits with 5 % void pixels.

Compiled on TensorFlow and JAX, eager on torch.
"""

import os

import keras
import numpy as np
from keras import ops

import keras_trainfix as kt
from benchmarks import peers
from benchmarks.measure import in_turns, peak_memory, print_table

SHAPES = [(4, 256, 256, 21), (2, 512, 512, 21)]
LIMITS = [  # (contestant, reference, maximum ratio)
    ("MaskedCrossentropy", "keras SparseCategoricalCrossentropy", 0.6),
    ("MaskedCrossentropy", "torch cross_entropy", 1.1),
    ("MaskedSoftDice", "softmax", 1.3),
    ("MaskedSoftDice", "MONAI DiceLoss", 0.5),
    ("MaskedSoftDice", "MONAI DiceLoss, classes first", 0.5),
    ("MaskedSoftDice", "smp DiceLoss", 0.5),
    ("MaskedSoftDice", "smp DiceLoss, classes first", 0.5),
]
MEMORY_LIMIT = 2.5
OURS = ("MaskedCrossentropy", "MaskedSoftDice", "WeightedSum")


def batch(shape):
    """Logits, labels with void, and factors for the softmax."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, shape[-1], shape[:-1], dtype="int32")
    labels[rng.random(labels.shape) < 0.05] = 255
    logits, slopes = (rng.normal(size=shape).astype("float32") for _ in range(2))
    return logits, labels, slopes


def contestants(shape):
    """Dict of name to a scalar function of `(logits, labels, slopes)`."""
    dice = kt.MaskedSoftDice(from_logits=True)
    crossentropy = kt.MaskedCrossentropy(from_logits=True)
    both = kt.WeightedSum([dice, crossentropy])
    keras_loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, ignore_class=255
    )
    functions = {
        "softmax": lambda z, y, slopes: ops.sum(ops.softmax(z) * slopes),
        "keras SparseCategoricalCrossentropy": lambda z, y, _: keras_loss(y, z),
        "MaskedCrossentropy": lambda z, y, _: crossentropy(y, z),
        "MaskedSoftDice": lambda z, y, _: dice(y, z),
        "WeightedSum": lambda z, y, _: both(y, z),
    }
    if hasattr(keras.losses, "SparseCategoricalFocalCrossentropy"):  # Keras 3.16
        functions |= focal()
    if keras.backend.backend() == "torch":
        functions |= torch_peers()
    return functions


def focal():
    theirs = keras.losses.SparseCategoricalFocalCrossentropy(
        from_logits=True, ignore_class=255
    )
    ours = kt.MaskedCrossentropy(from_logits=True, focal_gamma=2.0)
    return {
        "keras SparseCategoricalFocalCrossentropy": lambda z, y, _: theirs(y, z),
        "MaskedCrossentropy, focal": lambda z, y, _: ours(y, z),
    }


def torch_peers():
    import torch

    monai = peers.monai_losses().DiceLoss(softmax=True, to_onehot_y=True)
    smp = peers.smp_losses().dice.DiceLoss("multiclass", ignore_index=255)

    def cross_entropy(z, y, _):
        return torch.nn.functional.cross_entropy(
            z.flatten(0, -2), y.flatten().long(), ignore_index=255
        )

    # The other Dice losses expect classes on axis 1. A Keras model has them last, so
    # they are moved; each loss is also measured on channels-first logits, where a
    # softmax is twice as fast. MONAI does not support void.
    def monai_dice(z, y, _):
        return monai(z, (y % 255)[:, None])

    def smp_dice(z, y, _):
        return smp(z, y.long())

    return {
        "torch cross_entropy": cross_entropy,
        "MONAI DiceLoss": lambda z, y, _: monai_dice(z.movedim(-1, 1), y, _),
        "smp DiceLoss": lambda z, y, _: smp_dice(z.movedim(-1, 1), y, _),
        "MONAI DiceLoss, classes first": monai_dice,
        "smp DiceLoss, classes first": smp_dice,
    }


def step(function, logits, labels, slopes):
    """A function without arguments that returns once value and gradient are ready."""
    backend = keras.backend.backend()
    arrays = [ops.convert_to_tensor(array) for array in (logits, labels, slopes)]
    if backend == "jax":
        import jax

        compiled = jax.jit(jax.value_and_grad(function))
        return lambda: jax.block_until_ready(compiled(*arrays))
    if backend == "tensorflow":
        import tensorflow as tf

        @tf.function(jit_compile=True, autograph=False)
        def compiled(logits, *others):
            with tf.GradientTape() as tape:
                tape.watch(logits)
                value = function(logits, *others)
            return value, tape.gradient(value, logits)

        return lambda: float(compiled(*arrays)[0])
    arrays[0].requires_grad_()

    def run():
        arrays[0].grad = None
        function(*arrays).backward()
        if arrays[0].is_cuda:
            import torch

            torch.cuda.synchronize()

    return run


def copy(logits):
    """Reads the logits once and writes as much, as any gradient must."""
    backend = keras.backend.backend()
    logits = ops.convert_to_tensor(logits)
    if backend == "jax":
        import jax

        negative = jax.jit(lambda z: -z)
        return lambda: negative(logits).block_until_ready()
    if backend == "tensorflow":
        import tensorflow as tf

        negative = tf.function(lambda z: -z, jit_compile=True, autograph=False)
        return lambda: negative(logits).numpy()[:0]
    return lambda: -logits


def steps_of(name, shape, number=3):
    """A few steps of one contestant, for measuring memory; none if `name` is None."""
    logits, labels = np.full(shape, 0.5, "float32"), np.ones(shape[:-1], "int32")
    if name is None:
        float(ops.max(ops.convert_to_tensor(logits)))  # waits for the copy
        return
    run = step(contestants(shape)[name], logits, labels, np.float32(1))
    for _ in range(number):
        run()


def extra_memory(name, shape):
    """Peak memory beyond the logits, in multiples of their size.

    Compares the growth from a small to a large batch with and without the loss, so
    fixed costs such as the compiler do not count.
    """
    small, large = (tuple(shape), (5 * shape[0], *shape[1:]))

    def grows(name):
        little, much = (
            peak_memory(f"from benchmarks import losses as b; b.steps_of{name, size}")
            for size in (small, large)
        )
        return much - little

    return (grows(name) - grows(None)) / (4 * (np.prod(large) - np.prod(small)))


def main():
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for shape in SHAPES:
        logits, labels, slopes = batch(shape)
        runs = {"copy of the logits": copy(logits)}
        for name, function in contestants(shape).items():
            is_first = name.endswith("classes first")
            z = np.ascontiguousarray(np.moveaxis(logits, -1, 1)) if is_first else logits
            runs[name] = step(function, z, labels, slopes)
        seconds = in_turns(runs, rounds=11, repeats=3)
        print_table(
            f"value and gradient, {'x'.join(map(str, shape))}",
            seconds,
            "copy of the logits",
        )
        for ours, theirs, limit in LIMITS:
            if theirs in seconds:
                ratio = seconds[ours] / seconds[theirs]
                print(f"{ours} / {theirs}: {ratio:.2f} (at most {limit})")
        apart = seconds["MaskedSoftDice"] + seconds["MaskedCrossentropy"]
        ratio = seconds["WeightedSum"] / apart
        print(f"WeightedSum / the two apart: {ratio:.2f} (at most 0.75)")
    print("\nextra memory, in sizes of the logits")
    for name in OURS:
        print(f"{name}: {extra_memory(name, SHAPES[0]):.2f} (at most {MEMORY_LIMIT})")
