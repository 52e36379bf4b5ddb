"""Trains a small net on real brain slices and shows which tissues it confuses.

    python examples/confusion_matrix.py

Takes half a minute, prints a table of the classes and writes `confusion.png`.
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
from keras_trainfix import MaskedCrossentropy, MeanIoU

NAMES = ["background", "gray matter", "white matter", "other"]


def main(path="confusion.png", epochs=4):
    keras.utils.set_random_seed(1)
    (x, y), test = real_data.tissue_slices()
    model = keras.Sequential(
        [
            keras.Input(x.shape[1:]),
            layers.Conv2D(16, 5, padding="same", activation="relu"),
            layers.Conv2D(16, 5, padding="same", activation="relu"),
            layers.Conv2D(len(NAMES), 1),
        ]
    )
    metric = MeanIoU(len(NAMES), class_names=NAMES)
    model.compile(
        keras.optimizers.Adam(3e-3),
        MaskedCrossentropy(from_logits=True),
        metrics=[metric],
    )
    model.fit(x, y, batch_size=4, epochs=epochs, verbose=2)
    model.evaluate(*test, verbose=0)
    print(metric.class_table())
    metric.plot(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
