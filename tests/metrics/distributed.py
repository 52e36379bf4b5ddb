"""Counts on two devices, or in two processes, and prints the scores as JSON.

python -m tests.metrics.distributed             on TensorFlow and JAX
python -m tests.metrics.distributed RANK FILE   on torch, each of the two processes
"""

import json
import os
import sys
import warnings

import numpy as np

RNG = np.random.default_rng(0)
X = RNG.integers(-1, 2, (11, 9, 3)).astype("float32")
LABELS = RNG.integers(0, 3, (11, 9))
LABELS[RNG.random(LABELS.shape) < 0.2] = 255
KERNEL = np.array([[1.1, 0.2, -0.7], [-0.9, 1.2, 1.3], [0.1, -0.8, 1.3]], "float32")
LOGITS = X @ KERNEL
HALVES = slice(0, 7), slice(7, 11)  # of the two processes


def new_metrics():
    import keras_trainfix as kt

    of_images = kt.DiceScore(3, scope="image", name="dice_of_images")
    return [kt.MeanIoU(3), kt.ConfusionMatrix(3), of_images]


def results_of(metrics):
    """The results and counts of metrics, in a form for JSON."""
    results = {metric.name: as_list(metric.result()) for metric in metrics}
    counts = [metric.confusion_matrix().tolist() for metric in metrics]
    return {**results, "counts": counts}


def as_list(value):
    import keras

    return keras.ops.convert_to_numpy(value).tolist()


def compiled(metrics):
    import keras

    import keras_trainfix as kt

    inputs = keras.Input((9, 3))
    head = keras.layers.Dense(3, use_bias=False)
    model = keras.Model(inputs, head(inputs))
    head.set_weights([KERNEL])
    sgd = keras.optimizers.SGD(0.0)  # so that `fit` counts `LOGITS`
    model.compile(sgd, kt.MaskedCrossentropy(from_logits=True), metrics=metrics)
    return model


def trained(metrics, x, y):
    """The results of `fit`, its validation and `evaluate`, and the counts after it."""
    model = compiled(metrics)
    data = {"batch_size": 4, "verbose": 0}
    history = model.fit(x, y, validation_data=(x, y), **data).history
    results = model.evaluate(x, y, return_dict=True, **data)
    return {
        "fit": {name: as_list(values[0]) for name, values in history.items()},
        "evaluate": {name: as_list(value) for name, value in results.items()},
        "counts": [metric.confusion_matrix().tolist() for metric in metrics],
    }


def on_tensorflow():
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    devices = [tf.config.LogicalDeviceConfiguration()] * 3
    tf.config.set_logical_device_configuration(cpu, devices)
    two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    three = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1", "CPU:2"])
    assert (two.num_replicas_in_sync, three.num_replicas_in_sync) == (2, 3)

    def looped(strategy, metrics):
        """A function that counts the first samples, without resetting the metrics."""

        @tf.function
        def step(labels, logits):
            for metric in metrics:
                metric.update_state(labels, logits)

        @tf.function
        def loop(data):
            for batch in data:
                strategy.run(step, batch)

        def count(size):
            data = tf.data.Dataset.from_tensor_slices((LABELS[:size], LOGITS[:size]))
            loop(strategy.experimental_distribute_dataset(data.batch(4)))
            return results_of(metrics)

        return count

    results = {}
    with two.scope():
        results["trained"] = trained(new_metrics(), X, LABELS)
        metrics = new_metrics()
    count = looped(two, metrics)
    for size in (11, 9):
        for metric in metrics:
            metric.reset_state()
        results[f"loop_of_{size}"] = count(size)
    for name, strategy in (("two", two), ("three", three)):
        with strategy.scope():
            metrics = new_metrics()[:2]  # a matrix has no scores of images
        for metric in metrics:
            metric.load_confusion_matrix(results["loop_of_11"]["confusion_matrix"])
        results[f"loaded_on_{name}"] = looped(strategy, metrics)(11)
    return results


def on_jax():
    import jax
    import keras
    from jax.sharding import NamedSharding, PartitionSpec

    devices = keras.distribution.list_devices("cpu")
    assert len(devices) == 2
    parallel = keras.distribution.DataParallel(devices=devices)
    keras.distribution.set_distribution(parallel)
    metrics = new_metrics()
    model = trained(metrics, X[:10], LABELS[:10])
    batch = NamedSharding(
        jax.sharding.Mesh(jax.devices(), "batch"), PartitionSpec("batch")
    )
    steps = [jax.jit(metric.stateless_update_state) for metric in metrics]
    states = [metric.stateless_reset_state() for metric in metrics]
    for start in range(0, 10, 2):
        part = slice(start, start + 2)
        labels, logits = (jax.device_put(a[part], batch) for a in (LABELS, LOGITS))
        assert len(labels.addressable_shards) == 2
        states = [
            step(state, labels, logits)
            for step, state in zip(steps, states, strict=True)
        ]
    for metric, state in zip(metrics, states, strict=True):
        for variable, value in zip(metric.variables, state, strict=True):
            variable.assign(value)
    return {"trained": model, "loop_of_10": results_of(metrics)}


def on_torch(rank, file):
    import torch.distributed

    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{file}", rank=rank, world_size=2
    )
    half, size = HALVES[rank], (2, 4)[rank]
    metrics = new_metrics()

    def update(start, stop, logits=LOGITS):
        for metric in metrics:
            metric.update_state(LABELS[start:stop], logits[start:stop])

    for start in range(half.start, half.stop, size):  # four times, and once
        update(start, min(start + size, half.stop))
    results = {"loop": results_of(metrics), "loop_again": results_of(metrics)}
    results["state"] = as_list(metrics[0].variables[0])

    for metric in metrics:
        metric.reset_state()
    if rank == 1:
        update(half.start, half.stop)
    results["second_half"] = results_of(metrics)

    if rank == 1:
        update(half.start, half.stop, np.full_like(LOGITS, np.nan))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        results["nan"] = results_of(metrics)
    results["warnings"] = [str(warning.message) for warning in caught]

    model = compiled(metrics)
    # Two batches in each process: the results are added up after each of them.
    values = model.evaluate(
        X[half], LABELS[half], batch_size=(4, 2)[rank], verbose=0, return_dict=True
    )
    values.pop("loss")  # of this half
    results["evaluate"] = {name: as_list(value) for name, value in values.items()}
    torch.distributed.destroy_process_group()
    return results


if __name__ == "__main__":
    os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
    import keras

    program = {"tensorflow": on_tensorflow, "jax": on_jax, "torch": on_torch}
    rank_and_file = [int(sys.argv[1]), sys.argv[2]] if len(sys.argv) > 1 else []
    print(json.dumps(program[keras.backend.backend()](*rank_and_file)))
