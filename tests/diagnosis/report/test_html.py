"""A diagnosis as HTML, without a request to any site."""

import re

import keras
import numpy as np
import pytest

from keras_trainfix.diagnosis.diagnose import diagnose
from keras_trainfix.diagnosis.findings import Diagnosis, Standing
from keras_trainfix.diagnosis.report import html
from tests.diagnosis.nets import inputs
from tests.diagnosis.report.samples import CAUSE, SYMPTOM, finding, full, parsed

X = inputs()
Y = X[:, :1] + 1


def test_the_html():
    markup = full()._repr_html_()
    page = parsed(markup)
    assert "&lt;dense&gt;" in markup
    (code,) = page.iter("details")  # the symptom points to its cause
    assert code.get("open") is not None
    assert "Help: see 1." in markup
    assert len(page.findall(".//{http://www.w3.org/2000/svg}svg")) >= 1


def test_the_html_requests_nothing():
    markup = full()._repr_html_()
    assert not list(parsed(markup).iter("a"))  # no page is published
    for request in ("src=", "url(", "@import", "<link", "<script", "data:"):
        assert request not in markup


def test_a_page_that_is_published_is_a_link(monkeypatch):
    monkeypatch.setattr(html, "IS_PUBLISHED", True)
    links = [a.get("href") for a in parsed(full()._repr_html_()).iter("a")]
    assert links == [CAUSE.url, SYMPTOM.url]  # followed by a click alone


def test_the_html_offers_a_repair():
    diagnosis = Diagnosis([finding(), finding("KTF101", "warning")], mendable=(1,))
    words = "".join(parsed(diagnosis._repr_html_()).itertext())
    offer = "[*] 1 can be mended: model = diagnosis.fixed(model); left to you: 2"
    assert offer in words


def contrast(one, other):
    def light(color):
        parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05

    low, high = sorted((light(one), light(other)))
    return high / low


def test_white_can_be_read_on_each_color():
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    for color in (*html.COLORS.values(), html.FINE):
        assert contrast("#ffffff", color) >= 4.5


def test_a_model_that_training_led_nowhere_is_not_green():
    stands = Standing(0.01, None, False, 100, True, 90)
    assert html.FINE not in Diagnosis([], standing=stands)._repr_html_()
    assert html.FINE in Diagnosis([], standing=stands._replace(skill=1.0))._repr_html_()


def test_all_figures_are_in_the_html():
    keras.utils.set_random_seed(0)
    images = np.random.default_rng(0).random((32, 8, 8, 1)).astype("float32")
    masks = (images > 0.5).astype("float32")
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(4, 3, padding="same", activation="relu"),
            keras.layers.Conv2D(1, 1, activation="sigmoid", kernel_regularizer="l2"),
        ]
    )
    model.compile("adam", "binary_crossentropy")
    markup = diagnose(model, images, masks)._repr_html_()
    words = "".join(parsed(markup).itertext())
    for part in ("Masks", "IoU 0.", "Labels (rows)", "at each learning rate", "layers"):
        assert part in words
    assert "Gradient of each term" in words


def test_the_html_has_the_colour_of_the_worst():
    def first(diagnosis):
        return re.search(r"background:(#\w+)", diagnosis._repr_html_())[1]

    diagnoses = [Diagnosis([finding(severity=s)]) for s in ("error", "warning", "note")]
    assert len({first(d) for d in [*diagnoses, Diagnosis([])]}) == 4
