"""Counted nouns, lists of names, and the progress line."""

import io
import logging
import sys
from contextlib import redirect_stdout

import keras
import pytest

from keras_trainfix import messages
from keras_trainfix.messages import Progress, count, listed, percent, tell


class Terminal(io.StringIO):
    """A standard output that is a terminal."""

    def isatty(self):
        return True

    @property
    def line(self):
        """What is seen: a carriage return goes back to the start of the line."""
        line = ""
        for part in self.getvalue().split("\r"):
            line = part + line[len(part) :]
        return line.rstrip()


@pytest.fixture
def clock(monkeypatch):
    """The time in seconds, which passes where a test says so."""
    now = [100.0]
    monkeypatch.setattr(messages.time, "monotonic", lambda: now[0])
    return now


def test_tell_prints_or_logs(capsys, caplog):
    tell("shown")
    assert capsys.readouterr().out == "shown\n"
    keras.config.disable_interactive_logging()
    with caplog.at_level(logging.INFO, "keras_trainfix"):
        tell("logged")
    assert capsys.readouterr().out == ""
    assert caplog.messages == ["logged"]


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (0, "layer", "0 layers"),
        (1, "layer", "1 layer"),
        (2, "batch", "2 batches"),
        (1, "class", "1 class"),
        (3, "class", "3 classes"),
    ],
)
def test_count(number, noun, text):
    assert count(number, noun) == text


def test_listed():
    assert listed([]) == ""
    assert listed(iter("ab")) == "'a', 'b'"
    assert listed("abcdefg") == "'a', 'b', 'c', 'd', 'e' and 2 more"


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0 %"), (0.125, "12.5 %"), (1 / 3, "33.3 %"), (1, "100 %")]
)
def test_percent(share, text):
    assert percent(share) == text


def test_progress_is_shown_after_a_while_and_disappears(clock):
    out = Terminal()
    with redirect_stdout(out), Progress(8, "batch") as progress:
        progress.update(1)
        assert out.getvalue() == ""
        clock[0] += 4
        progress.update(2)
        assert out.line == "2/8 batches [=====               ] 12 s left"
        clock[0] += 1
        progress.update(8)
        assert out.line == "8/8 batches [====================] 0 s left"
    assert out.line == ""
    assert "step" not in out.getvalue()
    assert "\x1b" not in out.getvalue()


def test_progress_says_what_is_done(clock):
    label = "diagnose: trying treatments"
    with (
        redirect_stdout(Terminal()) as out,
        Progress(4, "run", 0, label) as progress,
    ):
        progress.update(1)
        assert out.line.startswith("diagnose: trying treatments: 1/4 runs [")


def test_progress_of_an_unknown_total(clock):
    with redirect_stdout(Terminal()) as out, Progress(None, "sample", 0) as progress:
        progress.update(1)
        assert out.line == "1 sample"
        clock[0] += 1
        progress.update(12)
        assert out.line == "12 samples"


def test_progress_is_not_shown_too_often(clock):
    with redirect_stdout(Terminal()) as out, Progress(100, "batch", 0) as progress:
        for done in range(100):
            clock[0] += 0.03
            progress.update(done + 1)
    assert 20 < out.getvalue().count("batches") < 35


@pytest.mark.parametrize("case", ["file", "interactive logging off", "terminal"])
def test_progress_only_where_someone_watches(case, clock, monkeypatch):
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    if case == "interactive logging off":
        keras.config.disable_interactive_logging()
    out = io.StringIO() if case == "file" else Terminal()
    with redirect_stdout(out), Progress(8, "batch", 0) as progress:
        progress.update(2)
    assert ("2/8 batches" in out.getvalue()) == (case == "terminal")
    assert bool(out.getvalue()) == (case == "terminal")


def test_progress_without_an_output(clock):
    with redirect_stdout(None), Progress(8, "batch", 0) as progress:
        progress.update(2)
        assert progress._shown == 0


def test_progress_in_a_notebook(clock, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipykernel", None)
    with redirect_stdout(io.StringIO()) as out, Progress(8, "batch", 0) as progress:
        progress.update(2)
    assert "2/8 batches" in out.getvalue()


def test_progress_disappears_after_an_error(clock):
    out = Terminal()
    with pytest.raises(KeyboardInterrupt):
        interrupted(out)
    assert "2/8 batches" in out.getvalue()
    assert out.line == ""


def interrupted(out):
    with redirect_stdout(out), Progress(8, "batch", 0) as progress:
        progress.update(2)
        raise KeyboardInterrupt
