"""A model that collapses, is diagnosed and rescued: `python -m keras_trainfix demo`."""

import importlib.util
import textwrap
import warnings
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from keras import layers

from keras_trainfix.callbacks.collapse.detector import CollapseDetector, CollapseWarning
from keras_trainfix.diagnosis.report.plots import HEIGHT, WIDTH, OutputSummary, draw

SIZE, SIDE = 32, 6  # of an image and of the square in it, in pixels
SCALE, STEP = 1.6, 56  # of an image in the picture, and the distance to the next one
SHOWN = 4  # images
RATE = 0.1  # learning rate of Adam: far too high
INK, MARK = "#1f2328", "#e3781b"


def run(
    folder: Path, samples: int = 512, epochs: int = 3, rescue_epochs: int = 10
) -> list[Path]:
    """Trains the net twice, prints what happens, and draws it.

    Args:
        folder: `pathlib.Path`, where the pictures are written.
        samples: Integer, the number of images. Defaults to `512`.
        epochs: Integer, the epochs of the training that collapses. Defaults to `3`.
        rescue_epochs: Integer, the epochs of the training that is rescued. Defaults
            to `10`.

    Returns:
        List of the `pathlib.Path` of each picture.
    """
    x, y = squares(samples)
    _say(
        f"1. {samples} images of a white square, and a convolutional net that "
        f"predicts its position. Training with Adam({RATE}), a rate far too high ..."
    )
    detector = CollapseDetector((x, y))
    losses, collapsed = train(x, y, detector, epochs)
    _say(
        f"   The loss falls: {' -> '.join(f'{loss:.3g}' for loss in losses)}. But "
        f"predictions have a standard deviation of {collapsed.std(0).max():.1g}: the "
        f"same for all images, {pixels_off(collapsed, y):.1f} pixels off. The best "
        f"constant prediction, the mean, has a loss of {y.var(0).mean():.3g}."
    )
    _say(f"2. CollapseDetector reports: {_first_finding(detector)}")
    _say('3. The same again, with CollapseDetector((x, y), action="rescue") ...')
    detector = CollapseDetector((x, y), action="rescue")
    losses, rescued = train(x, y, detector, rescue_epochs, _snapshots(x, y, folder))
    for line in map(str, detector.rescues):
        _say(f"   {line[0].upper()}{line[1:]}")
    _say(
        f"   The loss: {losses[0]:.3g} -> {losses[-1]:.2g}. The predictions are "
        f"{pixels_off(rescued, y):.1f} pixels off."
    )
    path = folder / "demo.svg"
    path.write_text(picture(x, y, collapsed, rescued), encoding="utf-8")
    paths = [path, *folder.glob("snapshots.png")]
    print("4. Before and after:", *paths)
    return paths


