"""Trains each contract on two virtual CPU devices and prints its history as JSON."""

import json
import os

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"

import contextlib

import keras

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert strategy.num_replicas_in_sync == 2
    scope = strategy.scope
else:
    devices = keras.distribution.list_devices("cpu")
    assert len(devices) == 2
    keras.distribution.set_distribution(
        keras.distribution.DataParallel(devices=devices)
    )
    scope = contextlib.nullcontext

from tests.contracts import CONTRACTS, numbers

histories = {}
for contract in CONTRACTS:
    if getattr(contract, "is_eager", False):
        continue
    with scope():
        model = contract.model()
    history = model.fit(
        contract.x, contract.y, batch_size=8, shuffle=False, epochs=2, verbose=0
    )
    histories[contract.name] = numbers(history.history)
print(json.dumps(histories))
