"""A diagnosis as HTML, without a request to any site."""

import re

from keras_trainfix.diagnosis.findings import Diagnosis
from tests.diagnosis.nets import inputs
from tests.diagnosis.report.samples import CAUSE, SYMPTOM, finding, full, parsed

X = inputs()
Y = X[:, :1] + 1


def test_the_html():
    markup = full()._repr_html_()
    page = parsed(markup)
    assert "&lt;dense&gt;" in markup
    assert [d.get("open") is not None for d in page.iter("details")] == [True, False]
    assert len(page.findall(".//{http://www.w3.org/2000/svg}svg")) >= 1


def test_the_html_requests_nothing():
    markup = full()._repr_html_()
    links = [a.get("href") for a in parsed(markup).iter("a")]
    assert links == [CAUSE.url, SYMPTOM.url]  # followed by a click alone
    for request in ("src=", "url(", "@import", "<link", "<script", "data:"):
        assert request not in markup


def test_the_html_has_the_colour_of_the_worst():
    def first(diagnosis):
        return re.search(r"background:(#\w+)", diagnosis._repr_html_())[1]

    diagnoses = [Diagnosis([finding(severity=s)]) for s in ("error", "warning", "note")]
    assert len({first(d) for d in [*diagnoses, Diagnosis([])]}) == 4
