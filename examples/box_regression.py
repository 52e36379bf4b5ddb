"""A net that should locate a box in an image, but always predicts the middle.

`02_box_regression.ipynb` measures which remedies help it. The net, the optimizer, the
loss and the number of images come from a question that was asked in public; the image
size is ours: 16x16, small enough for a CPU.
"""

import os
import time
from typing import NamedTuple

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers

SHORT = os.environ.get("KERAS_TRAINFIX_SHORT") == "1"
TRAIN, VALIDATION, EPOCHS = (512, 200, 1) if SHORT else (10_000, 2_000, 1)
SIZE, BOX, BATCH_SIZE = 16, 4, 128
FILTERS = (8, 16, 32) if SHORT else (32, 64, 128)
ROOM = SIZE - BOX  # range of box positions, in pixels


class Run(NamedTuple):
    """One training: the model, its predictions from -1 to 1, and its history.

    `losses` has one value per step, as `fit` shows them: the running mean of the epoch.
    `errors` has one value per epoch: the mean distance between the predicted and the
    true box on the validation images, in pixels.
    """

    model: keras.Model
    predictions: np.ndarray
    losses: list
    errors: list
    seconds: float

    @property
    def collapsed(self):
        """Whether predictions are NaN or vary by less than a thousandth."""
        return not self.predictions.std(axis=0).max() > 1e-3


def load_data(seed):
    """`(x, y), (x_val, y_val)`: white boxes on black, and their positions, -1 to 1."""
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, ROOM + 1, (TRAIN + VALIDATION, 2))
    x = np.zeros((len(corners), SIZE, SIZE, 3), "float32")
    for image, (row, column) in zip(x, corners, strict=True):
        image[row : row + BOX, column : column + BOX] = 1
    y = (2 * corners / ROOM - 1).astype("float32")
    return (x[:TRAIN], y[:TRAIN]), (x[TRAIN:], y[TRAIN:])


def convolutional(filters=FILTERS):
    """The net as posted."""
    kernel = {"kernel_size": 5, "strides": 2, "padding": "same", "activation": "relu"}
    return [
        *(layers.Conv2D(number, **kernel) for number in filters),
        layers.Flatten(),
        layers.Dense(100, activation="relu"),
        layers.Dense(2),
    ]


def one_sigmoid_layer():
    return [layers.Flatten(), layers.Dense(100, activation="sigmoid"), layers.Dense(2)]


def no_hidden_layer():
    return [layers.Flatten(), layers.Dense(2)]


def up_to_255(x):
    return 255 * x


def standardised(x):
    """Each image with mean 0 and standard deviation 1."""
    axes = (1, 2, 3)
    return (x - x.mean(axes, keepdims=True)) / x.std(axes, keepdims=True)


def equalised(x):
    """Replaces each gray value by the share of pixels that are no brighter."""
    pixels = x.reshape(len(x), -1)
    ranks = [np.searchsorted(np.sort(p), p, side="right") for p in pixels]
    return (np.array(ranks, "float32") / pixels.shape[1]).reshape(x.shape)


def pixel_error(predictions, targets):
    """Mean distance in pixels between boxes at positions from -1 to 1."""
    return float(np.linalg.norm(predictions - targets, axis=-1).mean() * ROOM / 2)


def train(
    data,
    seed,
    *,
    net=convolutional,
    adam=None,
    sgd=None,
    inputs=None,
    in_pixels=False,
    epochs=EPOCHS,
    callbacks=(),
):
    """Trains a net, with Adam(0.01) by default.

    Args:
        data: What `load_data` returns.
        seed: Integer, for the weights and the order of the batches.
        net: Function that returns the layers.
        adam: Learning rate of Adam.
        sgd: Learning rate of SGD, instead of Adam.
        inputs: Function to apply to the images, or None.
        in_pixels: Boolean; True for targets from 0 to 12 instead of -1 to 1.
        epochs: Integer.
        callbacks: Keras callbacks.

    Returns:
        `Run`.
    """
    (x, y), (x_val, y_val) = data
    if inputs is not None:
        x, x_val = inputs(x), inputs(x_val)
    scale = ROOM / 2 if in_pixels else 1
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input(x.shape[1:]), *net()])
    optimizers = keras.optimizers
    optimizer = optimizers.SGD(sgd) if sgd else optimizers.Adam(adam or 0.01)
    model.compile(optimizer, "mse")

    losses, errors, predictions = [], [], []

    def validate(epoch, logs):
        answers = np.asarray(model.predict(x_val, batch_size=500, verbose=0))
        answers = answers / scale - (1 if in_pixels else 0)
        errors.append(pixel_error(answers, y_val))
        predictions[:] = [answers]

    def keep_loss(batch, logs):
        losses.append(float(logs["loss"]))

    own = keras.callbacks.LambdaCallback(
        on_train_batch_end=keep_loss, on_epoch_end=validate
    )
    start = time.monotonic()
    model.fit(
        x,
        scale * (y + 1) if in_pixels else y,
        batch_size=BATCH_SIZE,
        epochs=epochs,
        verbose=0,
        callbacks=[*callbacks, own],
    )
    return Run(model, predictions[0], losses, errors, time.monotonic() - start)


def plot_losses(runs, constant):
    """Plots the loss that `fit` shows, step by step, for several variants.

    Args:
        runs: Dict of a title to a list of `Run`, one per seed.
        constant: Loss of the best constant prediction, for a dashed line.

    Returns:
        The figure.
    """
    figure, axes = plt.subplots(figsize=(6, 3.2))
    for number, (title, arm) in enumerate(runs.items()):
        for run in arm:
            label = title if run is arm[0] else None
            axes.plot(run.losses, color=f"C{number}", label=label)
    axes.axhline(constant, color="0.4", ls="--", label="always the mean")
    axes.set(xlabel="step", ylabel="training loss, mean so far", yscale="log")
    axes.legend(frameon=False)
    figure.tight_layout()
    return figure


def plot_answers(runs, data):
    """Plots predictions against targets, and boxes on images, one row per run.

    Args:
        runs: Dict of a title to a `Run`.
        data: What `load_data` returned for it.

    Returns:
        The figure.
    """
    _, (x, y) = data
    figure, rows = plt.subplots(
        len(runs), 6, figsize=(10, 2 * len(runs)), squeeze=False
    )
    for (title, run), panels in zip(runs.items(), rows, strict=True):
        panels[0].plot(y[:, 1], run.predictions[:, 1], ".", ms=2)
        panels[0].plot([-1, 1], [-1, 1], "--", color="0.4", lw=1)
        panels[0].set(xlabel="true x", ylabel="predicted x", ylim=(-1.3, 1.3))
        panels[0].set_title(title, fontsize=9)
        for panel, image, answer in zip(panels[1:], x, run.predictions, strict=False):
            panel.imshow(image)
            row, column = (answer + 1) * ROOM / 2 - 0.5
            box = plt.Rectangle((column, row), BOX, BOX, ec="tab:red", fc="none", lw=2)
            panel.add_patch(box)
            panel.axis("off")
    figure.tight_layout()
    return figure
