"""The one table of all public classes: how to build each, an input and a target.

A new class is one more row; `tests/test_contracts.py` holds every row to the same
promises. Run as a program, `python -m tests.contracts FOLDER` saves a model of each
row: how one backend writes what another reads, and how golden files are made.
"""

import json
import os
import subprocess
import sys
import tempfile
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
        needs_whole_batch: Whether it mixes samples, so that each replica of
            `tf.distribute`, which sees its part of a batch, has a value of its own.
    """

    name: str
    build: Callable
    input_shape: tuple
    needs_whole_batch: bool = False

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


class LossContract(Contract):
    """A loss: of a net that labels pixels, some of them void."""

    @property
    def y(self):
        y = np.random.default_rng(2).integers(0, 3, (8, *self.input_shape[:-1]))
        y[np.random.default_rng(3).random(y.shape) < 0.2] = 255
        y[3] = 255
        return y.astype("uint8")

    def model(self, **kwargs):
        keras.utils.set_random_seed(1)
        loss = self.build()
        model = keras.Sequential(
            [
                keras.Input(self.input_shape),
                keras.layers.Dense(4, activation="tanh"),
                keras.layers.Dense(
                    3, activation=None if from_logits(loss) else "softmax"
                ),
            ]
        )
        for weight in model.weights:  # the same on every backend
            weight.assign(np.random.default_rng(3).uniform(-1, 1, weight.shape))
        model.compile("sgd", loss, **kwargs)
        return model


class MetricContract(LossContract):
    """A metric: of the same net, trained with cross-entropy."""

    is_eager = False  # whether compiled code cannot compute it

    def model(self, **kwargs):
        model = LossContract("", kt.MaskedCrossentropy, self.input_shape).model()
        model.compile("sgd", model.loss, metrics=[self.build()], **kwargs)
        return model


class EagerMetricContract(MetricContract):
    """A metric that needs eager code."""

    is_eager = True

    def model(self, **kwargs):
        return super().model(**{"run_eagerly": True, **kwargs})


def from_logits(loss):
    return getattr(loss, "losses", [loss])[0].from_logits


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
    LossContract("masked_crossentropy", kt.MaskedCrossentropy, (6, 5, 3)),
    LossContract(
        "masked_crossentropy_all_arguments",
        lambda: kt.MaskedCrossentropy(
            ignore_class=(255, -1),
            from_logits=True,
            class_weight={1: 2.0},
            label_smoothing=0.1,
            focal_gamma=2.0,
            top_k=0.7,
            reduction="sum",
            name="hard",
        ),
        (6, 5, 3),
        needs_whole_batch=True,
    ),
    LossContract("masked_soft_dice", kt.MaskedSoftDice, (6, 5, 3)),
    LossContract(
        "masked_soft_dice_all_arguments",
        lambda: kt.MaskedSoftDice(
            from_logits=True,
            class_weight=[1, 2, 3],
            scope="batch",
            include_background=False,
            include_absent=True,
            squared=True,
            generalized="simple",
            log_cosh=True,
            smooth=1.0,
        ),
        (6, 5, 3),
        needs_whole_batch=True,
    ),
    LossContract("masked_tversky", kt.MaskedTversky, (7, 3)),
    LossContract(
        "masked_tversky_all_arguments",
        lambda: kt.MaskedTversky(
            from_logits=True, alpha=0.3, beta=0.7, gamma=0.75, smooth=1e-3
        ),
        (3, 3, 4, 3),
    ),
    LossContract("masked_lovasz", kt.MaskedLovasz, (6, 5, 3)),
    LossContract("masked_cl_dice", kt.MaskedClDice, (6, 5, 3)),
    LossContract(
        "masked_cl_dice_all_arguments",
        lambda: kt.MaskedClDice(
            from_logits=True,
            class_weight={2: 3.0},
            iterations=2,
            include_background=True,
            include_absent=True,
            smooth=0.5,
        ),
        (3, 3, 4, 3),
    ),
    LossContract("masked_boundary", kt.MaskedBoundary, (6, 5, 3)),
    LossContract(
        "masked_boundary_all_arguments",
        lambda: kt.MaskedBoundary(
            from_logits=True,
            class_weight=[1, 2, 3],
            include_background=True,
            spacing=(3.0, 1.0, 0.5),
            reduction="sum",
        ),
        (3, 3, 4, 3),
        needs_whole_batch=True,
    ),
    LossContract("masked_hausdorff", kt.MaskedHausdorff, (6, 5, 3)),
    LossContract(
        "masked_hausdorff_all_arguments",
        lambda: kt.MaskedHausdorff(
            from_logits=True,
            class_weight={1: 2.0},
            include_background=True,
            alpha=1.0,
            spacing=0.5,
        ),
        (3, 3, 4, 3),
    ),
    LossContract(
        "weighted_sum",
        lambda: kt.WeightedSum(
            [
                kt.MaskedSoftDice(from_logits=True),
                kt.MaskedCrossentropy(from_logits=True, class_weight=[1, 2, 3]),
            ],
            weights=[1, 0.5],
        ),
        (6, 5, 3),
    ),
    MetricContract("mean_iou", lambda: kt.MeanIoU(3), (6, 5, 3)),
    MetricContract(
        "mean_iou_all_arguments",
        lambda: kt.MeanIoU(
            3,
            ignore_class=(255, 0),
            threshold=0.4,
            from_logits=True,
            per_class=True,
            class_names=["sky", "road", "car"],
            name="fine",
        ),
        (3, 3, 4, 3),
    ),
    MetricContract(
        "mean_iou_multi_label",
        lambda: kt.MeanIoU(
            3, multi_label=True, include_background=False, threshold=0.3
        ),
        (6, 5, 3),
    ),
    MetricContract("dice_score", lambda: kt.DiceScore(3), (7, 3)),
    MetricContract(
        "dice_score_of_images",
        lambda: kt.DiceScore(
            3, scope="image", include_background=False, per_class=True
        ),
        (7, 3),
    ),
    MetricContract(
        "mean_iou_of_images_multi_label",
        lambda: kt.MeanIoU(3, scope="image", multi_label=True),
        (3, 3, 4, 3),
    ),
    MetricContract(
        "pixel_accuracy",
        lambda: kt.PixelAccuracy(3, average="macro", ignore_class=(255, 1)),
        (6, 5, 3),
    ),
    MetricContract(
        "pixel_accuracy_multi_label",
        lambda: kt.PixelAccuracy(3, multi_label=True, per_class=True),
        (6, 5, 3),
    ),
    MetricContract("boundary_iou", lambda: kt.BoundaryIoU(3, distance=1), (6, 5, 3)),
    EagerMetricContract(
        "surface_distances",
        lambda: kt.SurfaceDistances(3, spacing=(0.5, 2.0), per_class=True),
        (6, 5, 3),
    ),
    MetricContract("confusion_matrix", lambda: kt.ConfusionMatrix(3), (6, 5, 3)),
    MetricContract(
        "masked_mean", lambda: kt.MaskedMean(kt.MaskedSoftDice(), name="m"), (6, 5, 3)
    ),
    MetricContract(
        "prediction_spread", lambda: kt.PredictionSpread(ignore_class=255), (6, 5, 3)
    ),
    MetricContract(
        "target_spread", lambda: kt.TargetSpread(ignore_class=255), (6, 5, 3)
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
        if isinstance(contract, LossContract):
            measure = contract.build()
            saved = {
                "config": keras.saving.serialize_keras_object(measure),
                "value": value(measure, contract.y, y),
            }
            (folder / f"{contract.name}.json").write_text(json.dumps(saved))


def written_by(backend, folder):
    """Returns the folder below `folder` with what `save_all` saves under `backend`.

    It starts the framework, which takes long, and so does it once for all processes
    that share `folder`.
    """
    target = Path(folder) / backend
    if not target.exists():
        unfinished = Path(tempfile.mkdtemp(dir=folder))
        subprocess.run(
            [sys.executable, "-m", "tests.contracts", str(unfinished)],
            cwd=Path(__file__).parent.parent,
            env={**os.environ, "KERAS_BACKEND": backend},
            check=True,
            capture_output=True,
        )
        if not target.exists():  # no other process was faster
            unfinished.rename(target)
    return target


def value(measure, y_true, y_pred):
    """What a loss or metric gives, as a list of numbers."""
    return numbers({"value": measure(y_true, y_pred)})


def numbers(logs):
    """All numbers of a dict of scalars, arrays and dicts, as a list."""
    found = []
    for key in sorted(logs):
        if isinstance(logs[key], dict):
            found += numbers(logs[key])
        else:
            array = keras.ops.convert_to_numpy(logs[key])
            found += array.astype("float64").ravel().tolist()
    return found


if __name__ == "__main__":
    save_all(Path(sys.argv[1]))
