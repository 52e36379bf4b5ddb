"""How hard each term of the loss pulls."""

from keras_trainfix.diagnosis.report.terms_picture import draw_terms
from tests.diagnosis.report.samples import parsed


def test_each_term_has_its_share():
    picture = draw_terms([("the compiled loss", 1.0), ("<penalties>", 3.0)])
    parsed(picture)
    assert "25% (1)" in picture
    assert "75% (3)" in picture
    assert "&lt;penalties&gt;" in picture


def test_one_term_or_no_gradient_is_no_picture():
    assert draw_terms([("the loss", 1.0)]) == ""
    assert draw_terms([("one", 0.0), ("two", 0.0)]) == ""
    assert draw_terms([("one", float("nan")), ("two", 0.0)]) == ""