def squares(samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Images of a white square on black, and its positions in [-1, 1].

    Args:
        samples: Integer N, the number of images.

    Returns:
        `(x, y)`: float32 arrays `(N, 32, 32, 1)` and `(N, 2)`, row and column.

    Examples:
        >>> x, y = squares(4)
        >>> x.shape, y.shape, int(x[0].sum())
        ((4, 32, 32, 1), (4, 2), 36)
    """
    room = SIZE - SIDE
    corners = np.random.default_rng(1).integers(0, room + 1, (samples, 2))
    x = np.zeros((samples, SIZE, SIZE, 1), "float32")
    for image, (row, column) in zip(x, corners, strict=True):
        image[row : row + SIDE, column : column + SIDE] = 1
    return x, (2 * corners / room - 1).astype("float32")


def train(
    x: np.ndarray,
    y: np.ndarray,
    detector: CollapseDetector,
    epochs: int,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> tuple[list[float], np.ndarray]:
    """Trains a new net; returns the loss of each epoch, and its predictions."""
    keras.utils.set_random_seed(1)
    filters = {"kernel_size": 5, "strides": 2, "activation": "relu"}
    model = keras.Sequential(
        [
            keras.Input(x.shape[1:]),
            *(layers.Conv2D(number, **filters) for number in (16, 32, 64)),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(y.shape[1]),
        ]
    )
    model.compile(keras.optimizers.Adam(RATE), "mse")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)
        history = model.fit(
            x, y, epochs=epochs, verbose=0, callbacks=[detector, *callbacks]
        )
    return history.history["loss"], model.predict(x, verbose=0)


def pixels_off(predictions: np.ndarray, y: np.ndarray) -> float:
    """The mean distance of predicted from true positions, in pixels.

    Examples:
        >>> pixels_off(np.zeros((1, 2)), np.array([[1.0, 0.0]]))  # half of the range
        13.0
    """
    distances = np.linalg.norm(predictions - y, axis=1)
    return float(distances.mean() * (SIZE - SIDE) / 2)


def picture(
    x: np.ndarray, y: np.ndarray, collapsed: np.ndarray, rescued: np.ndarray
) -> str:
    """Predictions over targets, and images with the predicted position, as SVG."""
    # On the same scale: the range of the targets, and a little more.
    both = [np.clip(values, -1.2, 1.2) for values in (collapsed, rescued)]
    summaries = [
        OutputSummary(name, "regression", values[:256, 0], y[:256, 0], float(y.mean()))
        for name, values in zip(("collapsed", "rescued"), both, strict=True)
    ]
    width, height = 2 * WIDTH + 40, HEIGHT + STEP + 68
    parts = []
    for number, (plot, predictions) in enumerate(
        zip(draw(summaries, {}), both, strict=True)
    ):
        left = 10 + number * (WIDTH + 20)
        images = "".join(
            _image(y[i], predictions[i], 50 + i * STEP, HEIGHT + 20)
            for i in range(min(SHOWN, len(x)))
        )
        parts.append(f'<g transform="translate({left} 10)">{plot}{images}</g>')
    note = "White: the square. Orange: where the model predicts it."
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" color="{INK}">'
        f'<rect width="{width}" height="{height}" fill="#fff"/>{"".join(parts)}'
        f'<text x="60" y="{height - 14}" fill="{INK}" font-size="11" '
        f'font-family="system-ui,sans-serif">{note}</text></svg>\n'
    )


def _image(target: np.ndarray, prediction: np.ndarray, left: int, top: int) -> str:
    """An image with a frame at the predicted position."""
    corners = [(1 + position) / 2 * (SIZE - SIDE) for position in (target, prediction)]
    (row, column), (predicted_row, predicted_column) = corners
    return (
        f'<g transform="translate({left} {top}) scale({SCALE})">'
        f'<rect width="{SIZE}" height="{SIZE}" fill="#000"/>'
        f'<rect x="{column:.1f}" y="{row:.1f}" width="{SIDE}" height="{SIDE}" '
        'fill="#fff"/>'
        f'<rect x="{predicted_column:.1f}" y="{predicted_row:.1f}" width="{SIDE}" '
        f'height="{SIDE}" fill="none" stroke="{MARK}" stroke-width="1.2"/></g>'
    )


def _snapshots(
    x: np.ndarray, y: np.ndarray, folder: Path
) -> list[keras.callbacks.Callback]:
    """A callback that also draws each epoch, if matplotlib is installed."""
    if importlib.util.find_spec("matplotlib") is None:
        return []
    from keras_trainfix.callbacks.snapshots.prediction_snapshots import (
        PredictionSnapshots,
    )

    return [PredictionSnapshots(x, y, folder=folder)]


def _first_finding(detector: CollapseDetector) -> str:
    if detector.diagnosis is None:
        return "nothing found."
    finding = detector.diagnosis.findings[0]
    return f"{finding.code} {finding.name}. {finding.message}"


def _say(text: str) -> None:
    """Prints lines that fit a terminal, with a hanging indent."""
    print(textwrap.fill(text, 80, subsequent_indent="   "), flush=True)
