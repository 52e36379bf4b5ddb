"""How often each class was taken for which, as a table."""

import numpy as np

from keras_trainfix.diagnosis.findings import Confusion
from keras_trainfix.diagnosis.report.confusion_table import draw_confusion
from tests.diagnosis.report.samples import parsed

TABLE = Confusion("output", np.array([[3, 1], [0, 0]]))


def test_rows_are_labels():
    page = parsed(draw_confusion(TABLE, class_names=["<cat>", "dog"]))
    rows = [[cell.text for cell in row] for row in page.iter("tr")]
    assert rows == [[None, "<cat>", "dog"], ["<cat>", "3", "1"], ["dog", "0", "0"]]


def test_shades_are_shares_of_the_label():
    markup = draw_confusion(TABLE)
    assert "rgba(26,116,54,0.26)" in markup  # 3 of 4, right
    assert "rgba(179,32,42,0.09)" in markup  # 1 of 4, wrong
    assert "nan" not in markup
