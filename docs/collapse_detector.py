"""Trains a net that collapses in its first steps and is rescued, and draws it.

    python docs/collapse_detector.py

Prints what docs/collapse-detector.md shows and draws docs/collapse-detector.svg. Takes
about a minute on two cores.
"""

import os
import sys
from pathlib import Path

# A oneDNN convolution writes out of bounds on some CPUs: see examples/README.md.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from benchmarks.collapse_detector import box_data, box_net
from keras_trainfix import CollapseDetector

FOLDER = Path(__file__).resolve().parent


def main(path=FOLDER / "collapse-detector.svg", images=1536, epochs=6):
    """Trains, prints what the detector did, and draws it."""
    x, y = box_data(3, images)
    model = box_net(3)
    detector = CollapseDetector((x, y), action="rescue")
    model.fit(x, y, batch_size=64, epochs=epochs, verbose=0, callbacks=[detector])
    print(detector.diagnosis.codes)
    error = np.mean((model.predict(x, verbose=0) - y) ** 2) / y.var()
    print(f"mean squared error / variance of the targets: {error:.4f}")
    detector.plot(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
