"""Counted nouns, lists of names, and the progress line."""

import logging
import sys

import keras
import pytest

from keras_trainfix import messages
from keras_trainfix.messages import Progress, count, listed, percent, tell


@pytest.fixture
def terminal(capsys, monkeypatch):
    """Makes the output a terminal; returns a function of all that was written."""
    written = []

    def text():
        written.append(capsys.readouterr().out)
        return "".join(written)

    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    return text


@pytest.fixture
def clock(monkeypatch):
    """The time in seconds, which passes where a test says so."""
    now = [100.0]
    monkeypatch.setattr(messages.time, "monotonic", lambda: now[0])
    return now


def screen(text):
    """What a terminal shows of a line: a carriage return goes back to its start."""
    line = ""
    for part in text.split("\r"):
        line = part + line[len(part) :]
    return line.rstrip()


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


def test_progress_is_shown_after_a_while_and_disappears(terminal, clock):
    with Progress(8, "batch") as progress:
        progress.update(1)
        assert terminal() == ""
        clock[0] += 4
        progress.update(2)
        assert screen(terminal()) == "2/8 batches [=====               ] 12 s left"
        clock[0] += 1
        progress.update(8)
        assert screen(terminal()) == f"8/8 batches [{'=' * 20}] 0 s left"
    assert screen(terminal()) == ""
    assert "step" not in terminal()
    assert "\x1b" not in terminal()


def test_progress_of_an_unknown_total(terminal, clock):
    with Progress(None, "sample", after=0) as progress:
        progress.update(1)
        assert screen(terminal()) == "1 sample"
        clock[0] += 1
        progress.update(12)
        assert screen(terminal()) == "12 samples"


def test_progress_is_not_shown_too_often(terminal, clock):
    with Progress(100, "batch", after=0) as progress:
        for done in range(100):
            clock[0] += 0.03
            progress.update(done + 1)
    assert 20 < terminal().count("batches") < 35


@pytest.mark.parametrize("case", ["a file", "interactive logging off", "no output"])
def test_progress_nobody_sees(case, terminal, clock, monkeypatch):
    if case == "a file":
        monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    elif case == "no output":
        monkeypatch.setattr(sys, "stdout", None)
    else:
        keras.config.disable_interactive_logging()
    with Progress(8, "batch", after=0) as progress:
        clock[0] += 4
        progress.update(2)
    assert terminal() == ""


def test_progress_in_a_notebook(terminal, clock, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    monkeypatch.setitem(sys.modules, "ipykernel", None)
    with Progress(8, "batch", after=0) as progress:
        progress.update(2)
    assert "2/8 batches" in terminal()


def test_progress_disappears_after_an_error(terminal, clock):
    def interrupted():
        with Progress(8, "batch", after=0) as progress:
            progress.update(2)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert "2/8 batches" in terminal()
    assert screen(terminal()) == ""
