"""Draws the predictions of a small net on real brain slices, epoch by epoch.

    python docs/prediction_snapshots.py

Writes docs/prediction-snapshots.png. Takes about a minute on two cores.
"""

import os
import sys
from pathlib import Path

# A oneDNN convolution writes out of bounds on some CPUs: see examples/README.md.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import keras
from keras import layers

from examples import real_data
from keras_trainfix import MaskedCrossentropy, PredictionSnapshots

FOLDER = Path(__file__).resolve().parent
NAMES = ["background", "gray matter", "white matter", "other"]


def main(path=FOLDER / "prediction-snapshots.png", epochs=12):
    """Trains, and draws three held-out slices."""
    keras.utils.set_random_seed(1)
    (x, y), (x_test, y_test) = real_data.tissue_slices()
    model = keras.Sequential(
        [
            keras.Input(x.shape[1:]),
            layers.Conv2D(16, 5, padding="same", activation="relu"),
            layers.Conv2D(16, 5, padding="same", activation="relu"),
            layers.Conv2D(len(NAMES), 1),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-3), MaskedCrossentropy(from_logits=True))
    chosen = [len(x_test) * part // 4 for part in (1, 2, 3)]
    snapshots = PredictionSnapshots(
        x_test[chosen], y_test[chosen], every=2, class_names=NAMES
    )
    model.fit(x, y, batch_size=4, epochs=epochs, verbose=2, callbacks=[snapshots])
    snapshots.plot(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
