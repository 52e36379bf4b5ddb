"""The one table of all public classes: how to build each, an input and a target.

A new class is one more row; `tests/test_contracts.py` holds every row to the same
promises. Run as a program, `python tests/contracts.py FOLDER` saves a model of each
row: how one backend writes what another reads, and how golden files are made.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

import keras_trainfix as kt


class Contract(NamedTuple):
    """One public class in one configuration.

    Attributes:
        name: What the row is called in test names and file names.
        build: Makes a new, unbuilt instance.
        input_shape: Shape of one sample that the instance, or a model with it, takes.
    """

    name: str
    build: Callable
    input_shape: tuple

    @property
    def x(self):
        return np.random.default_rng(1).normal(3, 2, (8, *self.input_shape))

    @property
    def y(self):
        return np.random.default_rng(2).normal(size=(8, 2))

    def model(self, **kwargs):
        """A compiled model that contains a new instance."""
        keras.utils.set_random_seed(1)
        model = keras.Sequential(
            [
                keras.Input(self.input_shape),
                self.build(),
                keras.layers.Flatten(),
                keras.layers.Dense(2),
            ]
        )
        for weight in model.layers[0].weights:  # away from their initial values
            weight.assign(np.random.default_rng(3).uniform(0.5, 2, weight.shape))
        model.compile("sgd", "mse", **kwargs)
        return model


CONTRACTS = [
    Contract("frozen_batch_norm", kt.FrozenBatchNorm, (4, 4, 3)),
    Contract("frozen_batch_norm_vector", kt.FrozenBatchNorm, (5,)),
    Contract(
        "frozen_batch_norm_channels_first",
        lambda: kt.FrozenBatchNorm(axis=1),
        (3, 4, 4),
    ),
    Contract(
        "frozen_batch_norm_no_affine",
        lambda: kt.FrozenBatchNorm(center=False, scale=False, epsilon=1e-5),
        (4, 3),
    ),
    Contract(
        "frozen_batch_norm_synchronized",
        lambda: kt.FrozenBatchNorm(synchronized=True),
        (4, 3),
    ),
]


def save_all(folder):
    """Saves model, weights, input and output of every row into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for contract in CONTRACTS:
        model = contract.model()
        model.save(folder / f"{contract.name}.keras")
        model.save_weights(folder / f"{contract.name}.weights.h5")
        x = contract.x.astype("float32")
        y = model.predict(x, verbose=0)
        np.savez(folder / f"{contract.name}.npz", x=x, y=y)


if __name__ == "__main__":
    save_all(Path(sys.argv[1]))
