"""Images, labels and predictions as PNG within a page."""

import io

import numpy as np
import pytest

from keras_trainfix.diagnosis.findings import MaskExamples
from keras_trainfix.diagnosis.report.mask_picture import (
    VOID_COLOR,
    color_of,
    draw_masks,
    name_of,
    png,
)
from tests.diagnosis.report.samples import parsed

LABELS = np.array([[[0, 1], [2, -1]]])
IMAGES = np.zeros((1, 2, 2, 3), "uint8")


def test_a_png_holds_the_pixels():
    image = pytest.importorskip("matplotlib.image")
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 3)).astype("uint8")
    read = image.imread(io.BytesIO(png(pixels)), format="png")
    np.testing.assert_allclose(255 * read[..., :3], pixels, atol=0.6)


def test_masks_have_a_score_and_a_key():
    examples = MaskExamples("output", IMAGES, LABELS, LABELS, (0.5,))
    page = parsed(draw_masks(examples, " of 'a'", ["sky", "road"]))
    words = " ".join(page.itertext())
    for part in ("Masks of 'a'", "prediction", "IoU 0.50", "void", "sky", "road", "2"):
        assert part in words
    assert len(list(page.iter("img"))) == 3


def test_the_probability_of_one_unit():
    examples = MaskExamples("output", IMAGES, LABELS % 2, LABELS / 2.0, (0.5,))
    assert "probability" in draw_masks(examples)


def test_colors_differ():
    colors = [color_of(number) for number in range(-1, 12)]
    assert colors[0] == VOID_COLOR
    assert len(set(colors)) == 13


def test_names():
    assert name_of(1, None) == "1"
    assert name_of(1, ["cat"]) == "1"
    assert name_of(0, ["cat"]) == "cat"
    assert name_of(-1, ["cat"]) == "void"
