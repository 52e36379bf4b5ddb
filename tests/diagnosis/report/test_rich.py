"""A diagnosis as a rich table."""

import io

import pytest

from keras_trainfix.diagnosis.findings import Diagnosis
from tests.diagnosis.report.samples import CAUSE, SYMPTOM


@pytest.mark.parametrize("width", [40, 80])
def test_the_rich_table(width):
    console = pytest.importorskip("rich.console")
    file = io.StringIO()
    diagnosis = Diagnosis([CAUSE, SYMPTOM], {"output": "regression"}, {"KTF301": "no"})
    console.Console(width=width, file=file).print(diagnosis)
    text = file.getvalue()
    assert max(map(len, text.splitlines())) <= width
    words = " ".join(text.split())
    for part in ("[layer]", "<dense>", "2 errors", "explains", "then(that)", "KTF301"):
        assert part in words


def test_rich_with_nothing_found():
    console = pytest.importorskip("rich.console")
    file = io.StringIO()
    console.Console(width=80, file=file).print(Diagnosis([]))
    assert file.getvalue() == "Diagnosis: nothing found.\n"
