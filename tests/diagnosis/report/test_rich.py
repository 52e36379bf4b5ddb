"""A diagnosis for a terminal with rich."""

import io

import pytest

from keras_trainfix.diagnosis.findings import Diagnosis
from tests.diagnosis.report.samples import CAUSE, SYMPTOM, finding


@pytest.mark.parametrize("width", [40, 80])
def test_the_rich_text(width):
    console = pytest.importorskip("rich.console")
    file = io.StringIO()
    diagnosis = Diagnosis([CAUSE, SYMPTOM], {"output": "regression"}, {"KTF301": "no"})
    console.Console(width=width, file=file).print(diagnosis)
    text = file.getvalue()
    assert max(map(len, text.splitlines())) <= width
    words = " ".join(text.split())
    shown = ("[layer]", "<dense>", "2 errors", "see 1", "│ then(that)", "KTF301")
    for part in ("error[KTF403] dead-relu", *shown):
        assert part in words


def test_rich_with_nothing_found():
    console = pytest.importorskip("rich.console")
    file = io.StringIO()
    console.Console(width=80, file=file).print(Diagnosis([]))
    assert file.getvalue() == "No fault found.\n"


def test_code_keeps_its_lines_and_its_gutter():
    console = pytest.importorskip("rich.console")
    file = io.StringIO()
    code = (
        "model.compile(keras.optimizers.Adam(0.001), loss='binary_crossentropy', "
        "metrics=['accuracy'])  # was 0.01\nmodel.fit(x, y)"
    )
    diagnosis = Diagnosis([finding(fix=code)], mendable=(1,))
    console.Console(width=80, file=file).print(diagnosis)
    lines = file.getvalue().splitlines()
    assert [line.partition("│ ")[2].rstrip() for line in lines if "│" in line] == [
        "# was 0.01",
        "model.compile(keras.optimizers.Adam(0.001), loss='binary_crossentropy',",
        "    metrics=['accuracy'])",
        "model.fit(x, y)",
    ]
    assert "\x1b" not in file.getvalue()  # a file is no terminal
    assert lines[-1] == "[*] 1 can be mended: model = diagnosis.fixed(model)"
