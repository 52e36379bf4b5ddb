"""A model that collapses, is named, and is rescued: `python -m keras_trainfix demo`."""

import importlib.util
import textwrap
import warnings

import keras
import numpy as np
from keras import layers

from keras_trainfix.callbacks.collapse.detector import CollapseDetector, CollapseWarning
from keras_trainfix.diagnosis.report.plots import HEIGHT, WIDTH, OutputSummary, draw

SIZE, SIDE = 32, 6  # pixels of an image and of the square in it
SCALE, STEP = 1.6, 56  # of an image in the picture, and from one to the next
SHOWN = 4  # images
RATE = 0.1  # of Adam: far too high
INK, MARK = "#1f2328", "#e3781b"


def run(folder, samples=512, epochs=3, rescue_epochs=10):
    """Trains the net twice, prints what happens, and draws it.

    Args:
        folder: `pathlib.Path` to write the pictures to.
        samples: Integer, the number of images.
        epochs: Integer, of the training that collapses.
        rescue_epochs: Integer, of the one that is rescued.

    Returns:
        List of the `pathlib.Path` of each picture.
    """
    x, y = squares(samples)
    _say(
        f"1. {samples} images of a white square, and a convolutional net that is to "
        f"say where it is. Training with Adam({RATE}), which is too much ..."
    )
    detector = CollapseDetector((x, y))
    losses, collapsed = train(x, y, detector, epochs)
    _say(
        f"   The loss falls: {' -> '.join(f'{loss:.3g}' for loss in losses)}. But "
        f"predictions have a standard deviation of {collapsed.std(0).max():.1g}: one "
        f"answer for all images, {pixels_off(collapsed, y):.1f} pixels off. The best "
        f"constant answer, the mean, has a loss of {y.var(0).mean():.3g}."
    )
    _say(f"2. CollapseDetector says: {_first_finding(detector)}")
    _say('3. The same once more, with CollapseDetector((x, y), action="rescue") ...')
    detector = CollapseDetector((x, y), action="rescue")
    losses, rescued = train(x, y, detector, rescue_epochs, _snapshots(x, y, folder))
    for line in detector.rescues:
        _say(f"   {line[0].upper()}{line[1:]}")
    _say(
        f"   The loss: {losses[0]:.3g} -> {losses[-1]:.2g}. The answers are "
        f"{pixels_off(rescued, y):.1f} pixels off."
    )
    path = folder / "demo.svg"
    path.write_text(picture(x, y, collapsed, rescued), encoding="utf-8")
    paths = [path, *folder.glob("snapshots.png")]
    print("4. Before and after:", *paths)
    return paths


def squares(samples):
    """White squares on black, and their places in [-1, 1]."""
    room = SIZE - SIDE
    corners = np.random.default_rng(1).integers(0, room + 1, (samples, 2))
    x = np.zeros((samples, SIZE, SIZE, 1), "float32")
    for image, (row, column) in zip(x, corners, strict=True):
        image[row : row + SIDE, column : column + SIDE] = 1
    return x, (2 * corners / room - 1).astype("float32")


def train(x, y, detector, epochs, callbacks=()):
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


def pixels_off(predictions, y):
    """The mean distance from the right places."""
    distances = np.linalg.norm(predictions - y, axis=1)
    return float(distances.mean() * (SIZE - SIDE) / 2)


def picture(x, y, collapsed, rescued):
    """Predictions over targets, and squares with the places predicted, as SVG."""
    # Both of one scale: the range of the targets, and a little more.
    both = [np.clip(answers, -1.2, 1.2) for answers in (collapsed, rescued)]
    summaries = [
        OutputSummary(name, "regression", answers[:256, 0], y[:256, 0], float(y.mean()))
        for name, answers in zip(("collapsed", "rescued"), both, strict=True)
    ]
    width, height = 2 * WIDTH + 40, HEIGHT + STEP + 68
    parts = []
    for number, (plot, answers) in enumerate(
        zip(draw(summaries, {}), both, strict=True)
    ):
        left = 10 + number * (WIDTH + 20)
        images = "".join(
            _image(y[i], answers[i], 50 + i * STEP, HEIGHT + 20)
            for i in range(min(SHOWN, len(x)))
        )
        parts.append(f'<g transform="translate({left} 10)">{plot}{images}</g>')
    note = "White: the square. Orange: where the model says that it is."
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" color="{INK}">'
        f'<rect width="{width}" height="{height}" fill="#fff"/>{"".join(parts)}'
        f'<text x="60" y="{height - 14}" fill="{INK}" font-size="11" '
        f'font-family="system-ui,sans-serif">{note}</text></svg>\n'
    )


def _image(target, answer, left, top):
    """An image, and a frame around the place that is predicted."""
    places = [(1 + place) / 2 * (SIZE - SIDE) for place in (target, answer)]
    (row, column), (said_row, said_column) = places
    return (
        f'<g transform="translate({left} {top}) scale({SCALE})">'
        f'<rect width="{SIZE}" height="{SIZE}" fill="#000"/>'
        f'<rect x="{column:.1f}" y="{row:.1f}" width="{SIDE}" height="{SIDE}" '
        'fill="#fff"/>'
        f'<rect x="{said_column:.1f}" y="{said_row:.1f}" width="{SIDE}" '
        f'height="{SIDE}" fill="none" stroke="{MARK}" stroke-width="1.2"/></g>'
    )


def _snapshots(x, y, folder):
    """A picture of each epoch as well, where there is something to draw it with."""
    if importlib.util.find_spec("matplotlib") is None:
        return []
    from keras_trainfix.callbacks.snapshots.prediction_snapshots import (
        PredictionSnapshots,
    )

    return [PredictionSnapshots(x, y, folder=folder)]


def _first_finding(detector):
    if detector.diagnosis is None:
        return "nothing found."
    finding = detector.diagnosis.findings[0]
    return f"{finding.code} {finding.name}. {finding.message}"


def _say(text):
    """Prints lines of a terminal; numbers stand out."""
    print(textwrap.fill(text, 80, subsequent_indent="   "), flush=True)
