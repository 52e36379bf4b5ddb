"""The report as one page: in a real browser, and where it cannot be written."""

import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from keras_trainfix.diagnosis.report import page
from tests.diagnosis.report.samples import full

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")


def test_the_page_needs_nothing_else(tmp_path):
    path = full().save(tmp_path / "report.html")
    assert path == tmp_path / "report.html"
    markup = path.read_text(encoding="utf-8")
    assert full().verdict in markup
    assert "default-src 'none'" in markup
    assert not re.findall(r"(?:src|href)=.(?!data:)", markup)
    HTMLParser().feed(markup)
    assert list(tmp_path.iterdir()) == [path]


def test_class_names_are_shown(tmp_path):
    import keras
    import numpy as np

    from keras_trainfix import diagnose

    x = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
    layers = [keras.Input((3,)), keras.layers.Dense(2, "softmax")]
    model = keras.Sequential(layers)
    model.compile("adam", "sparse_categorical_crossentropy")
    diagnosis = diagnose(model, x, (x[:, 0] > 0).astype(int), fit=False)
    path = diagnosis.save(tmp_path / "report.html", class_names=["heron", "stork"])
    assert "heron" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["none/report.html", "."])
def test_a_path_that_cannot_be_written(tmp_path, name):
    (tmp_path / "kept.txt").write_text("as it was")
    with pytest.raises(OSError, match="The report cannot be written.*Received: path="):
        full().save(tmp_path / name)
    assert [p.name for p in tmp_path.iterdir()] == ["kept.txt"]


def test_a_report_that_fails_leaves_the_earlier_one(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("earlier")

    def full_disk(*names):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(page.os, "replace", full_disk)
    with pytest.raises(OSError, match="No space left"):
        full().save(path)
    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]


def seen(path, *flags):
    """The page after its scripts ran, and what the browser said."""
    base = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu"]
    base += ["--enable-logging=stderr", "--virtual-time-budget=800", *flags]
    done = subprocess.run(
        [*base, "--dump-dom", path.as_uri()], capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode(), done.stderr.decode()


@needs_browser
def test_in_a_browser(tmp_path):
    path = full().save(tmp_path / "report.html")
    press = '<script>document.querySelector("button").click()</script></body>'
    width = "<script>document.title = document.documentElement.scrollWidth</script>"
    markup = path.read_text(encoding="utf-8").replace("</body>", f"{width}{press}")
    path.write_text(markup, encoding="utf-8")
    shown, said = seen(path, "--window-size=500,900")
    assert "CONSOLE" not in said, said  # neither errors nor blocked requests
    assert len(re.findall("<button", shown)) == len(re.findall("<pre", shown)) == 1
    assert re.search(r"<button>(Copied|Selected)</button>", shown)
    assert int(re.search(r"<title>(\d+)</title>", shown)[1]) <= 500
