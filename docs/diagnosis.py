"""Diagnoses a collapsed net that should locate a square in an image.

    python docs/diagnosis.py

Prints the text in docs/diagnosis.md and draws docs/diagnosis.svg, the notebook view.
Takes about a minute on two cores.
"""

import os
import sys
from pathlib import Path

# A oneDNN convolution writes out of bounds on some CPUs: see examples/README.md.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import keras
import numpy as np
from keras import layers

from keras_trainfix import diagnose

FOLDER = Path(__file__).resolve().parent
WIDTH, HEIGHT = 840, 715


def squares(samples=640, size=64):
    """White squares on black, and their positions in [-1, 1]."""
    rng = np.random.default_rng(1)
    corners = rng.integers(0, size - 8, (samples, 2))
    x = np.zeros((samples, size, size, 3), "float32")
    for image, (row, column) in zip(x, corners, strict=True):
        image[row : row + 8, column : column + 8] = 1
    return x, (2 * corners / (size - 8) - 1).astype("float32")


def collapsed(x, y, learning_rate=0.01):
    """The net after two epochs at too high a learning rate."""
    keras.utils.set_random_seed(1)
    filters = {"kernel_size": 5, "strides": 2, "activation": "relu"}
    model = keras.Sequential(
        [
            keras.Input(x.shape[1:]),
            *(layers.Conv2D(number, **filters) for number in (32, 64, 128)),
            layers.Flatten(),
            layers.Dense(100, activation="relu"),
            layers.Dense(2),
        ]
    )
    model.compile(keras.optimizers.Adam(learning_rate), "mse")
    model.fit(x, y, batch_size=32, epochs=2, verbose=2)
    return model


def save_picture(diagnosis, path):
    """Wraps the HTML of a diagnosis in an SVG, which every browser can display."""
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
        '<foreignObject width="100%" height="100%">'
        '<div xmlns="http://www.w3.org/1999/xhtml" style="color:#1f2328;padding:12px">'
        f"{diagnosis._repr_html_()}</div></foreignObject></svg>\n"
    )


def main(path=FOLDER / "diagnosis.svg"):
    """Prints the diagnosis and draws it."""
    x, y = squares()
    diagnosis = diagnose(collapsed(x, y), x, y)
    print(diagnosis)
    save_picture(diagnosis, Path(path))


if __name__ == "__main__":
    main(*sys.argv[1:])
