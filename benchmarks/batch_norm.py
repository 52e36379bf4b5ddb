"""Times a training step and an inference step with each way to normalize."""

import keras
import numpy as np
from keras import layers
from keras.layers import BatchNormalization

from benchmarks.measure import in_turns, peak_memory, print_table
from keras_trainfix import freeze_batch_norm

SHAPE = (64, 64, 3)
BATCH = 32


class Affine(layers.Layer):
    """Multiplies by gamma and adds beta, both trainable."""

    def build(self, input_shape):
        shape = input_shape[-1:]
        self.gamma = self.add_weight(shape=shape, initializer="ones")
        self.beta = self.add_weight(shape=shape, initializer="zeros")

    def call(self, inputs):
        return inputs * self.gamma + self.beta


def network(normalize):
    """Six convolutions, each followed by `normalize()`, and a linear head."""
    keras.utils.set_random_seed(1)
    x = inputs = keras.Input(SHAPE)
    for filters, strides in ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2)):
        x = layers.Conv2D(filters, 3, strides, padding="same", use_bias=False)(x)
        for layer in normalize():
            x = layer(x)
        x = layers.ReLU()(x)
    model = keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


CONTESTANTS = {
    "BatchNormalization": lambda: network(lambda: [BatchNormalization()]),
    "trainable=False": lambda: network(lambda: [BatchNormalization(trainable=False)]),
    "trainable=False, and an affine layer": lambda: network(
        lambda: [
            BatchNormalization(center=False, scale=False, trainable=False),
            Affine(),
        ]
    ),
    "freeze_batch_norm": lambda: freeze_batch_norm(
        network(lambda: [BatchNormalization()])
    ),
}


def batch():
    rng = np.random.default_rng(1)
    x = keras.ops.convert_to_tensor(rng.normal(size=(BATCH, *SHAPE)), "float32")
    return x, keras.ops.convert_to_tensor(rng.integers(0, 10, BATCH), "int32")


def train_steps(name, steps=3):
    """A few training steps of one contestant, for measuring memory."""
    model = CONTESTANTS[name]()
    for _ in range(steps):
        model.train_on_batch(*batch())


def main():
    keras.config.disable_interactive_logging()
    x, y = batch()
    models = {name: build() for name, build in CONTESTANTS.items()}
    # Both return host values, so they return only when the work is done.
    train = {
        name: lambda model=model: model.train_on_batch(x, y)
        for name, model in models.items()
    }
    infer = {
        name: lambda model=models[name]: model.predict_on_batch(x)
        for name in ("BatchNormalization", "freeze_batch_norm")
    }
    memory = {
        name: peak_memory(
            f"from benchmarks import batch_norm as b; b.train_steps({name!r})"
        )
        for name in CONTESTANTS
    }
    print_table(
        "training step",
        in_turns(train),
        "trainable=False, and an affine layer",
        memory,
    )
    print_table("inference", in_turns(infer), "BatchNormalization")
