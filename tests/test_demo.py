"""`python -m keras_trainfix demo`, with fewer images."""

import xml.etree.ElementTree as ElementTree
from functools import partial

import keras
import pytest

from keras_trainfix import cli, demo


@pytest.mark.slow
def test_the_demo(tmp_path, capsys, monkeypatch):
    small = partial(demo.run, samples=128, epochs=2, rescue_epochs=5)
    monkeypatch.setattr(demo, "run", small)
    code = cli.main(["demo", "--folder", str(tmp_path / "new")])
    out, _ = capsys.readouterr()
    assert code == 0
    assert keras.config.is_interactive_logging_enabled()
    assert [line[:2] for line in out.splitlines() if line[0] != " "] == (
        ["1.", "2.", "3.", "4."]
    )
    assert len(out.splitlines()) <= 16
    assert max(map(len, out.split("4.")[0].splitlines())) <= 80
    assert "CollapseDetector reports: KTF4" in out
    assert "learning rate 0.1 -> 0.0" in " ".join(out.split())
    collapsed, rescued = (float(t.split()[-1]) for t in out.split(" pixels off")[:2])
    assert collapsed > 8
    assert rescued < collapsed / 2
    root = ElementTree.parse(tmp_path / "new" / "demo.svg").getroot()
    titles = [node.text for node in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == [
        "Predictions of 'collapsed' over targets",
        "Predictions of 'rescued' over targets",
    ]


def test_a_folder_that_cannot_be(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert cli.main(["demo", "--folder", str(tmp_path / "file")]) == 2
    assert "error: cannot write to" in capsys.readouterr().err


def test_without_matplotlib_there_is_one_picture_less(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    assert len(demo._snapshots(*demo.squares(8), tmp_path)) == 1
    monkeypatch.setattr(demo.importlib.util, "find_spec", lambda name: None)
    assert demo._snapshots(*demo.squares(8), tmp_path) == []
