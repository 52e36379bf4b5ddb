"""Nets with a training step of their own."""

import keras
from keras import layers

from keras_trainfix.backend import to_numpy


class Own(keras.Model):
    """Steps as Keras does, and counts them."""

    calls = 0

    def train_step(self, *arguments):
        self.calls += 1
        return super().train_step(*arguments)


class OnlyBias(Own):
    """Moves the last bias alone."""

    def train_step(self, *arguments):
        *hidden, _ = self.trainable_variables
        before = [to_numpy(v) for v in hidden] if not arguments[1:] else None
        result = super().train_step(*arguments)
        if before is None:  # JAX: `(logs, state)`
            logs, (trainable, *others) = result
            return logs, ([*arguments[0][0][: len(hidden)], *trainable[-1:]], *others)
        for variable, value in zip(hidden, before, strict=True):
            variable.assign(value)
        return result


def net(kind):
    keras.utils.set_random_seed(1)
    inputs = keras.Input((4,))
    hidden = layers.Dense(16, "relu")(inputs)
    model = kind(inputs, layers.Dense(1)(hidden))
    model.compile(keras.optimizers.Adam(0.01), "mse", run_eagerly=True)
    return model
