"""A pretrained network that trains well but validates badly, and two fixes.

A mini-Xception pretrained on faces is fine-tuned on 512 digits, 8 steps per epoch. With
ordinary BatchNormalization, the training accuracy ends near 0.93 and the validation
accuracy near 0.6. `freeze_batch_norm` before fine-tuning, or `recalibrate_batch_norm`
after it, closes the gap.

    python examples/frozen_batch_norm.py [--seed 1] [--output frozen_batch_norm.png]

`01_frozen_batch_norm.ipynb` does the same for three seeds and explains it.
"""

import argparse
import os

from environment import SHORT  # isort: skip - first: it prepares Keras
import keras
import matplotlib.pyplot as plt
import numpy as np
from real_data import emotion_model_path, mnist_digits

from keras_trainfix import freeze_batch_norm, recalibrate_batch_norm

EPOCHS, TRAIN, VALIDATION = (2, 128, 200) if SHORT else (4, 512, 1000)
BATCH_SIZE = 64


def load_data(seed, train=TRAIN, validation=VALIDATION):
    """`(x, y), (x_val, y_val)`: random digits, in the size the network expects."""
    images, labels = mnist_digits()
    chosen = np.random.default_rng(seed).permutation(len(images))[: train + validation]
    x = images[chosen].repeat(2, axis=1).repeat(2, axis=2)  # 28 -> 56
    x = np.pad(x, ((0, 0), (4, 4), (4, 4)))[..., None]  # -> 64
    x = x.astype("float32") / 255
    y = labels[chosen].astype("int32")
    return (x[:train], y[:train]), (x[train:], y[train:])


def build(seed):
    """The pretrained network with a new head for ten classes."""
    keras.utils.set_random_seed(seed)
    network = keras.models.load_model(emotion_model_path(), compile=False)
    last = [layer for layer in network.layers if isinstance(layer, keras.layers.Add)]
    features = keras.layers.GlobalAveragePooling2D()(last[-1].output)
    return keras.Model(network.inputs[0], keras.layers.Dense(10)(features))


def train(model, data, validation_data, epochs=EPOCHS, title=""):
    """Fine-tunes `model` and prints a line per epoch.

    Returns:
        Dict with the lists "train" and "validation": the accuracy after each epoch,
        as `fit` reports it.
    """

    def show(epoch, logs):
        print(
            f"{title:<28} epoch {epoch + 1}/{epochs}: train {logs['accuracy']:.3f}  "
            f"validation {logs['val_accuracy']:.3f}",
            flush=True,
        )

    model.compile(
        keras.optimizers.Adam(3e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    history = model.fit(
        *data,
        batch_size=BATCH_SIZE,
        epochs=epochs,
        validation_data=validation_data,
        validation_batch_size=250,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=show)],
        verbose=0,
    ).history
    return {"train": history["accuracy"], "validation": history["val_accuracy"]}


def accuracy(model, data):
    """Accuracy of a trained `model` in inference mode, as in validation."""
    logs = model.evaluate(*data, batch_size=250, verbose=0, return_dict=True)
    return logs["accuracy"]


def plot_curves(arms, recalibrated=()):
    """Plots training and validation accuracy, one panel per variant, one line per seed.

    Args:
        arms: Dict of a panel title to a list of results of `train`.
        recalibrated: Validation accuracies to mark at the end of the first panel.

    Returns:
        The figure.
    """
    size = (1.2 + 3.4 * len(arms), 3.6)
    figure, panels = plt.subplots(1, len(arms), sharey=True, figsize=size)
    for panel, (title, histories) in zip(
        np.atleast_1d(panels), arms.items(), strict=True
    ):
        for history in histories:
            first = history is histories[0]
            for name, color in (("train", "0.6"), ("validation", "tab:blue")):
                epochs = range(1, len(history[name]) + 1)
                label = name if first else None
                panel.plot(epochs, history[name], "o-", ms=4, color=color, label=label)
        panel.set(title=title, xlabel="epoch", ylim=(0, 1.03))
        panel.set_xticks(epochs)
        panel.grid(alpha=0.3)
    first = np.atleast_1d(panels)[0]
    if len(recalibrated):
        end = [len(history["train"])] * len(recalibrated)
        label = "validation, recalibrated"
        first.plot(
            end, recalibrated, "*", ms=12, mec="white", color="tab:red", label=label
        )
    first.set_ylabel("accuracy")
    handles, labels = first.get_legend_handles_labels()
    figure.legend(handles, labels, ncols=3, loc="lower center", frameon=False)
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    return figure


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", default="frozen_batch_norm.png")
    options = parser.parse_args(arguments)
    print(f"keras {keras.__version__} on {keras.backend.backend()}", flush=True)
    data, validation_data = load_data(options.seed)

    ordinary = build(options.seed)
    before = train(ordinary, data, validation_data, title="BatchNormalization")
    frozen = freeze_batch_norm(build(options.seed))
    after = train(frozen, data, validation_data, title="freeze_batch_norm")
    print("The first model again, with its weights unchanged:")
    recalibrate_batch_norm(ordinary, data, batch_size=BATCH_SIZE)
    renewed = accuracy(ordinary, validation_data)

    rows = {
        "BatchNormalization": (before["train"][-1], before["validation"][-1]),
        "  + recalibrate_batch_norm": (before["train"][-1], renewed),
        "freeze_batch_norm": (after["train"][-1], after["validation"][-1]),
    }
    print(f"\n{'':<28}  train  validation")
    for name, (fitted, validated) in rows.items():
        print(f"{name:<28}  {fitted:>5.3f}  {validated:>10.3f}")
    panels = {"before: BatchNormalization": [before]}
    panels["after: freeze_batch_norm"] = [after]
    figure = plot_curves(panels, [renewed])
    figure.savefig(options.output, dpi=120)
    print(f"\nSaved {os.path.abspath(options.output)}")


if __name__ == "__main__":
    main()
